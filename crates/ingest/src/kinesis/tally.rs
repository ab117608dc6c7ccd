//! How many records a call brings, told without keeping the call.
//!
//! A call that found no room has to be answered record by record all the same. It goes by piece
//! by piece, and just enough of its JSON is followed to count the elements of the member
//! `Records`. For a call that is JSON the count is right. For one that is not it may be anything:
//! nothing of the call is stored, and the sender is told so in any case.

use sha2::{Digest, Sha256};

use super::error::KinesisError;
use crate::Intake;
use crate::body::Unread;
use crate::sigv4::Signed;

const RECORDS: &[u8] = b"Records";

/// A count of the elements of `Records`, after some bytes of a call.
#[derive(Default)]
pub(super) struct RecordTally {
    place: TallyPosition,
    /// Objects and arrays open.
    depth: usize,
    /// What the string read last lacks to be `Records`; `None` when it is another one.
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
    /// After what is no object.
    Lost,
}

/// Where the elements of `Records` are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ElementsPosition {
    /// Not here.
    #[default]
    Elsewhere,
    /// Here, and what comes next begins one.
    Next,
    /// Here, and one is begun.
    Begun,
}

impl RecordTally {
    /// Lets a call go by, of which the signature must be right if one is asked for.
    pub(super) async fn take(
        unread: Unread,
        signed: Option<&Signed>,
    ) -> Result<Self, KinesisError> {
        let (mut tally, mut hash) = (Self::default(), Sha256::new());
        let look = |piece: &[u8]| {
            hash.update(piece);
            tally.follow(piece);
        };
        unread.pass(look).await?;
        if let Some(signed) = signed {
            signed.verify_hashed(hash)?;
        }
        Ok(tally)
    }

    /// The number of records, if it is one that a whole call may bring.
    pub(super) fn count(&self) -> Option<usize> {
        let whole = matches!(self.place, TallyPosition::Between) && self.depth == 0;
        (whole && (1..=Intake::MAX_EVENTS).contains(&self.count)).then_some(self.count)
    }

    fn follow(&mut self, piece: &[u8]) {
        for byte in piece {
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
                self.elements = ElementsPosition::Elsewhere
            }
            (ElementsPosition::Begun, 2, b',') => self.elements = ElementsPosition::Next,
            (ElementsPosition::Next, _, _) => {
                self.elements = ElementsPosition::Begun;
                self.count += 1;
            }
            // In JSON, an array that begins here is the value of the key just read.
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
