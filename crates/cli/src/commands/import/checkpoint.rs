//! What a client needs to continue a file: how its values are separated, and a digest of the text before the position.
//!
//! The server stores the checkpoint as a text, such as `lines:` and 64 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use crate::input::Framing;

/// The place between two values of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) framing: Framing,
    /// Whether the values are elements of an array.
    pub(super) in_array: bool,
    /// The digest of the text before the place.
    pub(super) digest: String,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let framing = match (self.framing, self.in_array) {
            (Framing::Lines, _) => "lines",
            (Framing::Brackets, false) => "values",
            (Framing::Brackets, true) => "array",
        };
        write!(f, "{framing}:{}", self.digest)
    }
}

impl FromStr for Checkpoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (framing, digest) = text.split_once(':').ok_or(())?;
        let (framing, in_array) = match framing {
            "lines" => (Framing::Lines, false),
            "values" => (Framing::Brackets, false),
            "array" => (Framing::Brackets, true),
            _ => return Err(()),
        };
        Ok(Self {
            framing,
            in_array,
            digest: digest.to_owned(),
        })
    }
}
