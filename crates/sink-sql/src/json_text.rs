//! Reads the JSON of an admitted event in place, without a tree.
//!
//! Admission has validated the grammar of RFC 8259 already, so this file only finds where values end.
//! Invalid JSON gives an error or meaningless slices, but no panic. Key order, duplicate keys and the
//! spelling of numbers stay visible to the caller.

use std::borrow::Cow;

use easel_catalog::decode_text;
use thiserror::Error;

/// The nesting that a JSON column accepts. Deeper values are stored as text.
const MAX_DEPTH: usize = 64;

/// The most digits before the decimal point of a number in a JSON column, and after the point.
/// PostgreSQL allows 131,072 and 16,383.
pub(crate) const MAX_WHOLE_DIGITS: i64 = 100_000;
pub(crate) const MAX_DECIMALS: i64 = 16_000;

/// The error for an event that is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("parse the event: it is not a JSON object")]
pub struct NotJson;

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    /// The bytes between the quotes of the key.
    pub(crate) raw_key: &'a [u8],
    /// The value.
    pub(crate) value: &'a [u8],
    /// The whole member, from the quote of the key to the end of the value.
    pub(crate) whole: &'a [u8],
}

/// The members of an object, in order.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    input: &'a [u8],
    at: usize,
    is_over: bool,
}

impl<'a> Members<'a> {
    /// Returns the members of the object `json`.
    pub(crate) fn new(json: &'a [u8]) -> Result<Self, NotJson> {
        let start = skip_space(json, 0);
        if json.get(start) != Some(&b'{') {
            return Err(NotJson);
        }
        let at = skip_space(json, start + 1);
        Ok(Self {
            input: json,
            at,
            is_over: json.get(at) == Some(&b'}'),
        })
    }

    fn read(&mut self) -> Result<Member<'a>, NotJson> {
        let start = self.at;
        let key_end = string_end(self.input, start).ok_or(NotJson)?;
        let colon = skip_space(self.input, key_end);
        if self.input.get(colon) != Some(&b':') {
            return Err(NotJson);
        }
        let value_start = skip_space(self.input, colon + 1);
        let value_end = value_end(self.input, value_start).ok_or(NotJson)?;
        let slice = |from: usize, to: usize| self.input.get(from..to).ok_or(NotJson);
        let member = Member {
            raw_key: slice(start + 1, key_end - 1)?,
            value: slice(value_start, value_end)?,
            whole: slice(start, value_end)?,
        };
        let next = skip_space(self.input, value_end);
        match self.input.get(next) {
            Some(b',') => self.at = skip_space(self.input, next + 1),
            Some(b'}') => self.is_over = true,
            _ => return Err(NotJson),
        }
        Ok(member)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, NotJson>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let member = self.read();
        self.is_over |= member.is_err();
        Some(member)
    }
}

/// Returns the elements of the array `json`.
pub(crate) fn elements(json: &[u8]) -> Result<Vec<&[u8]>, NotJson> {
    if json.first() != Some(&b'[') {
        return Err(NotJson);
    }
    let mut elements = Vec::new();
    let mut at = skip_space(json, 1);
    while json.get(at) != Some(&b']') {
        let end = value_end(json, at).ok_or(NotJson)?;
        elements.push(json.get(at..end).ok_or(NotJson)?);
        at = skip_space(json, end);
        if json.get(at) == Some(&b',') {
            at = skip_space(json, at + 1);
        }
    }
    Ok(elements)
}

fn skip_space(input: &[u8], mut at: usize) -> usize {
    while matches!(input.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Returns the position after the string whose opening quote is at `at`.
fn string_end(input: &[u8], at: usize) -> Option<usize> {
    if input.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', input.get(at..)?)?;
        match input.get(at)? {
            b'"' => return Some(at + 1),
            _backslash => at += 2,
        }
    }
}

/// Returns the position after the value at `at`.
fn value_end(input: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match input.get(at)? {
            b'"' => at = string_end(input, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            _ if depth > 0 => {
                at += 1;
                continue;
            }
            _ => {
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                let rest = input.get(at..)?;
                return Some(at + rest.iter().position(ends).unwrap_or(rest.len()));
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Returns the text of a JSON string with its quotes, if a text column can hold the text. `None` for other
/// values, for a text with `\u0000`, and for a text with an unpaired surrogate.
pub(crate) fn storable_text(json: &[u8]) -> Option<Cow<'_, str>> {
    let raw = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    decode_text(raw).filter(|text| !text.contains('\0'))
}

/// Returns true if a JSON column stores `json` without loss: no text has `\u0000` or an unpaired surrogate,
/// no object has a key twice, and no number or nesting is too large.
pub(crate) fn is_storable_json(json: &[u8]) -> bool {
    is_storable_within(json, MAX_DEPTH)
}

fn is_storable_within(json: &[u8], max_depth: usize) -> bool {
    match json.first() {
        Some(b'"') => storable_text(json).is_some(),
        Some(b'{') => max_depth > 0 && is_storable_object(json, max_depth - 1),
        Some(b'[') => max_depth > 0 && are_storable_elements(json, max_depth - 1),
        Some(b'-' | b'0'..=b'9') => is_storable_number(json),
        Some(_) => matches!(json, b"true" | b"false" | b"null"),
        None => false,
    }
}

fn is_storable_object(json: &[u8], max_depth: usize) -> bool {
    let Ok(members) = Members::new(json) else {
        return false;
    };
    let mut keys = std::collections::HashSet::new();
    for member in members {
        let Ok(member) = member else {
            return false;
        };
        let key = decode_text(member.raw_key).filter(|key| !key.contains('\0'));
        if !key.is_some_and(|key| keys.insert(key)) || !is_storable_within(member.value, max_depth)
        {
            return false;
        }
    }
    true
}

fn are_storable_elements(json: &[u8], max_depth: usize) -> bool {
    elements(json).is_ok_and(|elements| {
        let mut elements = elements.into_iter();
        elements.all(|element| is_storable_within(element, max_depth))
    })
}

/// A number without an exponent is always short enough, because an event is.
fn is_storable_number(json: &[u8]) -> bool {
    let Some(at) = memchr::memchr2(b'e', b'E', json) else {
        return json.len() < 10_000;
    };
    let exponent = json
        .get(at + 1..)
        .and_then(|exponent| str::from_utf8(exponent).ok());
    let exponent = exponent.and_then(|exponent| exponent.parse::<i64>().ok());
    exponent.is_some_and(|exponent| at < 10_000 && exponent.abs() < 6_000)
}

/// Appends `text` as a JSON string.
pub(crate) fn push_json_string(json: &mut Vec<u8>, text: &str) {
    json.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => json.extend([b'\\', byte]),
            0..0x20 => json.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => json.push(byte),
        }
    }
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_with_their_spelling() {
        let json = br#" { "a" : 1.0 , "b\"":{"x":[1,"}"]}, "a":"]" } "#;
        let members: Vec<_> = Members::new(json)
            .unwrap()
            .map(|member| {
                let member = member.unwrap();
                (member.raw_key, member.value)
            })
            .collect();
        let wanted: [(&[u8], &[u8]); 3] = [
            (b"a", b"1.0"),
            (br#"b\""#, br#"{"x":[1,"}"]}"#),
            (b"a", br#""]""#),
        ];
        assert_eq!(members, wanted);
    }

    #[test]
    fn invalid_json_is_an_error_and_never_a_panic() {
        for json in [
            "",
            "[]",
            "{",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":}",
            "{\"a\":1 2}",
            "{1:2}",
        ] {
            let members = Members::new(json.as_bytes());
            let is_invalid =
                members.map_or(true, |mut members| members.any(|member| member.is_err()));
            assert!(is_invalid, "{json}");
        }
    }

    #[test]
    fn json_that_postgresql_would_change_or_refuse_is_not_storable() {
        for json in [
            "null",
            "[]",
            "{}",
            r#"{"a":{"a":[1,-2.5e3,"x",true]}}"#,
            "1e400",
        ] {
            assert!(is_storable_json(json.as_bytes()), "{json}");
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        for json in [
            r#""\u0000""#,
            r#"["\ud800"]"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"\u0000":1}"#,
            "1e99999",
            "[1e-99999]",
            "1e99999999999999999999",
            "",
            &deep,
        ] {
            assert!(!is_storable_json(json.as_bytes()), "{json}");
        }
    }
}
