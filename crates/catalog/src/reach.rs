//! What a token, a key pair, a source or a subscription may touch.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Begins the text of a reach of one root account.
const ROOT_ACCOUNT: &str = "root_account:";

/// What somebody may touch: everything, or what belongs to one root account.
///
/// As text it is `*`, or `root_account:` and the account's global id.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Everything.
    #[default]
    Everything,
    /// What belongs to the root account with this global id.
    RootAccount(String),
}

/// A text that is no reach.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a reach must be `*` or `root_account:` and an id, not {text:?}")]
pub struct ReachError {
    /// The text.
    pub text: String,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::RootAccount(id) => write!(f, "{ROOT_ACCOUNT}{id}"),
        }
    }
}

impl FromStr for Reach {
    type Err = ReachError;

    fn from_str(text: &str) -> Result<Self, ReachError> {
        match (text, text.strip_prefix(ROOT_ACCOUNT)) {
            ("*", _) => Ok(Self::Everything),
            (_, Some(id)) if !id.is_empty() => Ok(Self::RootAccount(id.to_owned())),
            _ => Err(ReachError {
                text: text.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_read_as_it_is_written_and_nothing_else_is_one() {
        for reach in [Reach::Everything, Reach::RootAccount("21070".to_owned())] {
            assert_eq!(reach.to_string().parse(), Ok(reach));
        }
        for text in ["", "**", "root_account:", "account:1"] {
            let refused = text.parse::<Reach>().unwrap_err().to_string();
            assert!(refused.contains(&format!("{text:?}")), "{refused}");
        }
    }
}
