//! The encoding of the text of a file or a request.
//!
//! JSON between systems is UTF-8 (RFC 8259, section 8.1). A byte order mark at the start is
//! skipped, as the same section allows. UTF-16 and UTF-32 are recognised by their first bytes, so
//! that the error names the encoding instead of a JSON syntax error.

use thiserror::Error;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// The text is encoded in UTF-16 or UTF-32 instead of UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the text is encoded in UTF-16 or UTF-32; it must be UTF-8")]
pub struct NotUtf8Text;

/// Returns the text without its byte order mark. Rejects UTF-16 and UTF-32, but does not validate UTF-8.
///
/// If `text` is a part of a longer text, it must have at least the first four bytes.
pub fn without_bom(text: &[u8]) -> Result<&[u8], NotUtf8Text> {
    // The first character of JSON is ASCII. In UTF-16 and UTF-32 it has a zero byte.
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => Err(NotUtf8Text),
        _ => Ok(text.strip_prefix(UTF8_BOM).unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_byte_order_mark_is_skipped() {
        assert_eq!(without_bom(b"\xef\xbb\xbf{}"), Ok(&b"{}"[..]));
        assert_eq!(without_bom(b"{}"), Ok(&b"{}"[..]));
        assert_eq!(without_bom(b"\xef\xbb"), Ok(&b"\xef\xbb"[..]));
        assert_eq!(without_bom(b""), Ok(&b""[..]));
    }

    #[test]
    fn other_encodings_are_rejected_with_or_without_a_byte_order_mark() {
        for text in [
            &b"\xff\xfe{\0"[..],
            b"\xfe\xff\0{",
            b"{\0}\0",
            b"\0{\0}",
            b"\0\0\0{",
            b"\xff\xfe\0\0{\0\0\0",
        ] {
            assert_eq!(without_bom(text), Err(NotUtf8Text), "{text:?}");
        }
    }
}
