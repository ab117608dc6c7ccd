//! A text whose percent escapes were decoded a number of times.

use std::borrow::Cow;

/// A text whose percent escapes were decoded a number of times. Each byte knows its place in the
/// original text.
pub(super) struct PercentLevel<'a> {
    text: Cow<'a, [u8]>,
    /// The place of each byte in the original text, then the length of the original text. Empty if
    /// nothing was decoded.
    places: Vec<usize>,
}

impl<'a> PercentLevel<'a> {
    /// Returns the original text.
    pub(super) const fn original(text: &'a [u8]) -> Self {
        Self {
            text: Cow::Borrowed(text),
            places: Vec::new(),
        }
    }

    /// Returns the text of this level.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns the place in the original text of the byte at `at`.
    pub(super) fn place(&self, at: usize) -> usize {
        self.places.get(at).copied().unwrap_or(at)
    }

    /// Decodes the escapes once more. `None` if there are no escapes.
    pub(super) fn decoded(&self) -> Option<PercentLevel<'static>> {
        memchr::memchr(b'%', &self.text)?;
        let mut text = Vec::with_capacity(self.text.len());
        let mut places = Vec::with_capacity(self.text.len() + 1);
        let mut rest = self.text();
        while let [first, after @ ..] = rest {
            places.push(self.place(self.text.len() - rest.len()));
            let (byte, after) = escaped_byte(rest).unwrap_or((*first, after));
            text.push(byte);
            rest = after;
        }
        places.push(self.place(self.text.len()));
        let has_escapes = text.len() < self.text.len();
        has_escapes.then_some(PercentLevel {
            text: Cow::Owned(text),
            places,
        })
    }
}

/// Returns the byte of the escape that `text` begins with, and the rest.
fn escaped_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = text else {
        return None;
    };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = digit(*high)? * 16 + digit(*low)?;
    Some((u8::try_from(byte).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_decodes_once_and_knows_the_original_places() {
        let original = PercentLevel::original(b"a%253Db%3dc%%zz%4");
        let first = original.decoded().unwrap();
        assert_eq!(first.text(), b"a%3Db=c%%zz%4");
        let second = first.decoded().unwrap();
        assert_eq!(second.text(), b"a=b=c%%zz%4");
        assert!(second.decoded().is_none());
        let places: Vec<_> = (0..=second.text().len())
            .map(|at| second.place(at))
            .collect();
        assert_eq!(places, [0, 1, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17]);
    }

    #[test]
    fn a_text_without_escapes_has_one_level() {
        for text in ["", "a=b", "%", "%4", "%zz", "100%"] {
            assert!(PercentLevel::original(text.as_bytes()).decoded().is_none());
        }
    }
}
