//! Scopes: the permissions of a token.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One permission of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Read events, subscriptions and counts.
    Read,
    /// Change subscriptions, tokens and quarantine.
    Manage,
}

impl Scope {
    /// Every scope, in display order.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Read, Self::Manage];

    /// Returns the name on the wire and in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Manage => "manage",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Ingest => 1,
            Self::Read => 2,
            Self::Manage => 4,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == name)
            .ok_or_else(|| UnknownScope {
                name: name.to_owned(),
            })
    }
}

/// An unknown name of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("scope must be ingest, read or manage, not {name:?}")]
pub struct UnknownScope {
    /// The name.
    pub name: String,
}

/// A set of scopes. No scope includes another one: `manage` does not include `read`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(Scope::Ingest.bit() | Scope::Read.bit() | Scope::Manage.bit());

    /// Returns true if the set contains `scope`.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Returns true if the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Iterates over the scopes in the set.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// The names separated by spaces, as in RFC 6750. [`FromStr`] parses this text.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(names: &str) -> Result<Self, UnknownScope> {
        names.split_ascii_whitespace().map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_scopes_parses_from_its_text() {
        for bits in 0..=Scopes::ALL.0 {
            let scopes = Scopes(bits);
            assert_eq!(scopes.to_string().parse(), Ok(scopes));
        }
    }

    #[test]
    fn a_set_contains_only_the_inserted_scopes() {
        let scopes: Scopes = [Scope::Manage].into_iter().collect();
        assert!(scopes.contains(Scope::Manage));
        assert!(!scopes.contains(Scope::Read));
        assert!(!scopes.contains(Scope::Ingest));
    }

    #[test]
    fn an_unknown_scope_is_named_in_the_error() {
        let error = "read admin".parse::<Scopes>().unwrap_err();
        assert!(error.to_string().contains("\"admin\""), "{error}");
    }
}
