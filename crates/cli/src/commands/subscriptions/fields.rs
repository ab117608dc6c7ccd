//! The flags that `add` and `edit` share.

use std::collections::BTreeMap;

use clap::builder::PossibleValuesParser;
use serde_json::{Map, Value, json};

use crate::settings::nearest;

/// The keys of conditions.
pub(super) const CONDITION_KEYS: [&str; 8] = [
    "root_account",
    "account",
    "course",
    "user",
    "producer",
    "context_type",
    "assignment",
    "associated_integration",
];

/// The fields of a subscription. A field that is not given gets its default in `add`, and stays unchanged in
/// `edit`.
#[derive(Debug, clap::Args)]
pub(super) struct FieldArgs {
    /// Event types to deliver; * matches any characters; can be repeated. `off` for none, beside
    /// --user-event or --system-event [default: all]
    #[arg(long = "event", value_name = "GLOB")]
    pub(super) events: Vec<String>,
    /// Event types to deliver if a request made the event, so a user; can be repeated
    #[arg(long = "user-event", value_name = "GLOB")]
    pub(super) user_events: Vec<String>,
    /// Event types to deliver if no request made the event, but a job; can be repeated
    #[arg(long = "system-event", value_name = "GLOB")]
    pub(super) system_events: Vec<String>,
    /// Condition on the event, such as `course=10000000000301`; can be repeated.
    /// Keys: `root_account`, `account`, `course`, `user`, `producer`, `context_type`, `assignment`,
    /// `associated_integration`
    #[arg(long = "condition", value_name = "KEY=VALUE", value_parser = condition)]
    pub(super) conditions: Vec<(String, String)>,
    /// Format of the events: canvas, caliper or caliper-strict [default: canvas]
    #[arg(long, conflicts_with = "sql")]
    format: Option<String>,
    /// Mask secret values, such as access tokens, in the URLs of events: on or off [default: on]
    #[arg(long, value_parser = PossibleValuesParser::new(["on", "off"]), hide_possible_values = true)]
    masking: Option<String>,
    /// Maximum number of events in one Caliper envelope [default: 1]
    #[arg(long, value_name = "N", conflicts_with_all = ["sql", "sqs"])]
    batch: Option<u16>,
    /// Maximum number of concurrent deliveries [default: 16]
    #[arg(long, value_name = "N", conflicts_with = "sql")]
    in_flight: Option<u16>,
    /// Timeout of one attempt [default: 15s]
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["sql", "sqs"])]
    timeout: Option<String>,
    /// Retry schedule: `default` (13 attempts in 3 days), `hosted` (as hosted Canvas retries: 4
    /// attempts in 10 to 20 minutes), or pauses such as 5s,1m,1h
    #[arg(long, value_name = "SCHEDULE", conflicts_with = "sql", value_parser = schedule)]
    retry: Option<Value>,
    /// Action after the last failed attempt: `dead_letter`, `hold_key` (later events with the same
    /// key wait until an operator decides) or `hold_lane` (all later events wait until then)
    /// [default: `dead_letter`]
    #[arg(long, value_name = "ACTION", conflicts_with = "sql", value_parser = on_exhausted)]
    on_exhausted: Option<String>,
    /// Order of deliveries: `none`, or `key` to deliver events with the same --key in order [default: none]
    #[arg(long, conflicts_with = "sql")]
    order: Option<String>,
    /// Field whose value is the key, such as `body.course_id` [default: the acting user, else the context]
    #[arg(long, value_name = "FIELD", conflicts_with = "sql")]
    key: Option<String>,
    /// Maximum number of events per second, or `off` [default: off]
    #[arg(long, value_name = "N", value_parser = max_rate)]
    max_rate: Option<Value>,
}

impl FieldArgs {
    /// Returns the given fields and the webhook URL for the API request.
    pub(super) fn json(&self, url: Option<&str>) -> Value {
        let webhook = object([
            ("url", url.map(Value::from)),
            ("timeout", self.timeout.as_deref().map(Value::from)),
            ("batch", self.batch.map(Value::from)),
        ]);
        object([
            ("format", self.format.as_deref().map(Value::from)),
            ("masking", self.masking.as_deref().map(Value::from)),
            ("in_flight", self.in_flight.map(Value::from)),
            ("events", globs(&self.events)),
            ("user_events", globs(&self.user_events)),
            ("system_events", globs(&self.system_events)),
            ("conditions", conditions_json(&self.conditions)),
            ("retry", self.retry.clone()),
            (
                "on_exhausted",
                self.on_exhausted.as_deref().map(Value::from),
            ),
            ("order", self.order.as_deref().map(Value::from)),
            ("key", self.key.as_deref().map(Value::from)),
            ("max_rate", self.max_rate.clone()),
            ("webhook", (!webhook.is_empty()).then(|| webhook.into())),
        ])
        .into()
    }
}

/// Returns event types for the API request, or `None` if there are none. `off` means an empty list.
fn globs(globs: &[String]) -> Option<Value> {
    match globs {
        [] => None,
        [off] if off == "off" => Some(json!([])),
        globs => Some(json!(globs)),
    }
}

/// Returns the conditions for the API request, or `None` without conditions.
pub(in crate::commands) fn conditions_json(conditions: &[(String, String)]) -> Option<Value> {
    let mut by_key = BTreeMap::<_, Vec<_>>::new();
    for (key, value) in conditions {
        by_key.entry(key).or_default().push(value);
    }
    (!by_key.is_empty()).then(|| json!(by_key))
}

/// Returns a JSON object of the members that have a value.
pub(in crate::commands) fn object<const N: usize>(
    members: [(&str, Option<Value>); N],
) -> Map<String, Value> {
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    members.collect()
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "clap requires a function that returns a `Result`"
)]
fn schedule(text: &str) -> Result<Value, String> {
    Ok(match text {
        "default" | "hosted" => text.into(),
        "" => json!([]),
        pauses => pauses.split(',').map(str::trim).collect(),
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "clap requires a function that returns a `Result`"
)]
fn on_exhausted(text: &str) -> Result<String, String> {
    Ok(text.replace('-', "_"))
}

/// Parses a rate. `off` becomes `null`, which removes the limit.
fn max_rate(text: &str) -> Result<Value, String> {
    if text == "off" {
        return Ok(Value::Null);
    }
    let number = text.parse::<u32>();
    number
        .map(Value::from)
        .map_err(|_not_a_number| "must be a number of events per second, or `off`".to_owned())
}

/// Parses a condition `KEY=VALUE`.
pub(in crate::commands) fn condition(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err("must be KEY=VALUE".to_owned());
    };
    if CONDITION_KEYS.contains(&key) {
        return Ok((key.to_owned(), value.to_owned()));
    }
    let known = CONDITION_KEYS.join(", ");
    let near = nearest(key, CONDITION_KEYS).map(|near| format!("; did you mean {near}?"));
    let near = near.unwrap_or_default();
    Err(format!("the key {key:?} is unknown{near} (keys: {known})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_of_a_condition_is_rejected_and_a_similar_key_is_suggested() {
        assert_eq!(
            condition("course=7=8"),
            Ok(("course".to_owned(), "7=8".to_owned()))
        );
        let refused = condition("cuorse=7").unwrap_err();
        assert!(refused.contains("did you mean course?"), "{refused}");
        let refused = condition("colour=red").unwrap_err();
        assert!(
            refused.contains("(keys: root_account, account"),
            "{refused}"
        );
        assert!(condition("course").is_err() && condition("=7").is_err());
    }
}
