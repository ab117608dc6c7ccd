//! How the events of a request are told apart.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use easel_catalog::{Event, Fault, Limits, Place, admit, split_array, split_lines};
use thiserror::Error;

use crate::Intake;

/// How the events of a request are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// One event, or an array of them.
    Json,
    /// One event on each line that is not blank.
    Lines,
}

impl Frame {
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

    /// Admits every event of `input`. The place of a fault is its place in `input`, but its path
    /// starts at the event.
    pub(crate) fn admit(
        self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Vec<Result<Event, Fault>>, FrameError> {
        let events = self.parts(input, limits)?;
        let mut locator = Locator::new(input);
        let admit = |event| admit(event, limits).map_err(|fault| locator.locate(event, fault));
        Ok(events.into_iter().map(admit).collect())
    }

    /// Takes a request apart: the bytes of each event, or change, of it.
    pub(crate) fn parts<'a>(
        self,
        input: &'a [u8],
        limits: &Limits,
    ) -> Result<Vec<&'a [u8]>, FrameError> {
        const MAX: usize = Intake::MAX_EVENTS;
        let first = input.trim_ascii_start().first().ok_or(FrameError::Empty)?;
        // One more than the bound shows that it is passed; the rest is not even looked for.
        let events: Vec<&[u8]> = match (self, first) {
            (Self::Lines, _) => split_lines(input)
                .map(|(_number, line)| line)
                .take(MAX + 1)
                .collect(),
            (Self::Json, b'[') => split_array(input, limits)
                .take(MAX + 1)
                .collect::<Result<_, _>>()?,
            (Self::Json, _) => vec![input],
        };
        if events.len() > MAX {
            return Err(FrameError::TooMany { max: MAX });
        }
        Ok(events)
    }
}

/// Why a request is not understood as a whole.
#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("the body is empty")]
    Empty,
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
struct Locator<'a> {
    input: &'a [u8],
    byte: usize,
    line: usize,
    column: usize,
}

impl<'a> Locator<'a> {
    const fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            byte: 0,
            line: 1,
            column: 1,
        }
    }

    /// `event` is the part of the input that `fault` was found in.
    fn locate(&mut self, event: &[u8], mut fault: Fault) -> Fault {
        self.walk_to(event.as_ptr().addr() - self.input.as_ptr().addr());
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

    fn walk_to(&mut self, byte: usize) {
        for passed in self.input.get(self.byte..byte).unwrap_or_default() {
            match passed {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                // Every character has exactly one byte that does not continue another.
                passed if passed & 0xc0 != 0x80 => self.column += 1,
                _ => (),
            }
        }
        self.byte = byte;
    }
}

#[cfg(test)]
mod tests;
