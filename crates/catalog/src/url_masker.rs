//! Masks secrets, such as access tokens, in the URLs of an event. No subscriber needs these
//! secrets.
//!
//! A secret is the value of a parameter with a secret name, or a password before the host. Events are
//! masked when they are delivered. The log has the bytes as they came, and the id of an event is
//! computed from these bytes.
//!
//! A URL is the value of a member with one of three names, at any depth of an event:
//!
//! - `url` and `referrer` of the metadata: the URL of the request, and the page that sent the
//!   request. Both come with their query.
//! - `url` in the body, which is the launch URL of a tool or a submitted URL.
//! - `request_url` and `referrer` of a Caliper event: the same two URLs. `referrer` may also be
//!   an object, so each string in an object or array under such a name is a URL too.
//!
//! No other member is masked, even if its value is a URL. A subscriber needs the `verifier` in
//! `resource_map_url`, because it downloads a file from there. Free text, such as the HTML of a page,
//! is not searched for URLs.

mod percent_level;
mod secret_names;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use thiserror::Error;

use crate::raw_text::RawText;
use crate::scanner::Scanner;
use secret_names::{SecretNames, normalised};

/// The parameters whose values are always masked.
const DEFAULT_NAMES: [&str; 4] = ["access_token", "token", "signature", "verifier"];
const MAX_NAME_CHARS: usize = 128;

/// The members whose strings are URLs.
const MEMBERS: [&[u8]; 3] = [b"url", b"request_url", b"referrer"];
/// The ends of the keys of these members.
static KEY_ENDS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["url\"", "referrer\""].map(Finder::new));
/// The starts of the escapes of letters and underscores. The keys of URLs have no other characters.
static LETTER_ESCAPES: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| [r"\u005", r"\u006", r"\u007"].map(Finder::new));

/// Masks secrets in the URLs of an event.
///
/// The default masks the values of `access_token`, `token`, `signature` and `verifier`, and passwords.
/// Upper and lower case are the same in a name. A URL is a string of a member named `url`,
/// `request_url` or `referrer`, at any depth: in the metadata, in the body, or in a Caliper event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlMasker {
    names: SecretNames,
}

/// Why a name cannot be the name of a secret parameter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MaskNameError {
    /// The name is too long, or it has no characters besides white space and plus signs.
    #[error("the name {name:?} must have 1 to 128 characters, and not only white space")]
    Length {
        /// The name.
        name: String,
    },
    /// The name has a character that separates parameters, or a control character.
    #[error(
        "the name {name:?} must not contain {character:?}: control characters, '=', '&', '#', ';' and '?' are not allowed"
    )]
    Character {
        /// The name.
        name: String,
        /// The first such character.
        character: char,
    },
}

/// A string of an event, and the JSON that replaces it.
struct MaskedString {
    range: Range<usize>,
    json: String,
}

impl Default for UrlMasker {
    fn default() -> Self {
        Self {
            names: SecretNames::new(DEFAULT_NAMES),
        }
    }
}

impl UrlMasker {
    /// Returns a masker for the default names and for `extra` names.
    pub fn with_names(extra: impl IntoIterator<Item = String>) -> Result<Self, MaskNameError> {
        let mut names: Vec<_> = DEFAULT_NAMES.map(str::to_owned).into();
        for name in extra {
            check_name(&name)?;
            names.push(name);
        }
        Ok(Self {
            names: SecretNames::new(names),
        })
    }

    /// Returns `event` with `masked` in place of each secret. `event` is the stored form of an event, or
    /// a Caliper event or envelope.
    ///
    /// A URL with a secret is written with the usual escapes, or without its query if it is not
    /// Unicode. All other bytes stay the same. Input that is not JSON stays the same where it cannot be
    /// read.
    pub fn mask<'a>(&self, event: &'a [u8]) -> Cow<'a, [u8]> {
        let mut masked_strings = Vec::new();
        if may_escape_keys(event) {
            self.search_all_keys(event, &mut masked_strings);
        } else {
            for key_end in KEY_ENDS.iter() {
                self.search_plain_keys(event, key_end, &mut masked_strings);
            }
        }
        if masked_strings.is_empty() {
            return Cow::Borrowed(event);
        }
        Cow::Owned(replace(event, masked_strings))
    }

    /// Finds the secrets in members whose keys are spelled without escapes.
    ///
    /// In JSON, only the quote that ends a key has a letter before it and a colon after it. So the search
    /// need not read the other tokens.
    fn search_plain_keys(
        &self,
        event: &[u8],
        key_end: &Finder<'_>,
        masked_strings: &mut Vec<MaskedString>,
    ) {
        let mut at = 0;
        while let Some(found) = event.get(at..).and_then(|rest| key_end.find(rest)) {
            let end = at + found + key_end.needle().len();
            at = match value_after(event, end) {
                Some(start) if ends_with_member(event, end) => {
                    self.search_value(event, start, masked_strings)
                }
                _ => end,
            };
        }
    }

    /// Finds the secrets in members whose keys are spelled in any way.
    fn search_all_keys(&self, event: &[u8], masked_strings: &mut Vec<MaskedString>) {
        let mut at = 0;
        while let Some((end, text)) = next_string(event, at) {
            at = match value_after(event, end) {
                Some(start) if MEMBERS.contains(&text.bytes().as_ref()) => {
                    self.search_value(event, start, masked_strings)
                }
                _ => end,
            };
        }
    }

    /// Finds the secrets in the value at `start`: a string, or all strings of an array or object. Returns
    /// the end of the value.
    fn search_value(
        &self,
        event: &[u8],
        start: usize,
        masked_strings: &mut Vec<MaskedString>,
    ) -> usize {
        let mut scanner = Scanner::new(event.get(start..).unwrap_or_default(), usize::MAX);
        let mut depth = 0_usize;
        while let Some(byte) = scanner.peek() {
            match byte {
                b'"' => {
                    let Ok(text) = scanner.string() else {
                        break;
                    };
                    let range = start + text.at..start + scanner.at();
                    let is_key = depth > 0 && value_after(event, range.end).is_some();
                    if !is_key && let Some(json) = self.masked(text) {
                        masked_strings.push(MaskedString { range, json });
                    }
                }
                b'{' | b'[' => {
                    depth += 1;
                    scanner.step();
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    scanner.step();
                }
                _ => scanner.step(),
            }
            if depth == 0 {
                break;
            }
        }
        start + scanner.at()
    }

    /// Returns the JSON of a URL with its secrets masked. `None` if the URL has no secrets.
    fn masked(&self, text: RawText<'_>) -> Option<String> {
        if !text.has_escapes && memchr::memchr3(b'=', b'%', b'@', text.raw).is_none() {
            return None;
        }
        if let Some(url) = text.decode() {
            return self.names.masked(&url).map(json_of);
        }
        // The URL is not Unicode, so other programs can read it in another way. It loses its query.
        let head = RawText {
            raw: without_query(text.raw),
            ..text
        };
        let url = String::from_utf8_lossy(&head.bytes()).into_owned();
        match self.names.masked(&url) {
            Some(masked) => Some(json_of(masked)),
            None if head.raw.len() < text.raw.len() => {
                Some(format!("\"{}\"", String::from_utf8_lossy(head.raw)))
            }
            None => None,
        }
    }
}

fn check_name(name: &str) -> Result<(), MaskNameError> {
    let is_invalid = |character: &char| character.is_control() || "=&#;?".contains(*character);
    if let Some(character) = name.chars().find(is_invalid) {
        return Err(MaskNameError::Character {
            name: name.to_owned(),
            character,
        });
    }
    if normalised(name).is_empty() || name.chars().nth(MAX_NAME_CHARS).is_some() {
        return Err(MaskNameError::Length {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// Returns true if the key of a URL may be spelled with an escape.
fn may_escape_keys(event: &[u8]) -> bool {
    memchr::memchr(b'\\', event).is_some_and(|at| {
        let from_escape = event.get(at..).unwrap_or_default();
        let mut escapes = LETTER_ESCAPES.iter();
        escapes.any(|escape| escape.find(from_escape).is_some())
    })
}

/// Returns true if a key of a URL ends at `end`, after its closing quote.
fn ends_with_member(event: &[u8], end: usize) -> bool {
    let up_to_end = event.get(..end).and_then(|text| text.strip_suffix(b"\""));
    up_to_end.is_some_and(|text| {
        MEMBERS.iter().any(|member| {
            let before = text.strip_suffix(*member);
            let before = before.and_then(|text| text.strip_suffix(b"\""));
            // A quote after a backslash is a part of a longer key.
            before.is_some_and(|text| !text.ends_with(b"\\"))
        })
    })
}

/// Returns the start of the value after a key that ends at `end`. `None` if there is no colon.
fn value_after(event: &[u8], end: usize) -> Option<usize> {
    let rest = event.get(end..)?;
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let skip = |from: usize| {
        let rest = rest.get(from..)?;
        Some(from + rest.iter().position(|byte| !is_space(byte))?)
    };
    let colon = skip(0)?;
    if rest.get(colon) != Some(&b':') {
        return None;
    }
    Some(end + skip(colon + 1)?)
}

/// Returns the next string at or after `at`, and its end.
fn next_string(event: &[u8], at: usize) -> Option<(usize, RawText<'_>)> {
    let rest = event.get(at..)?;
    let quote = memchr::memchr(b'"', rest)?;
    let start = at + quote;
    let mut scanner = Scanner::new(event.get(start..)?, usize::MAX);
    let text = scanner.string().ok()?;
    Some((start + scanner.at(), text))
}

/// Returns the bytes before the first question mark or number sign, which may be escaped.
fn without_query(raw: &[u8]) -> &[u8] {
    let mut rest = raw;
    while let Some(at) = memchr::memchr3(b'?', b'#', b'\\', rest) {
        let found = rest.get(at..).unwrap_or_default();
        rest = match found {
            [b'?' | b'#', ..]
            | [b'\\', b'u', b'0', b'0', b'3', b'f' | b'F', ..]
            | [b'\\', b'u', b'0', b'0', b'2', b'3', ..] => {
                return raw.get(..raw.len() - found.len()).unwrap_or_default();
            }
            // An escape: the byte after the backslash never begins another one.
            [_, _, after @ ..] => after,
            _ => break,
        };
    }
    raw
}

/// Returns a text as JSON.
fn json_of(text: String) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns `event` with the masked strings.
fn replace(event: &[u8], mut masked_strings: Vec<MaskedString>) -> Vec<u8> {
    // A member can be inside of another one, so a string can be there twice.
    masked_strings.sort_unstable_by_key(|masked| masked.range.start);
    let mut out = Vec::with_capacity(event.len() + 64);
    let mut at = 0;
    for masked in masked_strings {
        if masked.range.start < at {
            continue;
        }
        out.extend_from_slice(event.get(at..masked.range.start).unwrap_or_default());
        out.extend_from_slice(masked.json.as_bytes());
        at = masked.range.end;
    }
    out.extend_from_slice(event.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
