//! A place in a change. Its text is built only for a fault or a warning.

use std::fmt;

use serde_json::Value;

use crate::change::Change;
use crate::change_context::ChangeContext;
use crate::computed;
use crate::questions::{Question, Questions, RowName};

/// A place in a change; its text is the JSON pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChangePath<'a> {
    /// No place in the change: the value is a constant.
    Nowhere,
    /// A JSON pointer.
    At(&'a str),
    /// A member of the object at a JSON pointer.
    Member(&'a str, &'a str),
    /// A column of a related row.
    Related(&'a str, &'a str),
    /// A member of the object at another place.
    Inner(&'a Self, &'a str),
    /// An element of the array at another place.
    Nth(&'a Self, usize),
    /// The column that decides a computed value.
    Computed(&'a str, ChangeContext<'a>),
}

impl fmt::Display for ChangePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::At(pointer) => f.write_str(pointer),
            Self::Member(pointer, name) => write!(f, "{pointer}/{}", escaped(name)),
            Self::Related(record, column) => {
                write!(f, "/related/{}/{}", escaped(record), escaped(column))
            }
            Self::Inner(place, name) => write!(f, "{place}/{}", escaped(name)),
            Self::Nth(place, index) => write!(f, "{place}/{index}"),
            Self::Computed(rule, ctx) => f.write_str(&deciding_column(rule, *ctx)),
        }
    }
}

/// Returns the JSON pointer of the column that decides the value of a computation.
///
/// If the computation has a value, this is the column with that value. If it has none, this is the
/// first missing column, else the last missing related row.
fn deciding_column(rule: &str, ctx: ChangeContext<'_>) -> String {
    let recorder = Questions::default();
    let value = computed::rule(rule).and_then(|work| {
        work(ChangeContext {
            recorder: Some(&recorder),
            ..ctx
        })
    });
    let questions = recorder.into_questions();
    let mut columns = questions
        .iter()
        .filter(|question| !question.column.is_empty());
    let decides = |question: &&Question| match &value {
        Some(value) => question.value(ctx.change) == Some(value),
        None => question.value(ctx.change).is_none(),
    };
    let lacks_row = |question: &&Question| match &question.row {
        RowName::Related(name) => value.is_none() && !ctx.change.related.contains_key(name),
        RowName::Own | RowName::Before => false,
    };
    let deciding = columns
        .clone()
        .find(decides)
        .or_else(|| questions.iter().rfind(lacks_row))
        .or_else(|| columns.next_back());
    deciding.map_or_else(
        || ctx.change.row_pointer().to_owned(),
        |question| question.pointer(ctx.change),
    )
}

impl Question {
    /// Returns the JSON pointer of the column.
    pub(crate) fn pointer(&self, change: &Change) -> String {
        match &self.row {
            RowName::Own => ChangePath::Member(change.row_pointer(), &self.column).to_string(),
            RowName::Before => ChangePath::Member("/before", &self.column).to_string(),
            RowName::Related(name) if self.column.is_empty() => {
                ChangePath::Member("/related", name).to_string()
            }
            RowName::Related(name) => ChangePath::Related(name, &self.column).to_string(),
        }
    }

    /// Returns the content of the column, null included.
    pub(crate) fn value<'a>(&self, change: &'a Change) -> Option<&'a Value> {
        let row = match &self.row {
            RowName::Own => change.row(),
            RowName::Before => change.before.as_ref(),
            RowName::Related(name) => change.related.get(name),
        };
        row.and_then(|row| row.get(&self.column))
    }
}

/// Escapes a name for a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
