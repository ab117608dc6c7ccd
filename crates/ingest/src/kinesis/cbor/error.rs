//! The errors of invalid CBOR.

use std::fmt;

use thiserror::Error;

/// An error in a body.
#[derive(Debug, PartialEq, Eq, Error)]
pub(in crate::kinesis) enum CborError {
    #[error("invalid CBOR: {message} at byte {position}")]
    At { message: String, position: usize },
    #[error("{message}")]
    Unplaced { message: String },
}

impl CborError {
    pub(super) fn at(position: usize, message: &str) -> Self {
        Self::At {
            message: message.to_owned(),
            position,
        }
    }

    /// Adds the position, if the error has none.
    pub(super) fn or_at(self, position: usize) -> Self {
        match self {
            Self::At { .. } => self,
            Self::Unplaced { message } => Self::At { message, position },
        }
    }
}

impl serde::de::Error for CborError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Unplaced {
            message: message.to_string(),
        }
    }
}
