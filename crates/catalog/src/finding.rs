//! Differences between an event and the catalogue.

use std::fmt;

use crate::field::{Field, Kind};
use crate::mask::mask_key;
use crate::parse_timestamp;
use crate::scanner::Scanner;

/// A difference between an event and the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// The rule that the event breaks.
    pub rule: Rule,
    /// The class of the value that was found.
    pub found: ValueClass,
    /// The value that was found, as the event spells it. Empty for a missing field.
    pub value: &'a [u8],
    /// The byte position of the value in the event. For a missing field, the end of the object that should
    /// contain the field.
    pub at: usize,
    /// The field in the catalogue, if it is known.
    pub field: Option<&'a Field>,
    pub(crate) path: &'a ValuePath<'a>,
}

/// A rule of the check. Its name is that of the breach; its description says what a valid event
/// fulfils.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The catalogue has the event type.
    UnknownEventType,
    /// The catalogue has the field.
    UnknownField,
    /// A value has the declared kind.
    WrongType,
    /// An id is a string of digits.
    NotAnId,
    /// A local id does not contain a shard number.
    GlobalId,
    /// A timestamp has a valid format.
    NotATimestamp,
    /// A value is in the list of values.
    UnlistedValue,
    /// A value is in an open list, which has the values seen so far.
    NewValue,
    /// Only a nullable field is null.
    Null,
    /// A required field is present.
    Missing,
    /// A text is not longer than the length to which Canvas cuts it.
    TooLong,
}

/// A kind of drift: events have something that the catalogue does not know. An error in a single event
/// is not drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Drift {
    /// An unknown event type.
    UnknownEventType,
    /// An unknown field.
    UnknownField,
    /// A value of another kind than declared.
    TypeChange,
    /// A value that is not listed.
    UnlistedValue,
    /// A required value that is null or missing.
    NoValue,
    /// A text that is longer than the length to which Canvas cuts it.
    LongerText,
}

/// The class of a JSON value. Strings have three classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueClass {
    /// No value.
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number without a fraction.
    Integer,
    /// A number with a fraction or an exponent.
    Number,
    /// A string of digits.
    Digits,
    /// A string that is a timestamp.
    Timestamp,
    /// Any other string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// The path from an event to a value in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValuePath<'a> {
    pub(crate) parent: Option<&'a Self>,
    pub(crate) segment: PathSegment<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PathSegment<'a> {
    /// The event itself.
    Event,
    /// The member with this key, unescaped.
    Member(&'a [u8]),
    /// The element with this index.
    Element(usize),
}

impl Finding<'_> {
    /// Returns the JSON pointer to the value.
    pub fn pointer(&self) -> String {
        self.path.text(&|segment| match segment {
            PathSegment::Event => String::new(),
            PathSegment::Member(name) => String::from_utf8_lossy(name).into_owned(),
            PathSegment::Element(index) => index.to_string(),
        })
    }

    /// Returns the JSON pointer to the value, with `*` instead of every index. So elements of one array
    /// have the same pattern. Keys that are not plain words are masked.
    pub fn pattern(&self) -> String {
        self.path.text(&|segment| match segment {
            PathSegment::Event => String::new(),
            PathSegment::Member(name) => mask_key(&String::from_utf8_lossy(name)).into_owned(),
            PathSegment::Element(_) => "*".to_owned(),
        })
    }
}

/// Describes the finding, without its place.
impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, .. } = self;
        match (self.rule, self.field) {
            (Rule::UnknownEventType, _) => f.write_str("the event type is unknown"),
            (Rule::UnknownField, _) => write!(f, "the field is unknown, found {found}"),
            (Rule::NotAnId, _) => write!(f, "an id must be a string of digits, found {found}"),
            (Rule::GlobalId, _) => f.write_str("the id must be local, found an id with a shard"),
            (Rule::NotATimestamp, _) => f.write_str("the timestamp is invalid"),
            (Rule::UnlistedValue, _) => f.write_str("the value is unknown"),
            (Rule::NewValue, _) => f.write_str("the value was not seen before"),
            (Rule::Null, _) => f.write_str("the value must not be null"),
            (Rule::Missing, _) => f.write_str("the required field is missing"),
            (
                Rule::TooLong,
                Some(Field {
                    max_chars: Some(max),
                    ..
                }),
            ) => {
                write!(
                    f,
                    "the text is too long, Canvas cuts it to {max} characters"
                )
            }
            (Rule::TooLong, _) => f.write_str("the text is too long"),
            (Rule::WrongType, Some(field)) => {
                write!(f, "expected {}, found {found}", field.kind)
            }
            (Rule::WrongType, None) => write!(f, "unexpected {found}"),
        }
    }
}

impl Rule {
    /// Every rule.
    pub const ALL: &[Self] = &[
        Self::UnknownEventType,
        Self::UnknownField,
        Self::WrongType,
        Self::NotAnId,
        Self::GlobalId,
        Self::NotATimestamp,
        Self::UnlistedValue,
        Self::NewValue,
        Self::Null,
        Self::Missing,
        Self::TooLong,
    ];

    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownEventType => "unknown_event_type",
            Self::UnknownField => "unknown_field",
            Self::WrongType => "wrong_type",
            Self::NotAnId => "not_an_id",
            Self::GlobalId => "global_id",
            Self::NotATimestamp => "not_a_timestamp",
            Self::UnlistedValue => "unlisted_value",
            Self::NewValue => "new_value",
            Self::Null => "null",
            Self::Missing => "missing",
            Self::TooLong => "too_long",
        }
    }

    /// Returns the kind of drift that a finding of this rule shows. `None` if the finding is an error in a
    /// single event.
    pub const fn drift(self) -> Option<Drift> {
        match self {
            Self::UnknownEventType => Some(Drift::UnknownEventType),
            Self::UnknownField => Some(Drift::UnknownField),
            Self::WrongType | Self::NotAnId | Self::NotATimestamp => Some(Drift::TypeChange),
            Self::UnlistedValue | Self::NewValue => Some(Drift::UnlistedValue),
            Self::Null | Self::Missing => Some(Drift::NoValue),
            Self::TooLong => Some(Drift::LongerText),
            Self::GlobalId => None,
        }
    }
}

impl Drift {
    /// Every kind of drift.
    pub const ALL: &[Self] = &[
        Self::UnknownEventType,
        Self::UnknownField,
        Self::TypeChange,
        Self::UnlistedValue,
        Self::NoValue,
        Self::LongerText,
    ];

    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownEventType => "unknown_event_type",
            Self::UnknownField => "unknown_field",
            Self::TypeChange => "type_change",
            Self::UnlistedValue => "unlisted_value",
            Self::NoValue => "no_value",
            Self::LongerText => "longer_text",
        }
    }
}

impl ValueClass {
    /// Returns the class of `value`, which must be well-formed JSON.
    pub(crate) fn from_json(value: &[u8]) -> Self {
        match value.first() {
            None => Self::Absent,
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            Some(b'"') => Self::from_string(value),
            Some(_) if is_integer(value) => Self::Integer,
            Some(_) => Self::Number,
        }
    }

    fn from_string(value: &[u8]) -> Self {
        let text = Scanner::new(value, 0).string();
        let text = text.ok().and_then(|text| text.decode()).unwrap_or_default();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Digits
        } else if parse_timestamp(&text).is_some() {
            Self::Timestamp
        } else {
            Self::Text
        }
    }

    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Digits => "digits",
            Self::Timestamp => "timestamp",
            Self::Text => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

impl fmt::Display for ValueClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "string of digits",
            other => other.code(),
        })
    }
}

/// Returns true if a JSON number has no fraction and no exponent.
pub(crate) fn is_integer(number: &[u8]) -> bool {
    !number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

impl Kind {
    /// Returns the class of a valid value of this kind, so that it can be compared with the class found.
    pub const fn class(&self) -> ValueClass {
        match self {
            Self::Text => ValueClass::Text,
            Self::Id(_) => ValueClass::Digits,
            Self::Integer => ValueClass::Integer,
            Self::Number => ValueClass::Number,
            Self::Boolean => ValueClass::Boolean,
            Self::Timestamp(_) => ValueClass::Timestamp,
            Self::Object(_) => ValueClass::Object,
            Self::Texts | Self::Ids(_) | Self::Objects(_) => ValueClass::Array,
        }
    }
}

impl ValuePath<'_> {
    fn text(&self, spell: &dyn Fn(PathSegment<'_>) -> String) -> String {
        let mut text = self.parent.map(|path| path.text(spell)).unwrap_or_default();
        if !matches!(self.segment, PathSegment::Event) {
            text.push('/');
            text.push_str(&spell(self.segment).replace('~', "~0").replace('/', "~1"));
        }
        text
    }
}
