//! Search for the next special byte of a string.

/// Returns the number of bytes before the first quote, backslash or control character. Reads eight
/// bytes at a time.
pub(super) fn plain_run(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    words.len() * 8 + tail.iter().position(is_special).unwrap_or(tail.len())
}

/// Sets the high bit of each byte that is a quote, a backslash or below 0x20.
///
/// Only the lowest bit that is set is reliable, because a subtraction can borrow from the next higher byte.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    let quote = (word ^ QUOTES).wrapping_sub(ONES) & !(word ^ QUOTES);
    let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES) & !(word ^ BACKSLASHES);
    let control = word.wrapping_sub(SPACES) & !word;
    (quote | backslash | control) & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_at_the_first_special_byte_wherever_it_is() {
        for filler in [0x20, b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xff] {
            for length in 0..20 {
                for place in 0..length {
                    for byte in 0..=u8::MAX {
                        let mut text = vec![filler; length];
                        text[place] = byte;
                        let special = byte < 0x20 || byte == b'"' || byte == b'\\';
                        let wanted = if special { place } else { length };
                        assert_eq!(plain_run(&text), wanted, "{text:x?}");
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_after_a_special_byte_do_not_matter() {
        for special in [b'"', b'\\', 0x1f] {
            for after in 0..=u8::MAX {
                assert_eq!(
                    plain_run(&[b'a', b'b', special, after, after, b'c', b'd', b'e']),
                    2
                );
            }
        }
    }
}
