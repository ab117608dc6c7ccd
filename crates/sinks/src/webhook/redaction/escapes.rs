//! The escapes in which a text can contain a secret: those of URLs, JSON and HTML.

use std::ops::Range;

/// The bytes of the longest escape: a surrogate pair in JSON, such as `\ud83d\ude42`.
const MAX_ESCAPE_BYTES: usize = 12;

/// The escapes that are read.
#[derive(Clone, Copy, Debug)]
struct EscapeKinds {
    url: UrlEscapes,
    json: bool,
    html: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UrlEscapes {
    Ignored,
    /// `%2B`
    Percent,
    /// `%2B`, and `+` for a space
    Form,
}

/// A text without its escapes, and the place of each byte in the text.
pub(super) struct Unescaped {
    bytes: Vec<u8>,
    /// For each byte, its start in the text; then the end of the text.
    starts: Vec<usize>,
}

impl EscapeKinds {
    /// Returns the sets of kinds that give different results for the text.
    fn all(text: &[u8]) -> impl Iterator<Item = Self> {
        let [has_json, has_html, has_percent, has_plus] =
            [b'\\', b'&', b'%', b'+'].map(|byte| text.contains(&byte));
        let url = [
            (UrlEscapes::Ignored, true),
            (UrlEscapes::Percent, has_percent),
            (UrlEscapes::Form, has_plus),
        ];
        let url = url.into_iter().filter(|(_, is_useful)| *is_useful);
        url.flat_map(move |(url, _)| {
            let sets = [(false, false), (true, false), (false, true), (true, true)];
            let useful = sets.into_iter();
            let useful = useful.filter(move |(json, html)| json <= &has_json && html <= &has_html);
            useful.map(move |(json, html)| Self { url, json, html })
        })
    }

    /// Returns the character of the escape at the start of `text`, and the length of the escape.
    fn escape(self, text: &[u8]) -> Option<(char, usize)> {
        match text {
            [b'\\', ..] if self.json => json_escape(text),
            [b'&', ..] if self.html => html_escape(text),
            _ => None,
        }
    }
}

impl Unescaped {
    /// Returns the text in all ways to read it. An endpoint can escape a secret in several ways, and `%2B` can
    /// also be a part of the secret itself.
    pub(super) fn all(text: &[u8]) -> impl Iterator<Item = Self> {
        EscapeKinds::all(text).map(|kinds| Self::new(text, kinds))
    }

    fn new(text: &[u8], kinds: EscapeKinds) -> Self {
        let mut unescaped = Self {
            bytes: Vec::with_capacity(text.len()),
            starts: Vec::with_capacity(text.len() + 1),
        };
        let (mut start, mut rest) = (0, text);
        while let Some(first) = rest.first() {
            let length = if let (UrlEscapes::Percent | UrlEscapes::Form, Some((byte, length))) =
                (kinds.url, percent_escape(rest))
            {
                unescaped.push(&[byte], start);
                length
            } else if let Some((character, length)) = kinds.escape(rest) {
                let mut utf8 = [0; 4];
                let utf8 = character.encode_utf8(&mut utf8);
                unescaped.push(utf8.as_bytes(), start);
                length
            } else {
                let is_space = *first == b'+' && kinds.url == UrlEscapes::Form;
                unescaped.push(&[if is_space { b' ' } else { *first }], start);
                1
            };
            start += length;
            rest = text.get(start..).unwrap_or_default();
        }
        unescaped.starts.push(text.len());
        unescaped
    }

    fn push(&mut self, bytes: &[u8], start: usize) {
        self.bytes.extend_from_slice(bytes);
        self.starts.extend(bytes.iter().map(|_byte| start));
    }

    /// Returns the bytes without escapes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the place of a range of the bytes in the text with escapes.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        let place = |index: usize| self.starts.get(index).or(self.starts.last());
        let place = |index: usize| place(index).copied().unwrap_or_default();
        place(range.start)..place(range.end)
    }
}

/// Returns the length of a cut text without an escape that its end may have cut.
pub(super) fn whole_bytes(text: &[u8]) -> usize {
    let is_incomplete = |start: &usize| {
        let rest = text.get(*start..).unwrap_or_default();
        matches!(rest, [b'%' | b'\\' | b'&', ..])
            && percent_escape(rest).is_none()
            && json_escape(rest).is_none()
            && html_escape(rest).is_none()
            && !is_low_surrogate(rest)
    };
    let mut starts = text.len().saturating_sub(MAX_ESCAPE_BYTES - 1)..text.len();
    starts.find(is_incomplete).unwrap_or(text.len())
}

/// Returns true if `text` starts with the second escape of a surrogate pair, which is no character alone.
const fn is_low_surrogate(text: &[u8]) -> bool {
    matches!(
        text,
        [
            b'\\',
            b'u',
            b'd' | b'D',
            b'c'..=b'f' | b'C'..=b'F',
            _,
            _,
            ..,
        ]
    )
}

/// Returns the byte of an escape of URLs at the start of `text`, and the length of the escape.
fn percent_escape(text: &[u8]) -> Option<(u8, usize)> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let byte = u8::try_from(number(&[*high, *low], 16)?).ok()?;
    Some((byte, 3))
}

/// Returns the character of an escape of JSON or JavaScript at the start of `text`, and the length of the escape.
fn json_escape(text: &[u8]) -> Option<(char, usize)> {
    match text {
        [b'\\', b'u', ..] => unicode_escape(text),
        [b'\\', b'x', digits @ ..] => {
            let character = char::from_u32(number(digits.get(..2)?, 16)?)?;
            Some((character, 4))
        }
        [b'\\', b'n', ..] => Some(('\n', 2)),
        [b'\\', b'r', ..] => Some(('\r', 2)),
        [b'\\', b't', ..] => Some(('\t', 2)),
        [b'\\', same @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((char::from(*same), 2)),
        _ => None,
    }
}

/// Returns the character of an escape such as `\u002b` at the start of `text`, and the length of the escape. Two
/// escapes with a surrogate pair are one character.
fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let unit = |start: usize| {
        let [b'\\', b'u', digits @ ..] = text.get(start..)? else {
            return None;
        };
        u16::try_from(number(digits.get(..4)?, 16)?).ok()
    };
    let units = std::iter::once(unit(0)?).chain(unit(6));
    let character = char::decode_utf16(units).next()?.ok()?;
    Some((character, 6 * character.len_utf16()))
}

/// Returns the character of an escape of HTML at the start of `text`, and the length of the escape.
fn html_escape(text: &[u8]) -> Option<(char, usize)> {
    let [b'&', rest @ ..] = text else {
        return None;
    };
    let name_bytes = rest.iter().take(MAX_ESCAPE_BYTES - 1);
    let end = name_bytes.copied().position(|byte| byte == b';')?;
    let character = match rest.get(..end)? {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
        _ => return None,
    };
    Some((character, end + 2))
}

/// Parses digits, at least one.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, wanted: &[&str]) {
        let all = Unescaped::all(text.as_bytes());
        let shown: Vec<_> = all
            .map(|one| String::from_utf8_lossy(one.bytes()).into_owned())
            .collect();
        assert_eq!(shown, wanted, "{text}");
    }

    #[test]
    fn a_text_is_read_in_each_way_that_its_escapes_allow() {
        check("plain", &["plain"]);
        check("a%2Bb", &["a%2Bb", "a+b"]);
        check("a+b%2f", &["a+b%2f", "a+b/", "a b/"]);
        check(r"a\/b\u002B", &[r"a\/b\u002B", "a/b+"]);
        check(
            "&#43;&#x2b;&amp;&quot;",
            &["&#43;&#x2b;&amp;&quot;", "++&\""],
        );
        check(r"\\&lt;", &[r"\\&lt;", r"\&lt;", r"\\<", r"\<"]);
        check(r"\ud83d\ude42!", &[r"\ud83d\ude42!", "🙂!"]);
        check(r"%41\x41", &[r"%41\x41", r"%41A", r"A\x41", "AA"]);
        for invalid in ["%", "%4", "%-1", "%zz"] {
            check(
                &format!("{invalid} "),
                &[&format!("{invalid} "), &format!("{invalid} ")],
            );
        }
        for invalid in [r"\", r"\u00", r"\ud83d", "&", "&#;", "&#x110000;", "&copy;"] {
            check(invalid, &[invalid, invalid]);
        }
    }

    #[test]
    fn a_place_includes_the_escapes_of_its_bytes() {
        let all: Vec<_> = Unescaped::all(br"xy\u00e9z").collect();
        assert_eq!(all[1].bytes(), "xyéz".as_bytes());
        assert_eq!(all[1].place(1..4), 1..8);
        assert_eq!(all[1].place(2..4), 2..8);
        assert_eq!(all[1].place(4..5), 8..9);
    }

    #[test]
    fn a_cut_escape_at_the_end_is_not_whole() {
        for cut in [
            "%",
            "%4",
            r"\",
            r"\u",
            r"\u00e",
            r"\ud83d",
            r"\ud83d\ude4",
            r"\x4",
            "&",
            "&quo",
            "&#x0002b",
        ] {
            let text = format!("abc{cut}");
            assert_eq!(whole_bytes(text.as_bytes()), 3, "{cut}");
        }
        for whole in [
            "",
            "%41",
            r"\u00e9",
            r"\ud83d\ude42",
            r#"\""#,
            "&quot;",
            "&#x0002b;",
            "& nothing more",
        ] {
            let text = format!("abc{whole}");
            assert_eq!(whole_bytes(text.as_bytes()), text.len(), "{whole}");
        }
    }
}
