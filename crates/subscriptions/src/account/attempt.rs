//! One try to deliver an event, as it is remembered.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One try to deliver an event, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began, in milliseconds since 1970.
    pub at_millis: i64,
    /// How many milliseconds it took.
    pub took_millis: u32,
    /// The status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// `delivered`, or the name of the failure.
    pub outcome: Cow<'static, str>,
}

impl Attempt {
    /// The outcome of an attempt that succeeded.
    pub const DELIVERED: &'static str = "delivered";

    /// When it began.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at_millis).unwrap_or_default()
    }
}
