//! Where a field's value comes from, for events that Easel makes from a change of a row.

use std::fmt;

use crate::list::List;

/// One possible source of a field's value: a column, a computed value or a constant. A field uses the
/// first of its sources that has a value.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// A column of the row, after the change.
    Own(&'static str),
    /// A column of the row, before the change.
    Before(&'static str),
    /// A column of a related row: the name of the row, the column.
    Related(&'static str, &'static str),
    /// The value that the rule with this name computes.
    ComputedBy(&'static str),
    /// A constant text.
    Word(&'static str),
    /// A constant boolean.
    Flag(bool),
}

impl Column {
    /// Parses the sources of a data file, separated by ` | `: `column`, `before.column`,
    /// `related.column`, `@rule`, `'text'`, `true` or `false`.
    pub(crate) fn parse_list(text: &str) -> Result<List<Self>, String> {
        let columns = text.split(" | ").map(Self::parse);
        Ok(List::leak(columns.collect::<Result<_, _>>()?))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let leak = |text: &str| -> &'static str { String::leak(text.to_owned()) };
        if let Some(constant) = text
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
        {
            return Ok(Self::Word(leak(constant)));
        }
        match text {
            "true" => return Ok(Self::Flag(true)),
            "false" => return Ok(Self::Flag(false)),
            _ => (),
        }
        if let Some(rule) = text.strip_prefix('@') {
            return Ok(Self::ComputedBy(leak(rule)));
        }
        let is_name = |name: &str| {
            let is_name_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            !name.is_empty() && name.chars().all(is_name_char)
        };
        match text.split_once('.') {
            None if is_name(text) => Ok(Self::Own(leak(text))),
            Some(("before", column)) if is_name(column) => Ok(Self::Before(leak(column))),
            Some((related, column)) if is_name(related) && is_name(column) => {
                Ok(Self::Related(leak(related), leak(column)))
            }
            _ => Err(format!("{text:?} must be a column, a constant or a rule")),
        }
    }
}

/// Writes the source in the syntax of the data files.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(column) => f.write_str(column),
            Self::Before(column) => write!(f, "before.{column}"),
            Self::Related(related, column) => write!(f, "{related}.{column}"),
            Self::ComputedBy(rule) => write!(f, "@{rule}"),
            Self::Word(text) => write!(f, "'{text}'"),
            Self::Flag(truth) => write!(f, "{truth}"),
        }
    }
}
