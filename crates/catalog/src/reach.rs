//! What a token, a key pair, a source or a subscription may access.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The prefix of a reach of one root account, as text.
const ROOT_ACCOUNT: &str = "root_account:";

/// The most characters of the id or the UUID of a root account.
const MAX_CHARS: usize = 64;

/// What its owner may access: everything, or what belongs to one root account.
///
/// As text it is `*`, or `root_account:` and the account's global id or its UUID.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Everything.
    #[default]
    Everything,
    /// What belongs to one root account.
    RootAccount(RootAccount),
}

/// The global id of a root account, which has only digits, or its UUID, which has other characters too.
///
/// The two cannot be mixed up, so no id is the UUID of another account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootAccount(String);

/// The error for a text that is not a reach.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the reach must be `*` (everything) or `root_account:` with an id or a UUID, not {text:?}")]
pub struct ReachError {
    /// The text.
    pub text: String,
}

/// The error for a text that is neither the id nor the UUID of a root account.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "a root account must be an id or a UUID of 1 to {MAX_CHARS} letters, digits, `-` and `_`, not {text:?}"
)]
pub struct RootAccountError {
    /// The text.
    pub text: String,
}

impl Reach {
    /// Returns true if an event that names this root account belongs to the reach. A reach with an id looks
    /// only at the id, and a reach with a UUID only at the UUID.
    pub fn covers(&self, id: Option<&str>, uuid: Option<&str>) -> bool {
        match self {
            Self::Everything => true,
            Self::RootAccount(account) => {
                let named = if account.is_id() { id } else { uuid };
                named == Some(account.as_str())
            }
        }
    }

    /// Returns true if somebody with this reach may see and change what has the reach `other`.
    pub fn includes(&self, other: &Self) -> bool {
        *self == Self::Everything || self == other
    }

    /// Returns the root account; `None` for everything.
    pub const fn root_account(&self) -> Option<&RootAccount> {
        match self {
            Self::Everything => None,
            Self::RootAccount(account) => Some(account),
        }
    }
}

impl RootAccount {
    /// Returns the id or the UUID.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if this is an id, and false if it is a UUID.
    pub fn is_id(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl fmt::Display for RootAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RootAccount {
    type Err = RootAccountError;

    fn from_str(text: &str) -> Result<Self, RootAccountError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(RootAccountError {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::RootAccount(account) => write!(f, "{ROOT_ACCOUNT}{account}"),
        }
    }
}

impl FromStr for Reach {
    type Err = ReachError;

    fn from_str(text: &str) -> Result<Self, ReachError> {
        let account = text
            .strip_prefix(ROOT_ACCOUNT)
            .and_then(|account| account.parse().ok());
        match account {
            Some(account) => Ok(Self::RootAccount(account)),
            None if text == "*" => Ok(Self::Everything),
            None => Err(ReachError {
                text: text.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> Reach {
        Reach::RootAccount(text.parse().unwrap())
    }

    #[test]
    fn a_reach_parses_from_its_text_and_any_other_text_is_rejected() {
        for reach in [Reach::Everything, account("21070"), account("a-B_7")] {
            assert_eq!(reach.to_string().parse(), Ok(reach));
        }
        let long = format!("root_account:{}", "7".repeat(65));
        for text in [
            "",
            "**",
            "root_account:",
            "account:1",
            "root_account:a b",
            "root_account:a:b",
            &long,
        ] {
            let error = text.parse::<Reach>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn a_reach_covers_the_events_that_name_its_root_account() {
        let check = |reach: &Reach, id, uuid, wanted: bool| {
            assert_eq!(reach.covers(id, uuid), wanted, "{reach} {id:?} {uuid:?}");
        };
        check(&Reach::Everything, None, None, true);
        let (id, uuid) = (account("7"), account("abc"));
        check(&id, Some("7"), None, true);
        check(&id, Some("7"), Some("other"), true);
        check(&id, Some("8"), Some("7"), false);
        check(&id, None, None, false);
        check(&uuid, Some("8"), Some("abc"), true);
        check(&uuid, Some("abc"), None, false);
        check(&uuid, Some("7"), Some("abcd"), false);
    }

    #[test]
    fn a_confined_reach_includes_only_itself() {
        assert!(Reach::Everything.includes(&account("7")));
        assert!(account("7").includes(&account("7")));
        assert!(!account("7").includes(&account("8")));
        assert!(!account("7").includes(&Reach::Everything));
    }
}
