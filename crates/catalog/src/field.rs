//! Fields of events, as the catalogue describes them.

use std::fmt;

use crate::column::Column;
use crate::list::List;

/// A field of an event, as the catalogue describes it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// True if the value can be null. Newer releases of Canvas omit a null field of the body;
    /// consumers must treat null and missing alike.
    pub can_be_null: bool,
    /// The condition under which the field is present, as a clause after "if". `None` if always.
    pub when: Option<&'static str>,
    /// True if Canvas's published documents list the field. Other fields were found in the code.
    pub published: bool,
    /// The possible values, if they are limited.
    pub values: Option<Values>,
    /// The largest length in characters. Canvas cuts longer text, see [`cut_text`](crate::cut_text).
    pub max_chars: Option<usize>,
    /// How closely the value relates to a person.
    pub privacy: Privacy,
    /// The name of another field. This field has the value of that field before the change.
    pub old_value_of: Option<&'static str>,
    /// Where the value comes from when Easel makes the event from a change: the first of these sources
    /// that has a value. If the list is empty, the value comes from the column with the field's name.
    pub from: List<Column>,
    /// The meaning, in sentences.
    pub about: &'static str,
    /// A plausible value, as JSON. Examples of events omit fields without a plausible value.
    pub example: Option<&'static str>,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A string.
    Text,
    /// An id: a string of digits.
    Id(IdKind),
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A moment, in any format that [`parse_timestamp`](crate::parse_timestamp) reads.
    Timestamp(Precision),
    /// An object with these fields. If the list is empty, the object may have any members.
    Object(List<Field>),
    /// An array of strings.
    Texts,
    /// An array of ids.
    Ids(IdKind),
    /// An array of objects with these fields.
    Objects(List<Field>),
}

/// The properties of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdKind {
    /// The scope in which the id is unique.
    pub scope: IdScope,
    /// The spelling in the published documents.
    pub spelling: Spelling,
    /// True if the value can be the empty string, which means that there is no id.
    pub can_be_empty: bool,
}

/// The scope in which an id is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdScope {
    /// Everywhere: the id contains the shard, see [`GlobalId`](crate::GlobalId).
    Global,
    /// Within one shard.
    Local,
}

/// The spelling of an id in the published documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As a string of digits, as Canvas sends every id.
    Digits,
    /// As a number. But Canvas sends a string, so both must be accepted.
    Numeral,
}

/// The precision of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Day and time.
    Moment,
    /// A day. The value may have a time, which has no meaning.
    Day,
}

/// The possible values of a text.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    /// The known values.
    pub listed: List<&'static str>,
    /// True if other values are possible. `listed` then has only the values seen so far.
    pub open: bool,
    /// A prefix: this text followed by a number is a value too.
    pub numbered: Option<&'static str>,
    /// The separator, if one text can have several values. A space may follow it.
    pub separator: Option<char>,
}

/// How closely the value of a field relates to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privacy {
    /// Not about a person.
    Nothing,
    /// Content that people wrote or made, their grades, or an address that shows where they were.
    Content,
    /// Identifies a person in combination with other fields.
    QuasiIdentifier,
    /// Identifies a person by itself.
    DirectIdentifier,
}

impl Field {
    /// Returns true if every event must have the field, and not as null. A field that is not published
    /// is never required.
    pub const fn is_required(&self) -> bool {
        self.published && self.when.is_none() && !self.can_be_null
    }
}

impl Kind {
    /// Returns the name in data files: `id`, `array<string>` and so on.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Id(IdKind {
                spelling: Spelling::Digits,
                ..
            }) => "id",
            Self::Id(IdKind {
                spelling: Spelling::Numeral,
                ..
            })
            | Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Timestamp(_) => "timestamp",
            Self::Object(_) => "object",
            Self::Texts => "array<string>",
            Self::Ids(_) => "array<id>",
            Self::Objects(_) => "array<object>",
        }
    }

    /// Returns the scope of an id or of an array of ids.
    pub const fn scope(&self) -> Option<IdScope> {
        match self {
            Self::Id(id) | Self::Ids(id) => Some(id.scope),
            Self::Text
            | Self::Integer
            | Self::Number
            | Self::Boolean
            | Self::Timestamp(_)
            | Self::Object(_)
            | Self::Texts
            | Self::Objects(_) => None,
        }
    }

    /// Returns the fields of an object, or of each object of an array. Empty for other kinds.
    pub const fn fields(&self) -> List<Field> {
        match self {
            Self::Object(fields) | Self::Objects(fields) => *fields,
            Self::Text
            | Self::Id(_)
            | Self::Integer
            | Self::Number
            | Self::Boolean
            | Self::Timestamp(_)
            | Self::Texts
            | Self::Ids(_) => List(&[]),
        }
    }
}

impl IdScope {
    /// Returns the name: `global` or `local`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Local => "local",
        }
    }
}

impl Values {
    /// Returns true if `text` is a known value, or a list of known values if there is a separator.
    pub fn contains(&self, text: &str) -> bool {
        match self.separator {
            None => self.contains_one(text),
            Some(separator) => text
                .split(separator)
                .all(|part| self.contains_one(part.strip_prefix(' ').unwrap_or(part))),
        }
    }

    fn contains_one(&self, text: &str) -> bool {
        self.listed.contains(&text)
            || self.numbered.is_some_and(|prefix| {
                text.strip_prefix(prefix).is_some_and(|number| {
                    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
                })
            })
    }
}

impl Privacy {
    /// Returns the name in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Content => "content",
            Self::QuasiIdentifier => "quasi",
            Self::DirectIdentifier => "direct",
        }
    }
}

/// Writes the kind in words, such as `global id`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{} id", id.scope.name()),
            Self::Ids(id) => write!(f, "array<{} id>", id.scope.name()),
            Self::Timestamp(Precision::Day) => f.write_str("timestamp or date"),
            _ => f.write_str(self.name()),
        }
    }
}
