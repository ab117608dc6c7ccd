//! The lane that a request is about: that of the live events, or that of a replay.

use std::fmt;
use std::sync::Arc;

use easel_subscriptions::{ReplayNumber, Subscription};
use serde::de::{self, Deserializer, Visitor};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::Api;
use crate::api_error::ApiError;

/// `live`, or the number of a replay; `live` if it is missing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneNameJson(Option<ReplayNumber>);

impl LaneNameJson {
    /// That lane of the subscription `name`.
    pub(crate) fn find(self, api: &Api, name: &str) -> Result<Arc<Subscription>, ApiError> {
        Ok(api.subscriptions.lane(name, self.0)?)
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
        if text == "live" {
            return Ok(LaneNameJson(None));
        }
        let number = text.parse().map_err(|_not_a_number| {
            E::custom(format_args!(
                "a lane is `live` or the number of a replay; {text:?} is not"
            ))
        })?;
        Ok(LaneNameJson(Some(number)))
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
