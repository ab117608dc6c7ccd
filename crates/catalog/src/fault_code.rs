//! The kinds of fault, each with a stable code.

use std::fmt;

/// The kinds of fault. Each has a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultCode {
    /// The input is empty or has only white space.
    Empty,
    /// The input has more bytes than allowed.
    TooLarge,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The text is not JSON.
    Syntax,
    /// Objects and arrays are nested more deeply than allowed.
    TooDeep,
    /// The input has data after the end of the JSON value.
    TrailingData,
    /// The event or envelope is not an object.
    NotAnObject,
    /// The batch is not an array.
    NotAnArray,
    /// A key appears twice in an object whose keys must differ.
    DuplicateKey,
    /// The event has both `metadata` and `attributes`.
    TwoSpellings,
    /// The event has neither `metadata` nor `attributes`.
    MissingMetadata,
    /// The metadata is not an object.
    MetadataNotObject,
    /// The metadata has no `event_name`.
    MissingEventName,
    /// The `event_name` is not a string of 1 to 128 characters.
    BadEventName,
    /// The `event_name` begins with `easel.`, which is reserved for Easel itself.
    ReservedEventName,
    /// The metadata has no `event_time`, or the Caliper event has no `eventTime`.
    MissingEventTime,
    /// The `event_time` or `eventTime` is not a timestamp.
    BadEventTime,
    /// The event has no `body`.
    MissingBody,
    /// The `body` is not an object.
    BodyNotObject,
    /// The Caliper envelope has no `data`.
    MissingData,
    /// The `data` of a Caliper envelope is not an array with exactly one event.
    DataNotOneEvent,
    /// The Caliper event has no `type`, and no event name came with the message.
    MissingType,
    /// The `type` of the Caliper event does not name a type.
    BadType,
    /// The Caliper event has no `action`, and no event name came with the message.
    MissingAction,
    /// The `action` of the Caliper event does not name an action.
    BadAction,
    /// The event names a root account that its sender may not send events of.
    OutOfReach,
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
        Self::MissingData,
        Self::DataNotOneEvent,
        Self::MissingType,
        Self::BadType,
        Self::MissingAction,
        Self::BadAction,
        Self::OutOfReach,
    ];

    /// Returns the stable code, for programs.
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
            Self::MissingData => "missing_data",
            Self::DataNotOneEvent => "data_not_one_event",
            Self::MissingType => "missing_type",
            Self::BadType => "bad_type",
            Self::MissingAction => "missing_action",
            Self::BadAction => "bad_action",
            Self::OutOfReach => "out_of_reach",
        }
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
