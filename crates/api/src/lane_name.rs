//! The lane that a request is about: that of the live events, or that of a replay.

use std::fmt;
use std::sync::Arc;

use easel_subscriptions::{LaneName, Subscription};
use serde::de::{self, Deserializer, Visitor};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::Api;
use crate::failure::Failure;

/// `live`, or the number of a replay. Nothing means `live`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneNameJson(LaneName);

impl LaneNameJson {
    /// That lane of the subscription `name`.
    pub(crate) fn find(self, api: &Api, name: &str) -> Result<Arc<Subscription>, Failure> {
        let LaneName(replay) = self.0;
        Ok(api.subscriptions.lane(name, replay)?)
    }
}

impl<'de> serde::Deserialize<'de> for LaneNameJson {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LaneNameVisitor)
    }
}

struct LaneNameVisitor;

impl Visitor<'_> for LaneNameVisitor {
    type Value = LaneNameJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`live` or the number of a replay")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<LaneNameJson, E> {
        text.parse().map(LaneNameJson).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<LaneNameJson, E> {
        self.visit_str(&number.to_string())
    }
}

/// The schema of a lane's name in a body.
pub(crate) fn schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some(
            "The lane: `live`, which is the default, or the number of a replay.",
        ))
        .examples(["live"])
        .into()
}
