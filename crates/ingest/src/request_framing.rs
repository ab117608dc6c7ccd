//! How the events of a request are told apart.

use std::mem;
use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use easel_catalog::{
    Fault, Limits, NotUtf8Text, Place, admit, split_array, split_lines, without_bom,
};
use easel_log::NewRecord;
use thiserror::Error;
use uuid::Uuid;

use crate::Intake;
use crate::body_part::{BodyPart, range_of};
use crate::record::record;

/// How the events of a request are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFraming {
    /// One event, or an array of them.
    Json,
    /// One event on each line that is not blank.
    Lines,
}

impl RequestFraming {
    /// The frame that the content type names, JSON when there is none; `None` for other types.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
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

    /// Takes a request apart: where in `input` each event, or change, is.
    pub(crate) fn parts(
        self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Vec<Range<usize>>, FrameError> {
        const MAX: usize = Intake::MAX_EVENTS;
        let text = without_bom(input)?;
        let first = text.trim_ascii_start().first().ok_or(FrameError::Empty)?;
        let range = |part| range_of(input, part);
        // One more than the bound shows that it is passed; the rest is not even looked for.
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

/// The events of a request, and what is to be answered about each of its parts, in order.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) events: Vec<NewRecord>,
    /// The id of an event, or why the part is none.
    pub(crate) verdicts: Vec<Result<Uuid, Fault>>,
}

impl Admitted {
    /// Admits the `parts` of `body`. The place of a fault is its place in the body, but its path
    /// starts at the event.
    pub(crate) fn new(mut body: Vec<u8>, parts: Vec<Range<usize>>, limits: &Limits) -> Self {
        let mut locator = Locator::new(&body);
        // Not as large as all parts would need: perhaps none of them is an event.
        let mut events: Vec<(NewRecord, BodyPart)> = Vec::new();
        let mut verdicts = Vec::with_capacity(parts.len());
        for range in parts {
            let part = body.get(range.clone()).unwrap_or_default();
            verdicts.push(match admit(part, limits) {
                Ok(mut event) => {
                    if event.bytes.len() < part.len() {
                        // Counts lines while they are as they were sent.
                        locator.walk_to(&body, range.end);
                    }
                    let bytes = mem::take(&mut event.bytes);
                    let piece = BodyPart::write(&mut body, range, bytes);
                    let id = event.id;
                    let before = events.last().map(|(record, _piece)| record);
                    events.push((record(event, before), piece));
                    Ok(id)
                }
                Err(fault) => Err(locator.locate(&body, range.start, fault)),
            });
        }
        let body = Bytes::from(body);
        let event = |(record, piece): (NewRecord, BodyPart)| NewRecord {
            bytes: piece.bytes(&body),
            ..record
        };
        Self {
            events: events.into_iter().map(event).collect(),
            verdicts,
        }
    }
}

/// A fault of `text`, with its place in the `input` that the text is the end of.
fn after_bom(input: &[u8], text: &[u8], mut fault: Fault) -> Fault {
    fault.at.byte += input.len() - text.len();
    fault
}

/// Whether a text, in quotes or not, is a JSON Web Token: three parts in base64url.
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
    // A JSON object in base64url, such as a header, begins so.
    bare.starts_with(b"e")
        && bare.split(|byte| *byte == b'.').count() == 3
        && bare.split(|byte| *byte == b'.').all(is_base64url)
}

/// Why a request is not understood as a whole.
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
        "the body is a JWT, which is for the route `/v1/hooks` of a later version; send the event \
         itself as JSON"
    )]
    Jwt,
    #[error("the body brings more than {max} events")]
    TooMany { max: usize },
    #[error("{fault}")]
    BadArray {
        #[from]
        fault: Fault,
    },
}

/// Finds the place of a fault in the request, which its event is a part of.
///
/// Walks the request once for any number of faults, given that they come in order.
struct Locator {
    byte: usize,
    line: usize,
    column: usize,
}

impl Locator {
    /// Starts at the first character of `body`. A byte order mark is none.
    fn new(body: &[u8]) -> Self {
        let text = without_bom(body).unwrap_or(body);
        Self {
            byte: range_of(body, text).start,
            line: 1,
            column: 1,
        }
    }

    /// `fault` was found in the part of `body` that begins at `start`.
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
        // Every character has exactly one byte that does not continue another.
        let begins_character = |passed: &&u8| **passed & 0xc0 != 0x80;
        self.column += on_last_line.iter().filter(begins_character).count();
        self.byte = byte;
    }
}

#[cfg(test)]
mod tests;
