//! A call of an operation that sends no records.

use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::error::KinesisError;
use super::format::KinesisFormat;

/// The body of a call, with its format. The answer has the same format.
#[derive(Debug)]
pub(super) struct KinesisCall {
    pub(super) format: KinesisFormat,
    pub(super) body: Vec<u8>,
}

impl KinesisCall {
    /// Parses the body.
    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, KinesisError> {
        self.format.parse(&self.body)
    }

    /// Returns the response.
    pub(super) fn answer(&self, answer: &impl Serialize) -> Result<Response, KinesisError> {
        self.format.answer(answer)
    }
}
