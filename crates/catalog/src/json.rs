//! JSON as a tree that keeps what the text says.
//!
//! Members keep their order, and a key that appears twice keeps both values. A number keeps its
//! spelling, so no size is too large. A string may have half a surrogate pair, which RFC 8259
//! allows as an escape. Not here: events, which are read without a tree.

use std::fmt;

use crate::Fault;
use crate::fault::{FaultCode, Flaw};
use crate::raw_text::RawText;
use crate::scanner::{Container, Scanner};

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, as it is spelled.
    Number(String),
    /// A string.
    Text(JsonString),
    /// An array.
    Array(Vec<Self>),
    /// The members of an object, in order. A key may appear twice.
    Object(Vec<(JsonString, Self)>),
}

/// A string of JSON, its escapes read. Two strings are equal if they have the same UTF-16.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonString(StringContent);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum StringContent {
    Unicode(String),
    /// A string with at least one half of a surrogate pair. The bytes are UTF-8, but each half has
    /// the three bytes that UTF-8 would give it if UTF-8 allowed surrogates.
    Halves(Vec<u8>),
}

impl Json {
    /// Reads a JSON text by RFC 8259.
    ///
    /// # Errors
    ///
    /// The input is not UTF-8, is not JSON, or opens more than `max_depth` objects and arrays at
    /// once.
    pub fn read(input: &[u8], max_depth: usize) -> Result<Self, Fault> {
        read(input, max_depth).map_err(|flaw| flaw.in_input(input))
    }

    /// The value of the first member with this key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let member = self
            .members()
            .iter()
            .find(|(name, _)| name.as_str() == Some(key));
        member.map(|(_, value)| value)
    }

    /// The members of an object; none for any other value.
    pub fn members(&self) -> &[(JsonString, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The string that this value is. `None` for a string with half a surrogate pair.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_str(),
            _ => None,
        }
    }

    /// Whether this is an object.
    pub const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Whether this is null, or an empty string, array or object.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(_) | Self::Number(_) => false,
            Self::Text(text) => text.as_str() == Some(""),
            Self::Array(elements) => elements.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }
}

impl JsonString {
    /// The string as Unicode text. `None` if it has half a surrogate pair.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            StringContent::Unicode(text) => Some(text),
            StringContent::Halves(_) => None,
        }
    }
}

impl From<RawText<'_>> for JsonString {
    fn from(text: RawText<'_>) -> Self {
        Self(match String::from_utf8(text.bytes().into_owned()) {
            Ok(text) => StringContent::Unicode(text),
            Err(error) => StringContent::Halves(error.into_bytes()),
        })
    }
}

/// Writes the string, each half of a surrogate pair as its escape.
impl fmt::Display for JsonString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match &self.0 {
            StringContent::Unicode(text) => return f.write_str(text),
            StringContent::Halves(bytes) => bytes,
        };
        let mut rest = bytes.as_slice();
        while let Some(at) = rest
            .windows(3)
            .position(|it| matches!(it, [0xed, 0xa0..=0xbf, _]))
        {
            let (before, half) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            f.write_str(&String::from_utf8_lossy(before))?;
            if let [_, high, low, after @ ..] = half {
                let unit = 0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f);
                write!(f, "\\u{unit:04x}")?;
                rest = after;
            }
        }
        f.write_str(&String::from_utf8_lossy(rest))
    }
}

fn read(input: &[u8], max_depth: usize) -> Result<Json, Flaw> {
    if let Err(error) = str::from_utf8(input) {
        let message = "these bytes are not UTF-8";
        return Err(Flaw::new(FaultCode::NotUtf8, error.valid_up_to(), message));
    }
    let mut scanner = Scanner::new(input, max_depth);
    scanner.begin()?;
    let json = value(&mut scanner)?;
    scanner.end()?;
    Ok(json)
}

/// Reads the value that starts here. The scanner bounds how deep this recurses.
fn value(scanner: &mut Scanner<'_>) -> Result<Json, Flaw> {
    match scanner.peek() {
        Some(b'{') => {
            let mut members = Vec::new();
            let mut has_more = scanner.enter(Container::Object)?;
            while has_more {
                let key = scanner.key()?.into();
                scanner.colon()?;
                members.push((key, value(scanner)?));
                has_more = scanner.advance()?;
            }
            Ok(Json::Object(members))
        }
        Some(b'[') => {
            let mut elements = Vec::new();
            let mut has_more = scanner.enter(Container::Array)?;
            while has_more {
                elements.push(value(scanner)?);
                has_more = scanner.advance()?;
            }
            Ok(Json::Array(elements))
        }
        Some(b'"') => Ok(Json::Text(scanner.string()?.into())),
        _ => {
            let start = scanner.at();
            scanner.value()?;
            Ok(match scanner.since(start) {
                b"null" => Json::Null,
                b"true" => Json::Boolean(true),
                b"false" => Json::Boolean(false),
                number => Json::Number(String::from_utf8_lossy(number).into_owned()),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> JsonString {
        match Json::read(text.as_bytes(), 1) {
            Ok(Json::Text(text)) => text,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn half_pairs_are_kept_apart_and_shown_as_escapes() {
        for (text, wanted) in [
            (r#""a\ud800b""#, r"a\ud800b"),
            (r#""\uDFFF\uD83D""#, r"\udfff\ud83d"),
            (r#""\ud83d\ude00\ud83d""#, r"😀\ud83d"),
            (r#""\ud7ff\ue000""#, "\u{d7ff}\u{e000}"),
        ] {
            assert_eq!(string(text).to_string(), wanted, "{text}");
        }
        assert_ne!(string(r#""\ud800""#), string(r#""\ud801""#));
        assert_ne!(string(r#""\ud800""#), string(r#""\\ud800""#));
        assert_eq!(string(r#""\ud83d\ude00""#), string("\"😀\""));
    }

    #[test]
    fn numbers_keep_their_spelling_and_members_their_order() {
        let json = Json::read(br#" {"b":1e400,"a":[true,null],"b":-0.10} "#, 2).unwrap();
        let keys: Vec<_> = json.members().iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [Some("b"), Some("a"), Some("b")]);
        assert_eq!(json.get("b"), Some(&Json::Number("1e400".to_owned())));
        assert_eq!(json.members()[2].1, Json::Number("-0.10".to_owned()));
        assert_eq!(
            json.get("a"),
            Some(&Json::Array(vec![Json::Boolean(true), Json::Null]))
        );
    }
}
