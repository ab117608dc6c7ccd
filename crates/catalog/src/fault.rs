//! Faults: why an input is rejected.
//!
//! A fault is made in two steps. The parser returns a [`Flaw`], which is cheap and knows only a byte
//! position. `in_input` then looks up line, column and JSON pointer.

use std::borrow::Cow;

use thiserror::Error;

use crate::Place;
use crate::fault_code::FaultCode;
use crate::flaw::Flaw;

/// The reason why an input is not an event, a batch or JSON, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}, at {at}")]
pub struct Fault {
    /// The kind of fault.
    pub code: FaultCode,
    /// The place in the input.
    pub at: Place,
    message: Cow<'static, str>,
}

impl Fault {
    /// Returns the description, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Flaw {
    /// Looks up the place. `input` must be the input in which the flaw was found.
    pub(crate) fn in_input(self, input: &[u8]) -> Fault {
        Fault {
            code: self.code,
            at: Place::find(input, self.byte),
            message: self.message,
        }
    }
}
