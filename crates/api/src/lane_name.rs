//! The lane of a request: the lane of live events, or the lane of a replay.

use std::fmt;
use std::sync::Arc;

use easel_subscriptions::{ReplayNumber, Subscription};
use serde::de::{self, Deserializer, Visitor};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::Api;
use crate::api_error::ApiError;
use crate::caller_name::CallerName;

/// `live`, or the number of a replay. The default is `live`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneNameJson(Option<ReplayNumber>);

impl LaneNameJson {
    /// Returns this lane of the subscription `name`.
    pub(crate) fn find(self, api: &Api, name: &CallerName) -> Result<Arc<Subscription>, ApiError> {
        Ok(api.subscriptions.lane(&name.full, self.0)?)
    }
}

impl<'de> serde::Deserialize<'de> for LaneNameJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LaneNameVisitor)
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
                "a lane must be `live` or the number of a replay, not {text:?}"
            ))
        })?;
        Ok(LaneNameJson(Some(number)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<LaneNameJson, E> {
        self.visit_str(&number.to_string())
    }
}

/// Returns the schema of the name of a lane in a body.
pub(crate) fn schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some(
            "The lane: `live`, or the number of a replay. The default is `live`.",
        ))
        .examples(["live"])
        .into()
}
