//! A subscription of the settings file: its spec, with the reach beside the members of the spec.

use std::fmt;

use easel_catalog::Reach;
use easel_server::{Declaration, Spec};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The key of the reach.
pub(super) const REACH: &str = "reach";

/// A table of `[[subscriptions]]`.
pub(super) struct DeclarationToml(pub(super) Declaration);

impl<'de> Deserialize<'de> for DeclarationToml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DeclarationVisitor)
    }
}

struct DeclarationVisitor;

impl<'de> Visitor<'de> for DeclarationVisitor {
    type Value = DeclarationToml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<DeclarationToml, A::Error> {
        let mut reach = None;
        let members = SpecMembers {
            table,
            reach: &mut reach,
        };
        let spec = Spec::deserialize(MapAccessDeserializer::new(members))?;
        let reach = match reach {
            Some(text) => text.parse().map_err(Error::custom)?,
            None => Reach::Everything,
        };
        Ok(DeclarationToml(Declaration { reach, spec }))
    }
}

/// The members of the table except the reach, which it takes out.
struct SpecMembers<'a, A> {
    table: A,
    reach: &'a mut Option<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for SpecMembers<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.table.next_key::<String>()? {
            if key != REACH {
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
            *self.reach = Some(self.table.next_value()?);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.table.next_value_seed(seed)
    }
}
