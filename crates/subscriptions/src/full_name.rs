//! What tells a subscription from all others: its name and its reach.
//!
//! A name is unique within a reach only, so that nobody learns from a name that is taken what somebody else
//! has. A caller with a confined reach uses the plain name, and everybody else the full name.

use std::fmt;
use std::str::FromStr;

use easel_catalog::{Reach, RootAccountError};
use thiserror::Error;

use crate::{Name, SpecError};

/// The name of a subscription with its reach. No two subscriptions have the same.
///
/// As text it is `NAME`, or `NAME@ROOT_ACCOUNT` if the subscription is confined to a root account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FullName {
    /// The name.
    pub name: Name,
    /// The reach.
    pub reach: Reach,
}

/// The error for a text that is not a full name.
#[derive(Debug, Error)]
pub enum FullNameError {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] SpecError),
    /// The root account is invalid.
    #[error(transparent)]
    RootAccount(#[from] RootAccountError),
}

impl FullName {
    /// Creates the full name of a subscription to everything.
    pub const fn everything(name: Name) -> Self {
        Self {
            name,
            reach: Reach::Everything,
        }
    }

    /// Returns the full name that somebody with this reach means by `text`: the plain name of one of its own
    /// subscriptions, or, without a confined reach, the full name of any subscription. Returns `None` if no
    /// subscription can have this name.
    pub fn meant_by(reach: &Reach, text: &str) -> Option<Self> {
        match reach {
            Reach::Everything => text.parse().ok(),
            Reach::RootAccount(_) => Some(Self {
                name: text.parse().ok()?,
                reach: reach.clone(),
            }),
        }
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())?;
        match self.reach.root_account() {
            Some(account) => write!(f, "@{account}"),
            None => Ok(()),
        }
    }
}

impl FromStr for FullName {
    type Err = FullNameError;

    fn from_str(text: &str) -> Result<Self, FullNameError> {
        let Some((name, account)) = text.split_once('@') else {
            return Ok(Self::everything(text.parse()?));
        };
        Ok(Self {
            name: name.parse()?,
            reach: Reach::RootAccount(account.parse()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_parses_from_its_text_and_any_other_text_is_rejected() {
        for text in ["grades", "grades@7", "a.b@AbC_d-9"] {
            assert_eq!(text.parse::<FullName>().unwrap().to_string(), text);
        }
        for text in ["", "@7", "grades@", "grades@a@b", "Grades", "grades@a b"] {
            assert!(text.parse::<FullName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_confined_caller_means_its_own_subscription_by_a_plain_name() {
        let own: Reach = "root_account:7".parse().unwrap();
        let meant = |reach, text| FullName::meant_by(reach, text).map(|name| name.to_string());
        assert_eq!(meant(&own, "grades").unwrap(), "grades@7");
        assert_eq!(meant(&Reach::Everything, "grades").unwrap(), "grades");
        assert_eq!(meant(&Reach::Everything, "grades@7").unwrap(), "grades@7");
        for (reach, text) in [(&own, "grades@7"), (&own, ""), (&Reach::Everything, "@")] {
            assert_eq!(meant(reach, text), None, "{text}");
        }
    }
}
