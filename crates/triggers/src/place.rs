//! A place in a change, spelled only when something is wrong there.

use std::fmt;

/// A place in a change; its text is the JSON pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
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
}

impl fmt::Display for Place<'_> {
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
        }
    }
}

/// A name as it stands in a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
