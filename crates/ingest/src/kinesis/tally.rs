//! Counts the records of a call without storing the call.
//!
//! A call without room must still be answered record by record. So it is read in chunks, and a small
//! state machine counts the elements of the member `Records`. For valid JSON the count is correct. For
//! other input it can be wrong, which does no harm: nothing of the call is stored, and the answer says
//! so.

use sha2::{Digest, Sha256};

use super::error::KinesisError;
use crate::Intake;
use crate::body::Unread;
use crate::sigv4::Signed;

const RECORDS: &[u8] = b"Records";

/// The state machine that counts the elements of `Records`.
#[derive(Default)]
pub(super) struct RecordTally {
    place: TallyPosition,
    /// The number of open objects and arrays.
    depth: usize,
    /// The rest of `Records` that the last string still needs. `None` if the string is another one.
    lacking: Option<&'static [u8]>,
    elements: ElementsPosition,
    count: usize,
}

#[derive(Clone, Copy, Default)]
enum TallyPosition {
    /// Before the object.
    #[default]
    Before,
    /// In the object, but in no string.
    Between,
    InString,
    InEscape,
    /// After a value that is not an object.
    Lost,
}

/// The position relative to the elements of `Records`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ElementsPosition {
    /// Outside `Records`.
    #[default]
    Elsewhere,
    /// In `Records`, before an element.
    Next,
    /// In `Records`, in an element.
    Begun,
}

impl RecordTally {
    /// Reads a whole call and counts its records. Rejects it if the signature is required and wrong.
    pub(super) async fn take(
        unread: Unread,
        signed: Option<&Signed>,
    ) -> Result<Self, KinesisError> {
        let (mut tally, mut hash) = (Self::default(), Sha256::new());
        let on_chunk = |chunk: &[u8]| {
            hash.update(chunk);
            tally.follow(chunk);
        };
        unread.drain(on_chunk).await?;
        if let Some(signed) = signed {
            signed.verify_hashed(hash)?;
        }
        Ok(tally)
    }

    /// Returns the number of records. `None` if the call is incomplete, empty or too large.
    pub(super) fn count(&self) -> Option<usize> {
        let is_complete = matches!(self.place, TallyPosition::Between) && self.depth == 0;
        (is_complete && (1..=Intake::MAX_EVENTS).contains(&self.count)).then_some(self.count)
    }

    fn follow(&mut self, chunk: &[u8]) {
        for byte in chunk {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        match (self.place, byte) {
            (TallyPosition::Lost, _)
            | (TallyPosition::Before | TallyPosition::Between, b' ' | b'\n' | b'\r' | b'\t') => (),
            (TallyPosition::Before, b'{') => {
                self.place = TallyPosition::Between;
                self.depth = 1;
            }
            (TallyPosition::Before, _) => self.place = TallyPosition::Lost,
            (TallyPosition::Between, token) => self.token(token),
            (TallyPosition::InString, b'"') => self.place = TallyPosition::Between,
            (TallyPosition::InString, b'\\') => {
                self.place = TallyPosition::InEscape;
                self.lacking = None;
            }
            (TallyPosition::InString, letter) => {
                self.lacking = self.lacking.and_then(|rest| rest.strip_prefix(&[letter]));
            }
            (TallyPosition::InEscape, _) => self.place = TallyPosition::InString,
        }
    }

    fn token(&mut self, token: u8) {
        match (self.elements, self.depth, token) {
            (ElementsPosition::Next | ElementsPosition::Begun, 2, b']') => {
                self.elements = ElementsPosition::Elsewhere;
            }
            (ElementsPosition::Begun, 2, b',') => self.elements = ElementsPosition::Next,
            (ElementsPosition::Next, _, _) => {
                self.elements = ElementsPosition::Begun;
                self.count += 1;
            }
            // In valid JSON, this array is the value of the last key.
            (ElementsPosition::Elsewhere, 1, b'[') if self.lacking == Some(b"") => {
                self.elements = ElementsPosition::Next;
            }
            (ElementsPosition::Elsewhere | ElementsPosition::Begun, _, _) => (),
        }
        match token {
            b'"' => {
                self.place = TallyPosition::InString;
                self.lacking = Some(RECORDS);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests;
