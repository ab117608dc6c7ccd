//! What an event has that the catalogue does not say of it.

use std::fmt;

use crate::field::{Field, Kind};
use crate::mask::mask_key;
use crate::parse_timestamp;
use crate::scanner::Scanner;

/// Something about an event that is not as the catalogue says.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// What the event does not keep to.
    pub rule: Rule,
    /// What is there.
    pub found: ValueClass,
    /// What is there, as the event spells it; empty when nothing is.
    pub value: &'a [u8],
    /// The byte of the event where that begins; for what is missing, where it is missing from ends.
    pub at: usize,
    /// What the catalogue says of the field, if it knows it.
    pub field: Option<&'a Field>,
    pub(crate) path: &'a ValuePath<'a>,
}

/// What an event is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The catalogue has the event type.
    UnknownEventType,
    /// The catalogue has the field.
    UnknownField,
    /// A value is of the kind declared.
    WrongType,
    /// An id is a string of digits.
    NotAnId,
    /// An id that is unique in its shard does not name a shard.
    GlobalId,
    /// A timestamp can be read as one.
    NotATimestamp,
    /// A value is one of those listed.
    UnlistedValue,
    /// A value is one of those seen so far, where others are to be expected.
    NewValue,
    /// Only what can be null is.
    Null,
    /// What is always there is there.
    Missing,
    /// A text is not longer than what Canvas cuts it to.
    TooLong,
}

/// What came that the catalogue does not know: a change of the events rather than of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Drift {
    /// An event type.
    UnknownEventType,
    /// A field.
    UnknownField,
    /// Another kind of value than declared.
    TypeChange,
    /// A value that is not listed.
    UnlistedValue,
    /// Null, or nothing, where there always is a value.
    NoValue,
    /// A text that is longer than Canvas sends it.
    LongerText,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueClass {
    /// Nothing is there.
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number without a fraction.
    Integer,
    /// A number with one, or with an exponent.
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

/// The way from an event to a value in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValuePath<'a> {
    pub(crate) before: Option<&'a Self>,
    pub(crate) step: PathSegment<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PathSegment<'a> {
    /// To the event itself.
    Event,
    /// To the member with this key, unescaped.
    Member(&'a [u8]),
    /// To the element with this index.
    Element(usize),
}

impl Finding<'_> {
    /// The JSON pointer to what is meant.
    pub fn pointer(&self) -> String {
        self.path.text(&|step| match step {
            PathSegment::Event => String::new(),
            PathSegment::Member(name) => String::from_utf8_lossy(name).into_owned(),
            PathSegment::Element(index) => index.to_string(),
        })
    }

    /// The JSON pointer to what is meant, with `*` for every index, so that it is the same for all
    /// events of a type, and with keys masked that are no plain words.
    pub fn pattern(&self) -> String {
        self.path.text(&|step| match step {
            PathSegment::Event => String::new(),
            PathSegment::Member(name) => mask_key(&String::from_utf8_lossy(name)).into_owned(),
            PathSegment::Element(_) => "*".to_owned(),
        })
    }
}

/// What is wrong, in words, without the place.
impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, .. } = self;
        match (self.rule, self.field) {
            (Rule::UnknownEventType, _) => f.write_str("the catalogue has no such event type"),
            (Rule::UnknownField, _) => write!(f, "the catalogue has no such field; {found} found"),
            (Rule::NotAnId, _) => write!(f, "an id is a string of digits; {found} found"),
            (Rule::GlobalId, _) => f.write_str("this id is local, and one with a shard was found"),
            (Rule::NotATimestamp, _) => f.write_str("this is no timestamp"),
            (Rule::UnlistedValue, _) => f.write_str("the catalogue has no such value"),
            (Rule::NewValue, _) => f.write_str("no such value was seen before"),
            (Rule::Null, _) => f.write_str("this is never null"),
            (Rule::Missing, _) => f.write_str("this is always there, and is missing"),
            (
                Rule::TooLong,
                Some(Field {
                    max_chars: Some(max),
                    ..
                }),
            ) => {
                write!(f, "Canvas cuts this to {max} characters")
            }
            (Rule::TooLong, _) => f.write_str("Canvas cuts this to fewer characters"),
            (Rule::WrongType, Some(field)) => {
                write!(f, "{} declared, {found} found", field.kind)
            }
            (Rule::WrongType, None) => write!(f, "{found} found"),
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

    /// Its name, which does not change.
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

    /// The drift that breaking it is, if it is not just a flaw of one event.
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

    /// Its name, which does not change.
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
    /// What `value`, well-formed JSON, looks like.
    pub(crate) fn of(value: &[u8]) -> Self {
        match value.first() {
            None => Self::Absent,
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            Some(b'"') => Self::of_text(value),
            Some(_) if is_integer(value) => Self::Integer,
            Some(_) => Self::Number,
        }
    }

    fn of_text(value: &[u8]) -> Self {
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

    /// Its name, which does not change.
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

/// Whether a number of the input is spelled without fraction and exponent.
pub(crate) fn is_integer(number: &[u8]) -> bool {
    !number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

impl Kind {
    /// The class of a value of this kind, for saying what changed into what.
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
        let mut text = self.before.map(|it| it.text(spell)).unwrap_or_default();
        if !matches!(self.step, PathSegment::Event) {
            text.push('/');
            text.push_str(&spell(self.step).replace('~', "~0").replace('/', "~1"));
        }
        text
    }
}
