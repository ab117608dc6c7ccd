//! What the catalogue says about a field.

use std::fmt;

use crate::column::Column;
use crate::list::List;

/// What the catalogue says about a field of an event.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Whether the value can be null. Newer releases of Canvas leave such a field of the body out
    /// instead, and consumers are to take both for the same.
    pub null: bool,
    /// When the field is there, if not always: a clause to be read after "if".
    pub when: Option<&'static str>,
    /// Whether the published documents list it; fields they do not list were seen in the code.
    pub published: bool,
    /// The values there are, if it takes only some.
    pub values: Option<Values>,
    /// The most characters Canvas sends of it; longer text is cut, see [`cut_text`](crate::cut_text).
    pub max_chars: Option<usize>,
    /// How close it is to a person.
    pub privacy: Privacy,
    /// The field whose value before the change this one holds.
    pub old: Option<&'static str>,
    /// Where its value comes from when a change makes the event, the first that has one; a column
    /// of the same name when nothing is said.
    pub from: List<Column>,
    /// What it means: sentences.
    pub about: &'static str,
    /// A plausible value, as JSON; fields without one are left out of examples.
    pub example: Option<&'static str>,
}

/// What a value is.
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
    /// A moment, in any form that [`parse_timestamp`](crate::parse_timestamp) reads.
    Timestamp(Precision),
    /// An object with these fields; with none listed, anything may be in it.
    Object(List<Field>),
    /// An array of strings.
    Texts,
    /// An array of ids.
    Ids(IdKind),
    /// An array of objects with these fields.
    Objects(List<Field>),
}

/// What is known about an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdKind {
    /// What it is unique in.
    pub scope: IdScope,
    /// How the published documents spell it.
    pub spelling: Spelling,
    /// Whether it is the empty string where there is none.
    pub can_be_empty: bool,
}

/// What an id is unique in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdScope {
    /// Everywhere: the shard is part of it, see [`GlobalId`](crate::GlobalId).
    Global,
    /// Its shard.
    Local,
}

/// How the published documents spell an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As a string of digits, as Canvas sends every id.
    Digits,
    /// As a number; Canvas sends a string all the same, so both are to be taken.
    Numeral,
}

/// What a timestamp tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Day and time.
    Moment,
    /// The day counts, and it may come without a time.
    Day,
}

/// The values a text can have.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    /// The values known.
    pub listed: List<&'static str>,
    /// Whether others are to be expected: the list was made from what was seen.
    pub open: bool,
    /// A value may also be this with a number behind it.
    pub numbered: Option<&'static str>,
    /// Several values stand in one text, with this between them and perhaps a space.
    pub separator: Option<char>,
}

/// How close the value of a field is to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privacy {
    /// It says nothing about anyone.
    Nothing,
    /// What people wrote, made or were graded with, or an address that tells where they were.
    Content,
    /// It points to a person together with other fields.
    QuasiIdentifier,
    /// It points to a person by itself.
    DirectIdentifier,
}

impl Field {
    /// Whether it is in every object it belongs to, and never null.
    pub const fn is_always_there(&self) -> bool {
        self.published && self.when.is_none() && !self.null
    }
}

impl Kind {
    /// Its name, as data files have it: `id`, `array<string>` and so on.
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

    /// The scope of the id, or of the ids, that it is.
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

    /// The fields of the object, or of each of the objects, that it is.
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
    /// Its name: `global` or `local`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Local => "local",
        }
    }
}

impl Values {
    /// Whether `text` is one of them, or several of them where that is the form.
    pub fn know(&self, text: &str) -> bool {
        match self.separator {
            None => self.know_one(text),
            Some(separator) => text
                .split(separator)
                .all(|part| self.know_one(part.strip_prefix(' ').unwrap_or(part))),
        }
    }

    fn know_one(&self, text: &str) -> bool {
        self.listed.contains(&text)
            || self.numbered.is_some_and(|before| {
                text.strip_prefix(before).is_some_and(|number| {
                    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
                })
            })
    }
}

impl Privacy {
    /// Its name, as data files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Content => "content",
            Self::QuasiIdentifier => "quasi",
            Self::DirectIdentifier => "direct",
        }
    }
}

/// The kind in words, such as `global id`.
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
