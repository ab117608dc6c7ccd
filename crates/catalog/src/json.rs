//! A JSON tree without loss of information.
//!
//! Members keep their order. A key that appears twice keeps both values. A number keeps its
//! spelling, so it can have any size. A string may have an unpaired surrogate, which RFC 8259
//! allows as an escape. This tree is not used for events: they are read without a tree.

use std::fmt;

use crate::Fault;
use crate::json_tree::{JsonTree, TextFault, read_tree};
use crate::raw_text::RawText;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, in its original spelling.
    Number(String),
    /// A string.
    Text(JsonString),
    /// An array.
    Array(Vec<Self>),
    /// The members of an object, in order. A key may appear twice.
    Object(Vec<(JsonString, Self)>),
}

/// A JSON string, unescaped. Two strings are equal if they have the same UTF-16.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonString(StringContent);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum StringContent {
    Unicode(String),
    /// A string with at least one unpaired surrogate. The bytes are UTF-8, except that each unpaired
    /// surrogate is encoded in three bytes as if UTF-8 allowed surrogates.
    WithUnpairedSurrogates(Vec<u8>),
}

impl Json {
    /// Parses a JSON text as RFC 8259 defines it.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not UTF-8, is not JSON, or nests objects and arrays more than
    /// `max_depth` levels deep.
    pub fn read(input: &[u8], max_depth: usize) -> Result<Self, Fault> {
        read_tree(input, max_depth, usize::MAX)
    }

    /// Returns the value of the first member with this key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let member = self
            .members()
            .iter()
            .find(|(name, _)| name.as_str() == Some(key));
        member.map(|(_, value)| value)
    }

    /// Returns the members of an object. Any other value has no members.
    pub fn members(&self) -> &[(JsonString, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// Returns the value as text. `None` if it is not a string or has an unpaired surrogate.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_str(),
            _ => None,
        }
    }

    /// Returns true for an object.
    pub const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Returns true for null and for an empty string, array or object.
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
    /// Returns the string as Unicode text. `None` if it has an unpaired surrogate.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            StringContent::Unicode(text) => Some(text),
            StringContent::WithUnpairedSurrogates(_) => None,
        }
    }
}

impl From<RawText<'_>> for JsonString {
    fn from(text: RawText<'_>) -> Self {
        Self(match String::from_utf8(text.bytes().into_owned()) {
            Ok(text) => StringContent::Unicode(text),
            Err(error) => StringContent::WithUnpairedSurrogates(error.into_bytes()),
        })
    }
}

/// Writes the string, and each unpaired surrogate as an escape.
impl fmt::Display for JsonString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match &self.0 {
            StringContent::Unicode(text) => return f.write_str(text),
            StringContent::WithUnpairedSurrogates(bytes) => bytes,
        };
        let mut rest = bytes.as_slice();
        while let Some(at) = rest
            .windows(3)
            .position(|window| matches!(window, [0xed, 0xa0..=0xbf, _]))
        {
            let (before, from_surrogate) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            f.write_str(&String::from_utf8_lossy(before))?;
            if let [_, second, third, after @ ..] = from_surrogate {
                let unit = 0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f);
                write!(f, "\\u{unit:04x}")?;
                rest = after;
            }
        }
        f.write_str(&String::from_utf8_lossy(rest))
    }
}

impl JsonTree for Json {
    type Members = Vec<(JsonString, Self)>;

    fn scalar(scalar: &[u8]) -> Option<Self> {
        Some(match scalar {
            b"null" => Self::Null,
            b"true" => Self::Boolean(true),
            b"false" => Self::Boolean(false),
            number => Self::Number(String::from_utf8_lossy(number).into_owned()),
        })
    }

    fn string(text: RawText<'_>) -> Option<Self> {
        Some(Self::Text(text.into()))
    }

    fn array(elements: Vec<Self>) -> Self {
        Self::Array(elements)
    }

    fn add(members: &mut Self::Members, key: RawText<'_>, value: Self) -> Result<(), TextFault> {
        members.push((key.into(), value));
        Ok(())
    }

    fn object(members: Self::Members) -> Self {
        Self::Object(members)
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
    fn unpaired_surrogates_stay_distinct_and_are_written_as_escapes() {
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
