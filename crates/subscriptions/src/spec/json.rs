//! The JSON of a spec, for the API, for `easel.toml` and for the store.
//!
//! Each kind of sink has a member of its own, and a spec has exactly one of these members.

mod secret_text;
mod sql_json;
mod sqs_json;
mod webhook_json;

use easel_catalog::KeyField;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{
    ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};

use super::{
    Conditions, EventGlob, Format, InFlight, Masking, MaxRate, Name, OnExhausted, OrderBy,
    SinkSpec, Spec, SpecError, Start,
};
use crate::Schedule;
use secret_text::SecretTexts;
use sql_json::SqlJson;
use sqs_json::SqsJson;
use webhook_json::WebhookJson;

/// The specification of a subscription.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Spec)]
#[serde(deny_unknown_fields)]
pub struct SpecJson {
    /// The unique name for operators.
    #[schema(value_type = String, example = "grades")]
    name: Name,
    /// The patterns of event types, whatever made the events. The default is all types, or no type if there
    /// are `user_events` or `system_events`. An event must match a pattern of one of the three lists. Events
    /// of Easel itself match only a pattern that begins with `easel.`.
    #[schema(value_type = Vec<String>, example = json!(["grade_*", "submission_created"]))]
    #[serde(default)]
    events: Option<Vec<EventGlob>>,
    /// The patterns of the types of events that a request made, so a user.
    #[schema(value_type = Vec<String>, example = json!(["submission_*"]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    user_events: Vec<EventGlob>,
    /// The patterns of the types of events that no request made. Jobs make most of them.
    #[schema(value_type = Vec<String>, example = json!(["submission_*"]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    system_events: Vec<EventGlob>,
    /// The conditions on an event.
    #[serde(default)]
    conditions: Conditions,
    /// The format in which events are sent.
    #[serde(default)]
    format: Format,
    /// Whether the values of secret query parameters, such as `access_token`, are masked in the URLs of
    /// events.
    #[serde(default)]
    masking: Masking,
    /// Where in the log the subscription begins. Used once, when the subscription is created.
    #[schema(schema_with = start_schema)]
    #[serde(default)]
    start: Start,
    /// The most requests sent at once.
    #[schema(value_type = u16, minimum = 1, maximum = 256, example = 16)]
    #[serde(default)]
    in_flight: InFlight,
    /// The most events per second. The default is no limit.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100_000, example = 100)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_rate: Option<MaxRate>,
    /// The order in which events are sent.
    #[serde(default)]
    order: OrderBy,
    /// The field of the order key, such as `metadata.user_id` or `body.course_id`. The default is the
    /// acting user, or the context for events without a user.
    #[schema(value_type = Option<String>, example = "body.course_id")]
    #[serde(default, skip_serializing_if = "Option::is_none", with = "key_field")]
    key: Option<KeyField>,
    /// When a failed delivery is retried.
    #[schema(schema_with = schedule_schema)]
    #[serde(default)]
    retry: Schedule,
    /// What to do with a delivery after its last attempt.
    #[serde(default)]
    on_exhausted: OnExhausted,
    /// The endpoint that events are sent to. One of `webhook`, `sql` and `sqs` is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookJson>,
    /// The tables that events are written to. One of `webhook`, `sql` and `sqs` is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sql: Option<SqlJson>,
    /// The queue that events are sent to. One of `webhook`, `sql` and `sqs` is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sqs: Option<SqsJson>,
}

impl SpecJson {
    /// Creates the JSON with all secrets, for the store. It must be sealed.
    pub fn with_secrets(spec: &Spec) -> Self {
        Self::new(spec, SecretTexts::Exposed)
    }

    /// Creates the JSON without secrets, for callers. [`Spec::keep_secrets`] adds the secrets again.
    pub fn without_secrets(spec: &Spec) -> Self {
        Self::new(spec, SecretTexts::Hidden)
    }

    fn new(spec: &Spec, secrets: SecretTexts) -> Self {
        let Spec {
            name,
            events,
            user_events,
            system_events,
            conditions,
            format,
            masking,
            start,
            in_flight,
            max_rate,
            order,
            key,
            retry,
            on_exhausted,
            sink,
        } = spec;
        let (mut webhook_json, mut sql_json, mut sqs_json) = (None, None, None);
        match sink {
            SinkSpec::Webhook(webhook) => webhook_json = Some(WebhookJson::new(webhook, secrets)),
            SinkSpec::Sql(sql) => sql_json = Some(SqlJson::new(sql, secrets)),
            SinkSpec::Sqs(sqs) => sqs_json = Some(SqsJson::new(sqs, secrets)),
        }
        Self {
            name: name.clone(),
            events: Some(events.clone()),
            user_events: user_events.clone(),
            system_events: system_events.clone(),
            conditions: conditions.clone(),
            format: *format,
            masking: *masking,
            start: *start,
            in_flight: *in_flight,
            max_rate: *max_rate,
            order: *order,
            key: key.clone(),
            retry: retry.clone(),
            on_exhausted: *on_exhausted,
            webhook: webhook_json,
            sql: sql_json,
            sqs: sqs_json,
        }
    }
}

impl TryFrom<SpecJson> for Spec {
    type Error = SpecError;

    fn try_from(json: SpecJson) -> Result<Self, SpecError> {
        let sink = match (json.webhook, json.sql, json.sqs) {
            (Some(webhook), None, None) => SinkSpec::Webhook(webhook.into()),
            (None, Some(sql), None) => SinkSpec::Sql(sql.into()),
            (None, None, Some(sqs)) => SinkSpec::Sqs(sqs.try_into()?),
            (None, None, None)
            | (Some(_), Some(_), _)
            | (Some(_), _, Some(_))
            | (_, Some(_), Some(_)) => {
                return Err(SpecError::Sink);
            }
        };
        let is_by_origin = !json.user_events.is_empty() || !json.system_events.is_empty();
        let events = json.events.unwrap_or_else(|| {
            if is_by_origin {
                Vec::new()
            } else {
                EventGlob::all()
            }
        });
        Ok(Self {
            name: json.name,
            events,
            user_events: json.user_events,
            system_events: json.system_events,
            conditions: json.conditions,
            format: json.format,
            masking: json.masking,
            start: json.start,
            in_flight: json.in_flight,
            max_rate: json.max_rate,
            order: json.order,
            key: json.key,
            retry: json.retry,
            on_exhausted: json.on_exhausted,
            sink,
        })
    }
}

/// Prints the spec without secrets.
impl std::fmt::Debug for SpecJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&Spec::try_from(self.clone()), f)
    }
}

fn start_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some(
            "Where in the log the subscription begins: `now`, `earliest`, a time, or an offset. Used \
             once, when the subscription is created.",
        ))
        .examples(["now"])
        .into()
}

fn schedule_schema() -> Schema {
    let pauses = ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::String))
        .max_items(Some(Schedule::MAX_PAUSES));
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["default", "hosted"]));
    OneOfBuilder::new()
        .item(name)
        .item(pauses)
        .description(Some(
            "When a failed delivery is retried: `default` (13 attempts in 3 days), `hosted` (4 \
             attempts in 10 to 20 minutes, like the hosted service), or a list of pauses of 1s to \
             7d, such as `[\"5s\", \"1m\"]`.",
        ))
        .into()
}

/// Serializes and parses the name of a field.
mod key_field {
    use easel_catalog::KeyField;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde requires this signature")]
    pub(super) fn serialize<S: Serializer>(
        field: &Option<KeyField>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        field.as_ref().map(ToString::to_string).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<KeyField>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let field = text.map(|text| text.parse()).transpose();
        field.map_err(de::Error::custom)
    }
}
