//! Splits the body of a request into events.

use std::mem;
use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use easel_catalog::{
    Fault, Limits, NotUtf8Text, Place, Reach, admit, split_array, split_lines, without_bom,
};
use easel_log::NewRecord;
use thiserror::Error;
use uuid::Uuid;

use crate::Intake;
use crate::body_part::{BodyPart, range_of};
use crate::record::to_record;

/// The format of a body with several events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFraming {
    /// One event, or an array of events.
    Json,
    /// One event on each line that is not blank.
    Lines,
}

impl RequestFraming {
    /// Reads the framing from the content type. JSON if there is none, `None` for an unknown type.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let Some(content_type) = headers.get(CONTENT_TYPE) else {
            return Some(Self::Json);
        };
        let media_type = content_type.to_str().ok()?.split(';').next()?.trim();
        match media_type.to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/jsonlines"
            | "application/x-jsonlines" => Some(Self::Lines),
            _ => None,
        }
    }

    /// Returns the range of each event or change in `input`.
    pub(crate) fn parts(
        self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Vec<Range<usize>>, FrameError> {
        const MAX: usize = Intake::MAX_EVENTS;
        let text = without_bom(input)?;
        let first = text.trim_ascii_start().first().ok_or(FrameError::Empty)?;
        let range = |part| range_of(input, part);
        // One part more than the limit is enough to reject the request. The rest is not parsed.
        let parts: Vec<Range<usize>> = match (self, first) {
            (Self::Lines, _) => split_lines(text)
                .map(|(_number, line)| range(line))
                .take(MAX + 1)
                .collect(),
            (Self::Json, b'[') => split_array(text, limits)
                .map(|element| {
                    element
                        .map(range)
                        .map_err(|fault| after_bom(input, text, fault))
                })
                .take(MAX + 1)
                .collect::<Result<_, _>>()?,
            (Self::Json, _) => vec![range(text)],
        };
        if parts.len() > MAX {
            return Err(FrameError::TooMany { max: MAX });
        }
        let mut texts = parts.iter().filter_map(|part| input.get(part.clone()));
        if !parts.is_empty() && texts.all(is_jwt) {
            return Err(FrameError::Jwt);
        }
        Ok(parts)
    }
}

/// The valid events of a request, and the verdict on each of its parts, in order.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) events: Vec<NewRecord>,
    /// For each part: the id of the event, or the fault.
    pub(crate) verdicts: Vec<Result<Uuid, Fault>>,
}

impl Admitted {
    /// Validates the `parts` of `body`, which a sender with this reach sent. The place of a fault is its place in the body, but its path
    /// starts at the event.
    pub(crate) fn new(
        mut body: Vec<u8>,
        parts: Vec<Range<usize>>,
        (limits, reach): (&Limits, &Reach),
    ) -> Self {
        let mut locator = Locator::new(&body);
        // No capacity for all parts: perhaps no part is an event.
        let mut events: Vec<(NewRecord, BodyPart)> = Vec::new();
        let mut verdicts = Vec::with_capacity(parts.len());
        for range in parts {
            let part = body.get(range.clone()).unwrap_or_default();
            let admitted = admit(part, limits).and_then(|event| event.confine(reach, part));
            verdicts.push(match admitted {
                Ok(mut event) => {
                    if event.bytes.len() < part.len() {
                        // Count the lines before they are overwritten.
                        locator.walk_to(&body, range.end);
                    }
                    let bytes = mem::take(&mut event.bytes);
                    let written = BodyPart::write(&mut body, range, bytes);
                    let id = event.id;
                    let previous = events.last().map(|(record, _written)| record);
                    events.push((to_record(event, previous), written));
                    Ok(id)
                }
                Err(fault) => Err(locator.locate(&body, range.start, fault)),
            });
        }
        let body = Bytes::from(body);
        let event = |(record, written): (NewRecord, BodyPart)| NewRecord {
            bytes: written.bytes(&body),
            ..record
        };
        Self {
            events: events.into_iter().map(event).collect(),
            verdicts,
        }
    }
}

/// Converts the place of a fault in `text` to a place in `input`, which is `text` after a BOM.
fn after_bom(input: &[u8], text: &[u8], mut fault: Fault) -> Fault {
    fault.at.byte += input.len() - text.len();
    fault
}

/// Returns whether a text, quoted or not, is a JSON Web Token: three parts in base64url.
fn is_jwt(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let bare = text
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""))
        .unwrap_or(text);
    let is_base64url = |part: &[u8]| {
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !part.is_empty() && part.iter().all(is_letter)
    };
    // The header of a JWT is a JSON object. In base64url, it starts with `e`.
    bare.starts_with(b"e")
        && bare.split(|byte| *byte == b'.').count() == 3
        && bare.split(|byte| *byte == b'.').all(is_base64url)
}

/// An error that rejects the whole body.
#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("the body is empty")]
    Empty,
    #[error("{source}")]
    Encoding {
        #[from]
        source: NotUtf8Text,
    },
    #[error(
        "the body is a JWT; a hosted Canvas sends JWTs to `/v1/hooks/{{source}}`, and this route accepts \
         events as JSON"
    )]
    Jwt,
    #[error("the body has more than {max} events")]
    TooMany { max: usize },
    #[error("{fault}")]
    BadArray {
        #[from]
        fault: Fault,
    },
}

/// Converts the place of a fault in an event to a place in the request.
///
/// Walks through the request once for any number of faults. They must come in order.
struct Locator {
    byte: usize,
    line: usize,
    column: usize,
}

impl Locator {
    /// Starts at the first character of `body`, after a byte order mark.
    fn new(body: &[u8]) -> Self {
        let text = without_bom(body).unwrap_or(body);
        Self {
            byte: range_of(body, text).start,
            line: 1,
            column: 1,
        }
    }

    /// Converts the place of a fault in the part of `body` that begins at `start`.
    fn locate(&mut self, body: &[u8], start: usize, mut fault: Fault) -> Fault {
        self.walk_to(body, start);
        let Place {
            byte, line, column, ..
        } = &mut fault.at;
        *byte += self.byte;
        if *line == 1 {
            *column += self.column - 1;
        }
        *line += self.line - 1;
        fault
    }

    fn walk_to(&mut self, body: &[u8], byte: usize) {
        let passed = body.get(self.byte..byte).unwrap_or_default();
        let on_last_line = match memchr::memrchr(b'\n', passed) {
            Some(end) => {
                self.line += memchr::memchr_iter(b'\n', passed).count();
                self.column = 1;
                passed.get(end + 1..).unwrap_or_default()
            }
            None => passed,
        };
        // In UTF-8, every character has exactly one byte that is not a continuation byte.
        let begins_character = |passed: &&u8| **passed & 0xc0 != 0x80;
        self.column += on_last_line.iter().filter(begins_character).count();
        self.byte = byte;
    }
}

#[cfg(test)]
mod tests;
