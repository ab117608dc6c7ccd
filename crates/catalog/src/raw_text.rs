//! A JSON string in its original spelling.

use std::borrow::Cow;

/// A string of the input. Its grammar was validated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawText<'a> {
    /// The position of the opening quote.
    pub(crate) at: usize,
    /// The bytes between the quotes.
    pub(crate) raw: &'a [u8],
    /// True if `raw` has a backslash.
    pub(crate) has_escapes: bool,
}

impl<'a> RawText<'a> {
    /// Returns the unescaped bytes. Two spellings of the same string have the same bytes.
    ///
    /// The bytes are UTF-8, with one exception: JSON allows an unpaired surrogate as an escape. It is
    /// encoded in three bytes as if UTF-8 allowed surrogates.
    pub(crate) fn bytes(&self) -> Cow<'a, [u8]> {
        if self.has_escapes {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// Returns the unescaped text. `None` if it has an unpaired surrogate.
    pub(crate) fn decode(&self) -> Option<Cow<'a, str>> {
        match self.bytes() {
            Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    }
}

/// Returns the text of a JSON string, whose bytes between the quotes are `raw`. `None` if it has an unpaired
/// surrogate. The grammar of the string must have been validated.
pub fn decode_text(raw: &[u8]) -> Option<Cow<'_, str>> {
    let has_escapes = raw.contains(&b'\\');
    let text = RawText {
        at: 0,
        raw,
        has_escapes,
    };
    text.decode()
}

fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut unescaped = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [b'u', after @ ..]) => {
                let (code, after) = code_point(after);
                rest = after;
                push_code_point(&mut unescaped, code);
            }
            (b'\\', [escape, after @ ..]) => {
                rest = after;
                unescaped.push(match escape {
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
            }
            _ => unescaped.push(*first),
        }
    }
    unescaped
}

/// Returns the code point after a `\u`, and the rest. Also reads the next escape if both escapes are a
/// surrogate pair.
fn code_point(text: &[u8]) -> (u32, &[u8]) {
    let (first, rest) = code_unit(text);
    if let (0xd800..=0xdbff, [b'\\', b'u', second @ ..]) = (first, rest)
        && let (second @ 0xdc00..=0xdfff, rest) = code_unit(second)
    {
        return (
            0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
            rest,
        );
    }
    (first, rest)
}

fn code_unit(text: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, &[]));
    let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default();
    (
        digits
            .iter()
            .fold(0, |unit, digit| (unit << 4) | value(digit)),
        rest,
    )
}

fn push_code_point(unescaped: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(character) => {
            unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        None => unescaped.extend([
            0xe0 | (code >> 12 & 0x0f) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, wanted: Option<&str>) {
        let text = RawText {
            at: 0,
            raw: raw.as_bytes(),
            has_escapes: raw.contains('\\'),
        };
        assert_eq!(text.decode().as_deref(), wanted, "{raw}");
    }

    #[test]
    fn an_escape_is_decoded_to_its_character() {
        check("plain é 😀", Some("plain é 😀"));
        check(r#"\"\\\/\b\f\n\r\t"#, Some("\"\\/\u{8}\u{c}\n\r\t"));
        check(r"a\u00e9\u00E9\u0000b", Some("aéé\0b"));
    }

    #[test]
    fn two_escapes_can_be_a_surrogate_pair() {
        check(r"\ud83d\ude00!", Some("😀!"));
        check(r"\uDBFF\uDFFF", Some("\u{10ffff}"));
    }

    #[test]
    fn an_unpaired_surrogate_is_not_text() {
        check(r"\ud83d", None);
        check(r"\ud83d!", None);
        check(r"\ude00\ud83d", None);
        check(r"\ud83d\u0041", None);
        check(r"\ud83d\ud83d\ude00", None);
    }

    #[test]
    fn different_unpaired_surrogates_have_different_bytes() {
        let bytes = |raw: &'static str| {
            RawText {
                at: 0,
                raw: raw.as_bytes(),
                has_escapes: true,
            }
            .bytes()
            .into_owned()
        };
        assert_eq!(bytes(r"\ud83d"), bytes(r"\uD83D"));
        for other in [r"\ud83c", r"\ud81d", r"\ud87d", r"\ude3d"] {
            assert_ne!(bytes(r"\ud83d"), bytes(other));
        }
        assert_ne!(bytes(r"\ud83d\u0041"), bytes(r"\ud83dB"));
    }
}
