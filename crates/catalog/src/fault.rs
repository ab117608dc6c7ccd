//! Why bytes are not an event.
//!
//! A fault is found in two steps: the reading code returns a [`Flaw`], which is cheap and knows
//! only a byte; lines, columns and pointers are looked up once there is somebody to tell.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::Place;

/// Why bytes are not an event, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}, at {at}")]
pub struct Fault {
    /// What kind of fault it is.
    pub code: FaultCode,
    /// Where it is in the bytes given.
    pub at: Place,
    message: Cow<'static, str>,
}

impl Fault {
    /// What is wrong, in words, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The kinds of fault, each with a code that does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultCode {
    /// There is nothing but white space.
    Empty,
    /// There are more bytes than allowed.
    TooLarge,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The text is not JSON.
    Syntax,
    /// More objects and arrays are open at once than allowed.
    TooDeep,
    /// Something follows the end of the JSON.
    TrailingData,
    /// The event is not an object.
    NotAnObject,
    /// The batch is not an array.
    NotAnArray,
    /// A key appears twice in an object whose keys must differ.
    DuplicateKey,
    /// There is a `metadata` and an `attributes`.
    TwoSpellings,
    /// There is neither a `metadata` nor an `attributes`.
    MissingMetadata,
    /// The metadata is not an object.
    MetadataNotObject,
    /// The metadata has no `event_name`.
    MissingEventName,
    /// The `event_name` is not a string of 1 to 128 characters.
    BadEventName,
    /// The `event_name` begins with `easel.`, as only those of Easel itself do.
    ReservedEventName,
    /// The metadata has no `event_time`.
    MissingEventTime,
    /// The `event_time` is not a timestamp.
    BadEventTime,
    /// There is no `body`.
    MissingBody,
    /// The `body` is not an object.
    BodyNotObject,
}

impl FaultCode {
    /// Every code.
    pub const ALL: &[Self] = &[
        Self::Empty,
        Self::TooLarge,
        Self::NotUtf8,
        Self::Syntax,
        Self::TooDeep,
        Self::TrailingData,
        Self::NotAnObject,
        Self::NotAnArray,
        Self::DuplicateKey,
        Self::TwoSpellings,
        Self::MissingMetadata,
        Self::MetadataNotObject,
        Self::MissingEventName,
        Self::BadEventName,
        Self::ReservedEventName,
        Self::MissingEventTime,
        Self::BadEventTime,
        Self::MissingBody,
        Self::BodyNotObject,
    ];

    /// The code that programs may rely on.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::Syntax => "syntax",
            Self::TooDeep => "too_deep",
            Self::TrailingData => "trailing_data",
            Self::NotAnObject => "not_an_object",
            Self::NotAnArray => "not_an_array",
            Self::DuplicateKey => "duplicate_key",
            Self::TwoSpellings => "two_spellings",
            Self::MissingMetadata => "missing_metadata",
            Self::MetadataNotObject => "metadata_not_object",
            Self::MissingEventName => "missing_event_name",
            Self::BadEventName => "bad_event_name",
            Self::ReservedEventName => "reserved_event_name",
            Self::MissingEventTime => "missing_event_time",
            Self::BadEventTime => "bad_event_time",
            Self::MissingBody => "missing_body",
            Self::BodyNotObject => "body_not_object",
        }
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fault whose place is only known as a byte.
#[derive(Debug)]
pub(crate) struct Flaw {
    code: FaultCode,
    byte: usize,
    message: Cow<'static, str>,
}

impl Flaw {
    pub(crate) fn new(code: FaultCode, byte: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            byte,
            message: message.into(),
        }
    }

    /// Looks up the place in the input the flaw was found in.
    pub(crate) fn in_input(self, input: &[u8]) -> Fault {
        Fault {
            code: self.code,
            at: Place::find(input, self.byte),
            message: self.message,
        }
    }
}
