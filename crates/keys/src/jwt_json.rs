//! The JSON of a JWT: its header and the claims that are verified.
//!
//! JSON readers disagree about an object in which two members have the same name. Such an object could
//! mean one thing here and another thing to the next reader, so it is reported (RFC 7515 section 4,
//! RFC 7519 section 4). Names are compared after escapes are resolved: `"exp"` and `"\u0065xp"` are the
//! same name.
//!
//! Not here: what a header or a claim must be.

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// An object of a JWT that is not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JwtJsonError {
    /// The text is no JSON object in UTF-8.
    NotAnObject,
    /// Two members have this name.
    Duplicate(String),
}

/// The members of a JOSE header. No two members have the same name, at any depth.
pub(crate) struct JwtHeader<'a>(BTreeMap<MemberName<'a>, &'a RawValue>);

impl<'a> JwtHeader<'a> {
    pub(crate) fn read(json: &'a [u8]) -> Result<Self, JwtJsonError> {
        let json = str::from_utf8(json).map_err(|_invalid| JwtJsonError::NotAnObject)?;
        let UniqueNames { duplicate } = read(json)?;
        match duplicate {
            Some(name) => Err(JwtJsonError::Duplicate(name)),
            None => read(json).map(Self),
        }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the value of a member, if it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = self.0.get(name)?;
        serde_json::from_str(value.get()).ok()
    }
}

/// The claims that are verified, as JSON. No two members of the object of claims have the same name.
pub(crate) struct JwtClaims<'a> {
    issuer: Option<&'a RawValue>,
    expires: Option<&'a RawValue>,
    not_before: Option<&'a RawValue>,
    issued_at: Option<&'a RawValue>,
    duplicate: Option<String>,
}

impl<'a> JwtClaims<'a> {
    pub(crate) fn read(json: &'a [u8]) -> Result<Self, JwtJsonError> {
        let json = str::from_utf8(json).map_err(|_invalid| JwtJsonError::NotAnObject)?;
        let mut claims: Self = read(json)?;
        match claims.duplicate.take() {
            Some(name) => Err(JwtJsonError::Duplicate(name)),
            None => Ok(claims),
        }
    }

    /// Returns `iss`, if it is a string.
    pub(crate) fn issuer(&self) -> Option<String> {
        serde_json::from_str(self.issuer?.get()).ok()
    }

    /// Returns `exp` in seconds of Unix time, or an error if it is no integer.
    pub(crate) fn expires(&self) -> Result<Option<i64>, std::num::ParseIntError> {
        self.expires.map(|time| time.get().parse()).transpose()
    }

    /// Returns `nbf` in seconds of Unix time, or an error if it is no integer.
    pub(crate) fn not_before(&self) -> Result<Option<i64>, std::num::ParseIntError> {
        self.not_before.map(|time| time.get().parse()).transpose()
    }

    /// Returns `iat` in seconds of Unix time, or an error if it is no integer.
    pub(crate) fn issued_at(&self) -> Result<Option<i64>, std::num::ParseIntError> {
        self.issued_at.map(|time| time.get().parse()).transpose()
    }
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, JwtJsonError> {
    serde_json::from_str(json).map_err(|_invalid| JwtJsonError::NotAnObject)
}

/// The name of a member, with its escapes resolved.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
struct MemberName<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for MemberName<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Reads the claims without keeping the others.
struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = JwtClaims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut claims = JwtClaims {
            issuer: None,
            expires: None,
            not_before: None,
            issued_at: None,
            duplicate: None,
        };
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<MemberName<'de>>()? {
            match &*name.0 {
                "iss" => claims.issuer = Some(map.next_value()?),
                "exp" => claims.expires = Some(map.next_value()?),
                "nbf" => claims.not_before = Some(map.next_value()?),
                "iat" => claims.issued_at = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if let Some(MemberName(name)) = names.replace(name) {
                claims.duplicate.get_or_insert(name.into_owned());
            }
        }
        Ok(claims)
    }
}

impl<'de> Deserialize<'de> for JwtClaims<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ClaimsVisitor)
    }
}

/// Finds a name that occurs twice in one object of a JSON value, at any depth.
struct UniqueNames {
    duplicate: Option<String>,
}

struct UniqueNamesVisitor;

impl UniqueNames {
    const NO_NAMES: Self = Self { duplicate: None };
}

impl<'de> Visitor<'de> for UniqueNamesVisitor {
    type Value = UniqueNames;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Self::Value, E> {
        Ok(UniqueNames::NO_NAMES)
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Self::Value, E> {
        Ok(UniqueNames::NO_NAMES)
    }

    fn visit_u64<E>(self, _value: u64) -> Result<Self::Value, E> {
        Ok(UniqueNames::NO_NAMES)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Self::Value, E> {
        Ok(UniqueNames::NO_NAMES)
    }

    fn visit_str<E>(self, _value: &str) -> Result<Self::Value, E> {
        Ok(UniqueNames::NO_NAMES)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(UniqueNames::NO_NAMES)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut sequence: S) -> Result<Self::Value, S::Error> {
        let mut duplicate = None;
        while let Some(item) = sequence.next_element::<UniqueNames>()? {
            duplicate = duplicate.or(item.duplicate);
        }
        Ok(UniqueNames { duplicate })
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut duplicate = None;
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<MemberName<'de>>()? {
            duplicate = duplicate.or(map.next_value::<UniqueNames>()?.duplicate);
            if let Some(MemberName(name)) = names.replace(name) {
                duplicate.get_or_insert(name.into_owned());
            }
        }
        Ok(UniqueNames { duplicate })
    }
}

impl<'de> Deserialize<'de> for UniqueNames {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UniqueNamesVisitor)
    }
}

#[cfg(test)]
mod tests;
