//! A place in a change. Its JSON pointer is built only for a fault or a warning.

use std::fmt;

use serde_json::Value;

use crate::change::Change;
use crate::change_context::ChangeContext;
use crate::column_reads::{ColumnRead, ColumnReads, RowName};
use crate::computed;

/// A place in a change. `Display` writes its JSON pointer.
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
            Self::Related(row_name, column) => {
                write!(f, "/related/{}/{}", escaped(row_name), escaped(column))
            }
            Self::Inner(place, name) => write!(f, "{place}/{}", escaped(name)),
            Self::Nth(place, index) => write!(f, "{place}/{index}"),
            Self::Computed(name, ctx) => f.write_str(&deciding_column(name, *ctx)),
        }
    }
}

/// Returns the JSON pointer of the column that decides the value of a computation.
///
/// If the computation has a value, this is the column with the same value. If it has no value, this is the
/// first missing column, or else the last missing related row.
fn deciding_column(name: &str, ctx: ChangeContext<'_>) -> String {
    let recorder = ColumnReads::default();
    let value = computed::computation(name).and_then(|compute| {
        compute(ChangeContext {
            recorder: Some(&recorder),
            ..ctx
        })
    });
    let reads = recorder.into_vec();
    let mut columns = reads.iter().filter(|read| !read.column.is_empty());
    let decides = |read: &&ColumnRead| match &value {
        Some(value) => read.value(ctx.change) == Some(value),
        None => read.value(ctx.change).is_none(),
    };
    let lacks_row = |read: &&ColumnRead| match &read.row {
        RowName::Related(name) => value.is_none() && !ctx.change.related.contains_key(name),
        RowName::Own | RowName::Before => false,
    };
    let deciding = columns
        .clone()
        .find(decides)
        .or_else(|| reads.iter().rfind(lacks_row))
        .or_else(|| columns.next_back());
    deciding.map_or_else(
        || ctx.change.row_pointer().to_owned(),
        |read| read.pointer(ctx.change),
    )
}

impl ColumnRead {
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
