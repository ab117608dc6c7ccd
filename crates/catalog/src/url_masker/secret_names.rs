//! Finds secrets in a URL.
//!
//! A URL from a browser or a client can have a parameter in many spellings. All of these are
//! searched, and a value that may be a secret is masked:
//!
//! - A parameter can be in the query, in the fragment, or after a semicolon in the path.
//! - `&`, `;` and the HTML spelling `&amp;` separate parameters.
//! - A name can have percent escapes, brackets as in `token[]` and `user[token]`, or a path before its
//!   last part as in `#/token`.
//! - The value of a parameter can be a URL with a query of its own, with any number of percent
//!   escapes.

use std::borrow::Cow;
use std::ops::Range;

use super::percent_level::PercentLevel;

/// The text that replaces a secret.
const MASK: &str = "masked";
/// The maximum number of times that percent escapes are decoded. If escapes are left after that, all
/// of them are masked. Also the maximum number of times that a URL is masked again.
const MAX_LEVELS: usize = 8;
/// The characters that separate the parts of a name.
const PART_SEPARATORS: [char; 13] = [
    '/', '[', ']', '(', ')', '{', '}', '<', '>', '!', ',', '|', '"',
];

/// The names of parameters whose values are secrets. They are normalised, sorted and unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretNames(Vec<String>);

/// Where a parameter is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ParameterPlace {
    /// In the path, where a name is not searched for parts: `/token=x` is only a part of the path.
    Path,
    /// In the query, in the fragment, or after a semicolon.
    Query,
}

impl SecretNames {
    pub(super) fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let names = names.into_iter();
        let mut names: Vec<_> = names
            .map(|name| normalised(name.as_ref()).to_lowercase())
            .collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    /// Returns the URL with its secrets masked. `None` if the URL has no secrets.
    pub(super) fn masked(&self, url: &str) -> Option<String> {
        let mut masked = self.masked_once(url)?;
        // A mask can replace the separator that ended another secret, so that secret is longer now.
        for _ in 0..MAX_LEVELS {
            match self.masked_once(&masked) {
                Some(masked_again) => masked = masked_again,
                None => break,
            }
        }
        Some(masked)
    }

    fn masked_once(&self, url: &str) -> Option<String> {
        let mut secrets = self.secrets(url.as_bytes());
        if secrets.is_empty() {
            return None;
        }
        secrets.sort_unstable_by_key(|secret| secret.start);
        let mut masked = String::with_capacity(url.len() + MASK.len());
        let mut end = None;
        for secret in secrets {
            // Secrets can overlap. They are masked as one.
            if end.is_none_or(|end| secret.start > end) {
                masked.push_str(url.get(end.unwrap_or(0)..secret.start).unwrap_or_default());
                masked.push_str(MASK);
            }
            end = std::cmp::max(end, Some(secret.end));
        }
        masked.push_str(url.get(end.unwrap_or(0)..).unwrap_or_default());
        (masked != url).then_some(masked)
    }

    /// Returns the ranges of the secrets, in any order.
    fn secrets(&self, url: &[u8]) -> Vec<Range<usize>> {
        let mut secrets = Vec::new();
        let is_start_of_query = |byte: &u8| matches!(byte, b'?' | b'#');
        let path_end = url.iter().position(is_start_of_query);
        let path_end = path_end.unwrap_or(url.len());
        self.search(url, 0..path_end, ParameterPlace::Path, &mut secrets);
        let mut start = path_end + 1;
        while let Some(rest) = url.get(start..) {
            let range = start..start + value_length(rest);
            start = range.end + 1;
            self.search(url, range, ParameterPlace::Query, &mut secrets);
        }
        secrets
    }

    /// Finds the secrets in a part of the URL.
    fn search(
        &self,
        url: &[u8],
        part: Range<usize>,
        place: ParameterPlace,
        secrets: &mut Vec<Range<usize>>,
    ) {
        let text = url.get(part.clone()).unwrap_or_default();
        let mut level = PercentLevel::original(text);
        for _ in 0..MAX_LEVELS {
            let mut add = |secret: Range<usize>| {
                let original = |at| part.start + level.place(at);
                secrets.push(original(secret.start)..original(secret.end));
            };
            self.parameters(level.text(), place, &mut add);
            passwords(level.text(), &mut add);
            match level.decoded() {
                Some(decoded) => level = decoded,
                None => return,
            }
        }
        if let Some(escape) = memchr::memchr(b'%', text) {
            secrets.push(part.start + escape..part.end);
        }
    }

    /// Calls `add` with the values of secret parameters.
    fn parameters(
        &self,
        text: &[u8],
        mut place: ParameterPlace,
        add: &mut impl FnMut(Range<usize>),
    ) {
        let is_separator = |byte: &u8| matches!(byte, b'=' | b'&' | b'?' | b'#' | b';');
        let mut start = 0;
        while let Some(rest) = text.get(start..)
            && let Some(length) = rest.iter().position(is_separator)
        {
            let name = rest.get(..length).unwrap_or_default();
            let is_name = rest.get(length) == Some(&b'=');
            start += length + 1;
            if !is_name {
                place = ParameterPlace::Query;
            } else if self.is_secret(name, place) {
                let length = value_length(text.get(start..).unwrap_or_default());
                if length > 0 {
                    add(start..start + length);
                }
                start += length;
            }
        }
    }

    /// Returns true if a parameter of this name has a secret value.
    fn is_secret(&self, name: &[u8], place: ParameterPlace) -> bool {
        // Most names need no normalisation.
        if name.iter().copied().all(is_plain) {
            return self.has_ascii(name);
        }
        let name = String::from_utf8_lossy(name);
        let name = normalised(&name);
        let mut parts = name.split(PART_SEPARATORS);
        self.has(&name) || place == ParameterPlace::Query && parts.any(|part| self.has(part))
    }

    fn has(&self, name: &str) -> bool {
        if name.is_ascii() {
            self.has_ascii(name.as_bytes())
        } else {
            self.0.contains(&name.to_lowercase())
        }
    }

    fn has_ascii(&self, name: &[u8]) -> bool {
        let mut secrets = self.0.iter();
        secrets.any(|secret| secret.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Returns true for a byte that normalisation does not change and that separates no parts.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Removes white space, control characters and plus signs. A plus sign stands for a space.
pub(super) fn normalised(name: &str) -> Cow<'_, str> {
    let is_ignored =
        |character: char| character.is_whitespace() || character.is_control() || character == '+';
    if name.contains(is_ignored) {
        Cow::Owned(name.replace(is_ignored, ""))
    } else {
        Cow::Borrowed(name)
    }
}

/// Returns the length of the value that `text` begins with. A semicolon can be a part of a value.
fn value_length(text: &[u8]) -> usize {
    memchr::memchr2(b'&', b'#', text).unwrap_or(text.len())
}

/// Calls `add` with each password between two slashes and a host. A user name without a password can be
/// a token, so it counts as a password.
fn passwords(text: &[u8], add: &mut impl FnMut(Range<usize>)) {
    if memchr::memchr(b'@', text).is_none() {
        return;
    }
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let is_end = |byte: &u8| is_slash(byte) || matches!(byte, b'?' | b'#');
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(slashes) = rest
            .windows(2)
            .position(|window| window.iter().all(is_slash))
    {
        let start = at + slashes + 2;
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        // The second slash can be the first one of another pair.
        at = if length == 0 {
            start - 1
        } else {
            start + length
        };
        let host = rest.get(..length).unwrap_or_default();
        let Some(user_end) = memchr::memrchr(b'@', host) else {
            continue;
        };
        let user = host.get(..user_end).unwrap_or_default();
        let colon = memchr::memchr(b':', user).unwrap_or(user.len());
        let secret = if colon + 1 < user.len() {
            colon + 1..user.len()
        } else {
            0..colon
        };
        if !secret.is_empty() {
            add(start + secret.start..start + secret.end);
        }
    }
}
