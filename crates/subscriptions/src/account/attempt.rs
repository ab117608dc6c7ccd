//! One past attempt to deliver an event.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One past attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When the attempt began, in milliseconds since 1970.
    pub at_millis: i64,
    /// How many milliseconds the attempt took.
    pub took_millis: u32,
    /// The HTTP status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// `delivered`, or the name of the failure.
    pub outcome: Cow<'static, str>,
}

impl Attempt {
    /// The outcome of an attempt that succeeded.
    pub const DELIVERED: &'static str = "delivered";

    /// Returns when the attempt began.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at_millis).unwrap_or_default()
    }
}
