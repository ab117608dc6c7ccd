//! What a token, a key pair, a source or a subscription may access.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The prefix of a reach of one root account, as text.
const ROOT_ACCOUNT: &str = "root_account:";

/// What its owner may access: everything, or what belongs to one root account.
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

/// The error for a text that is not a reach.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the root accounts must be `*` (all) or `root_account:ID`, not {text:?}")]
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
    fn a_reach_parses_from_its_text_and_any_other_text_is_rejected() {
        for reach in [Reach::Everything, Reach::RootAccount("21070".to_owned())] {
            assert_eq!(reach.to_string().parse(), Ok(reach));
        }
        for text in ["", "**", "root_account:", "account:1"] {
            let error = text.parse::<Reach>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
