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
}

impl FieldArgs {
    /// The fields that were given, as the API takes them, with the URL of the webhook.
    pub(super) fn json(&self, url: Option<&str>) -> Value {
        let webhook = object([
            ("url", url.map(Value::from)),
            ("timeout", self.timeout.as_deref().map(Value::from)),
            ("batch", self.batch.map(Value::from)),
        ]);
        let mut conditions = BTreeMap::<_, Vec<_>>::new();
        for (key, value) in &self.conditions {
            conditions.entry(key).or_default().push(value);
        }
        let conditions = (!conditions.is_empty()).then(|| json!(conditions));
        object([
            ("format", self.format.as_deref().map(Value::from)),
            ("in_flight", self.in_flight.map(Value::from)),
            (
                "events",
                (!self.events.is_empty()).then(|| json!(self.events)),
            ),
            ("conditions", conditions),
            ("webhook", (!webhook.is_empty()).then(|| webhook.into())),
        ])
        .into()
    }
}

/// An object of the members that have a value.
pub(super) fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    members.collect()
}

fn condition(text: &str) -> Result<(String, String), String> {
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
