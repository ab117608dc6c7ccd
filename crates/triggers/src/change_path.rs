//! A place in a change, spelled only when something is wrong there.

use std::fmt;

use serde_json::Value;

use crate::change::Change;
use crate::change_context::ChangeContext;
use crate::computed;
use crate::questions::{Question, Questions, RowName};

/// A place in a change; its text is the JSON pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChangePath<'a> {
    /// No place of the change: what is there is made up.
    Nowhere,
    /// This one, a pointer.
    At(&'a str),
    /// A member of what is at this pointer.
    Member(&'a str, &'a str),
    /// A column of a record that goes with it.
    Related(&'a str, &'a str),
    /// A member within another place.
    Inner(&'a Self, &'a str),
    /// An element within another place.
    Nth(&'a Self, usize),
    /// The column that decides the value of this rule.
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
            Self::Computed(rule, scene) => f.write_str(&deciding(rule, *scene)),
        }
    }
}

/// The place of the column that a worked-out value is or, where the rule has no value, of the first
/// column that it lacks, else of the last related row that it lacks.
fn deciding(rule: &str, scene: ChangeContext<'_>) -> String {
    let asked = Questions::default();
    let value = computed::rule(rule).and_then(|work| {
        work(ChangeContext {
            asked: Some(&asked),
            ..scene
        })
    });
    let questions = asked.into_questions();
    let mut columns = questions.iter().filter(|it| !it.column.is_empty());
    let decides = |question: &&Question| match &value {
        Some(value) => question.value(scene.change) == Some(value),
        None => question.value(scene.change).is_none(),
    };
    let lacks_row = |question: &&Question| match &question.row {
        RowName::Related(name) => value.is_none() && !scene.change.related.contains_key(name),
        RowName::Own | RowName::Before => false,
    };
    let deciding = columns
        .clone()
        .find(decides)
        .or_else(|| questions.iter().rfind(lacks_row))
        .or_else(|| columns.next_back());
    deciding.map_or_else(
        || scene.change.row_place().to_owned(),
        |question| question.place(scene.change),
    )
}

impl Question {
    /// The JSON pointer to the column.
    pub(crate) fn place(&self, change: &Change) -> String {
        match &self.row {
            RowName::Own => ChangePath::Member(change.row_place(), &self.column).to_string(),
            RowName::Before => ChangePath::Member("/before", &self.column).to_string(),
            RowName::Related(name) if self.column.is_empty() => {
                ChangePath::Member("/related", name).to_string()
            }
            RowName::Related(name) => ChangePath::Related(name, &self.column).to_string(),
        }
    }

    /// What is in the column, null included.
    pub(crate) fn value<'a>(&self, change: &'a Change) -> Option<&'a Value> {
        let row = match &self.row {
            RowName::Own => change.row(),
            RowName::Before => change.before.as_ref(),
            RowName::Related(name) => change.related.get(name),
        };
        row.and_then(|row| row.get(&self.column))
    }
}

/// A name as it stands in a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
