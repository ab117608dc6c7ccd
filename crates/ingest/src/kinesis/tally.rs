//! Counts the records of a call without storing the call.
//!
//! A call without room must still be answered record by record. So it is read in chunks, and a small
//! state machine counts the elements of the member `Records`. For a valid call the count is correct. For
//! other input it can be wrong, which does no harm: nothing of the call is stored, and the answer says
//! so.

mod cbor;
mod json;

use sha2::{Digest, Sha256};

use super::error::KinesisError;
use super::format::KinesisFormat;
use crate::Intake;
use crate::body::Unread;
use crate::sigv4::Signed;

use cbor::CborTally;
use json::JsonTally;

/// The state machine for the format of the call.
pub(super) enum RecordTally {
    Json(JsonTally),
    Cbor(CborTally),
}

impl RecordTally {
    fn new(format: KinesisFormat) -> Self {
        match format {
            KinesisFormat::Json => Self::Json(JsonTally::default()),
            KinesisFormat::Cbor => Self::Cbor(CborTally::default()),
        }
    }

    /// Reads a whole call and counts its records. Rejects it if the signature is required and wrong.
    pub(super) async fn from_unread(
        unread: Unread,
        format: KinesisFormat,
        signed: Option<&Signed>,
    ) -> Result<Self, KinesisError> {
        let (mut tally, mut hash) = (Self::new(format), Sha256::new());
        let on_chunk = |chunk: &[u8]| {
            hash.update(chunk);
            tally.add_chunk(chunk);
        };
        unread.drain(on_chunk).await?;
        if let Some(signed) = signed {
            signed.verify_hashed(hash)?;
        }
        Ok(tally)
    }

    /// Returns the number of records. `None` if the call is incomplete, empty or too large.
    pub(super) fn count(&self) -> Option<usize> {
        let count = match self {
            Self::Json(tally) => tally.count(),
            Self::Cbor(tally) => tally.count(),
        };
        count.filter(|count| (1..=Intake::MAX_EVENTS).contains(count))
    }

    fn add_chunk(&mut self, chunk: &[u8]) {
        match self {
            Self::Json(tally) => tally.add_chunk(chunk),
            Self::Cbor(tally) => tally.add_chunk(chunk),
        }
    }
}

#[cfg(test)]
mod tests;
