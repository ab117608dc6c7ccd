//! The flags that `add` and `edit` share.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::settings::nearest;

/// What an event's metadata can be asked for.
pub(super) const CONDITION_KEYS: [&str; 6] = [
    "root_account",
    "account",
    "course",
    "user",
    "producer",
    "context_type",
];

/// Fields of a subscription; what is not given is left as it is.
#[derive(Debug, clap::Args)]
pub(super) struct FieldArgs {
    /// Event types wanted, * stands for any characters; can be repeated [default: all]
    #[arg(long = "event", value_name = "GLOB")]
    pub(super) events: Vec<String>,
    /// What an event's metadata must say, such as `course=10000000000301`; can be repeated.
    /// Keys: `root_account`, `account`, `course`, `user`, `producer`, `context_type`
    #[arg(long = "condition", value_name = "KEY=VALUE", value_parser = condition)]
    pub(super) conditions: Vec<(String, String)>,
    /// Form to send events in: canvas, caliper or caliper-strict [default: canvas]
    #[arg(long)]
    format: Option<String>,
    /// Events in one envelope, in a Caliper form [default: 1]
    #[arg(long, value_name = "N")]
    batch: Option<u16>,
    /// How many deliveries may be under way at once [default: 16]
    #[arg(long, value_name = "N")]
    in_flight: Option<u16>,
    /// How long one attempt may take [default: 15s]
    #[arg(long, value_name = "LENGTH")]
    timeout: Option<String>,
    /// When a failed delivery is tried again: `default` (13 attempts in 3 days), `hosted` (4 attempts
    /// in 10 to 20 minutes), or pauses such as 5s,1m,1h
    #[arg(long, value_name = "SCHEDULE", value_parser = schedule)]
    retry: Option<Value>,
    /// What becomes of a delivery after its last attempt: `dead_letter`, `hold_key` or `hold_lane`
    /// [default: `dead_letter`]
    #[arg(long, value_name = "WHAT", value_parser = on_exhausted)]
    on_exhausted: Option<String>,
    /// Order of deliveries: `none`, or `key` for one after another with the same key [default: none]
    #[arg(long)]
    order: Option<String>,
    /// Field to keep in order by, such as `body.course_id` [default: the acting user, else the context]
    #[arg(long, value_name = "FIELD")]
    key: Option<String>,
    /// Events a second at most, or `off` [default: off]
    #[arg(long, value_name = "N", value_parser = max_rate)]
    max_rate: Option<Value>,
}

impl FieldArgs {
    /// The fields that were given, as the API takes them, with the URL of the webhook.
    pub(super) fn json(&self, url: Option<&str>) -> Value {
        let webhook = object([
            ("url", url.map(Value::from)),
            ("timeout", self.timeout.as_deref().map(Value::from)),
            ("batch", self.batch.map(Value::from)),
        ]);
        object([
            ("format", self.format.as_deref().map(Value::from)),
            ("in_flight", self.in_flight.map(Value::from)),
            (
                "events",
                (!self.events.is_empty()).then(|| json!(self.events)),
            ),
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

/// Conditions as the API takes them, if there are any.
pub(in crate::commands) fn conditions_json(conditions: &[(String, String)]) -> Option<Value> {
    let mut by_key = BTreeMap::<_, Vec<_>>::new();
    for (key, value) in conditions {
        by_key.entry(key).or_default().push(value);
    }
    (!by_key.is_empty()).then(|| json!(by_key))
}

/// An object of the members that have a value.
pub(in crate::commands) fn object<const N: usize>(
    members: [(&str, Option<Value>); N],
) -> Map<String, Value> {
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    members.collect()
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "clap asks for a function that may refuse"
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
    reason = "clap asks for a function that may refuse"
)]
fn on_exhausted(text: &str) -> Result<String, String> {
    Ok(text.replace('-', "_"))
}

/// `null` takes the limit away.
fn max_rate(text: &str) -> Result<Value, String> {
    if text == "off" {
        return Ok(Value::Null);
    }
    let number = text.parse::<u32>();
    number
        .map(Value::from)
        .map_err(|_not_a_number| "it is a number of events a second, or `off`".to_owned())
}

/// Reads a condition that is given as `KEY=VALUE`.
pub(in crate::commands) fn condition(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err("a condition is given as KEY=VALUE".to_owned());
    };
    if CONDITION_KEYS.contains(&key) {
        return Ok((key.to_owned(), value.to_owned()));
    }
    let known = CONDITION_KEYS.join(", ");
    let near = nearest(key, CONDITION_KEYS).map(|near| format!("; did you mean {near}?"));
    let near = near.unwrap_or_default();
    Err(format!(
        "{key:?} is no key of a condition{near} Keys are {known}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_of_a_condition_is_refused_with_the_nearest() {
        assert_eq!(
            condition("course=7=8"),
            Ok(("course".to_owned(), "7=8".to_owned()))
        );
        let refused = condition("cuorse=7").unwrap_err();
        assert!(refused.contains("did you mean course?"), "{refused}");
        let refused = condition("colour=red").unwrap_err();
        assert!(
            refused.contains("Keys are root_account, account"),
            "{refused}"
        );
        assert!(condition("course").is_err() && condition("=7").is_err());
    }
}
