//! Removes the secrets of a webhook from the answers of its endpoint.
//!
//! An endpoint can repeat a request in its answer, for example on an error page. People read these answers, and
//! dead letters store them. So each secret becomes `…` before an answer is stored or shown.
//!
//! Promise: no secret of at least 6 bytes stays in the result. This includes a secret with the escapes of URLs,
//! JSON and HTML. It also includes a secret that the end of the body cuts. The limit is applied last, so that
//! it cuts no secret.
//!
//! Not here: a secret in another encoding, such as base64; an HTML escape with a rare name, such as `&plus;`;
//! and a part of a secret inside a body.

mod escapes;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use easel_keys::Secret;

use self::escapes::Unescaped;
use super::client::AnswerBody;

/// The minimum bytes of a secret. A shorter text is also an ordinary part of many answers.
const MIN_SECRET_BYTES: usize = 6;

const REPLACEMENT: &[u8] = "…".as_bytes();

/// The secrets to remove.
pub(super) struct Redaction(Vec<Needle>);

/// A secret, with the table of the algorithm by Knuth, Morris and Pratt. The search takes linear time for every
/// secret and answer. `memchr::memmem` finds neither occurrences that overlap nor the start of a secret at the
/// end of the text.
struct Needle {
    secret: Secret<Vec<u8>>,
    /// For each prefix of the secret: the length of its longest border. A border is both a proper prefix and a
    /// suffix.
    borders: Vec<usize>,
}

impl Redaction {
    /// Creates a redaction of these secrets. Ignores a secret with less than 6 bytes.
    pub(super) fn new(secrets: impl IntoIterator<Item = Secret<Vec<u8>>>) -> Self {
        let secrets = secrets.into_iter();
        let secrets = secrets.filter(|secret| secret.expose().len() >= MIN_SECRET_BYTES);
        Self(secrets.map(Needle::new).collect())
    }

    /// Returns at most `max_bytes` of a body without the secrets.
    pub(super) fn apply(&self, body: AnswerBody, max_bytes: usize) -> Bytes {
        let AnswerBody { mut bytes, is_cut } = body;
        if self.0.is_empty() {
            bytes.truncate(max_bytes);
            return bytes;
        }
        let min_tail_bytes = if is_cut {
            bytes.truncate(escapes::whole_bytes(&bytes));
            1
        } else {
            MIN_SECRET_BYTES
        };
        let mut found = Vec::new();
        for unescaped in Unescaped::all(&bytes) {
            for needle in &self.0 {
                needle.find(&unescaped, min_tail_bytes, &mut found);
            }
        }
        replaced(&bytes, found, max_bytes).into()
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").finish_non_exhaustive()
    }
}

impl Needle {
    fn new(secret: Secret<Vec<u8>>) -> Self {
        let mut needle = Self {
            borders: Vec::with_capacity(secret.expose().len()),
            secret,
        };
        let mut border = 0;
        for index in 0..needle.secret.expose().len() {
            if index > 0
                && let Some(byte) = needle.secret.expose().get(index)
            {
                border = needle.advance(border, *byte);
            }
            needle.borders.push(border);
        }
        needle
    }

    /// Returns how many bytes of the secret match after one more byte.
    fn advance(&self, mut matched: usize, byte: u8) -> usize {
        loop {
            if self.secret.expose().get(matched) == Some(&byte) {
                return matched + 1;
            }
            let border = matched.checked_sub(1);
            match border.and_then(|last| self.borders.get(last)) {
                Some(border) => matched = *border,
                None => return 0,
            }
        }
    }

    /// Adds the places of the secret. Adds the tail of the text too, if it is the start of the secret with at
    /// least `min_tail_bytes`.
    fn find(&self, text: &Unescaped, min_tail_bytes: usize, found: &mut Vec<Range<usize>>) {
        let length = self.secret.expose().len();
        let mut matched = 0;
        for (index, byte) in text.bytes().iter().enumerate() {
            matched = self.advance(matched, *byte);
            if matched == length {
                let end = index + 1;
                found.push(text.place(end - length..end));
            }
        }
        if matched >= min_tail_bytes {
            let end = text.bytes().len();
            found.push(text.place(end - matched..end));
        }
    }
}

/// Returns the first `max_bytes` of `source` with a replacement for each range.
fn replaced(source: &[u8], ranges: Vec<Range<usize>>, max_bytes: usize) -> Vec<u8> {
    let mut output = Vec::with_capacity(std::cmp::min(source.len(), max_bytes));
    let mut rest = 0;
    for Range { start, end } in merged(ranges) {
        output.extend_from_slice(source.get(rest..start).unwrap_or_default());
        if output.len() + REPLACEMENT.len() > max_bytes {
            output.truncate(max_bytes);
            return output;
        }
        output.extend_from_slice(REPLACEMENT);
        rest = end;
    }
    output.extend_from_slice(source.get(rest..).unwrap_or_default());
    output.truncate(max_bytes);
    output
}

/// Returns the ranges in order. Ranges that overlap or touch become one range.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = std::cmp::max(last.end, range.end),
            Some(_) | None => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
