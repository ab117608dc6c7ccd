//! Where the value of a field comes from when a change of a record makes an event.

use std::fmt;

use crate::list::List;

/// Where the value of a field comes from: the first of some places that has one.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// A column of the record, as it is after the change.
    Own(&'static str),
    /// A column of the record, as it was before.
    Earlier(&'static str),
    /// A column of a record that goes with it.
    Beside(&'static str, &'static str),
    /// What the rule of this name works out.
    ComputedBy(&'static str),
    /// It is always this text.
    Word(&'static str),
    /// It is always this.
    Flag(bool),
}

impl Column {
    /// Reads places as a data file has them, with ` | ` between: `column`, `before.column`,
    /// `related.column`, `@rule`, `'text'`, `true` or `false`.
    pub(crate) fn all(text: &str) -> Result<List<Self>, String> {
        let places = text.split(" | ").map(Self::one);
        Ok(List::kept(places.collect::<Result<_, _>>()?))
    }

    fn one(text: &str) -> Result<Self, String> {
        let kept = |text: &str| -> &'static str { String::leak(text.to_owned()) };
        if let Some(constant) = text.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')) {
            return Ok(Self::Word(kept(constant)));
        }
        match text {
            "true" => return Ok(Self::Flag(true)),
            "false" => return Ok(Self::Flag(false)),
            _ => (),
        }
        if let Some(rule) = text.strip_prefix('@') {
            return Ok(Self::ComputedBy(kept(rule)));
        }
        let is_name = |name: &str| {
            let letters = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
            !name.is_empty() && name.chars().all(letters)
        };
        match text.split_once('.') {
            None if is_name(text) => Ok(Self::Own(kept(text))),
            Some(("before", column)) if is_name(column) => Ok(Self::Earlier(kept(column))),
            Some((related, column)) if is_name(related) && is_name(column) => {
                Ok(Self::Beside(kept(related), kept(column)))
            }
            _ => Err(format!("{text:?} is no column, constant or rule")),
        }
    }
}

/// The place as a data file has it.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(column) => f.write_str(column),
            Self::Earlier(column) => write!(f, "before.{column}"),
            Self::Beside(related, column) => write!(f, "{related}.{column}"),
            Self::ComputedBy(rule) => write!(f, "@{rule}"),
            Self::Word(text) => write!(f, "'{text}'"),
            Self::Flag(truth) => write!(f, "{truth}"),
        }
    }
}
