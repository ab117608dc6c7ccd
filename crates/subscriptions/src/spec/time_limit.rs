//! Serializes and parses timeouts such as `15s` or `2m`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

pub(in crate::spec) fn parse(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(limit) if (SHORTEST..=LONGEST).contains(&limit) => Ok(limit),
        Ok(_) | Err(_) => Err(format!("the timeout must be 1s to 5m, not {text:?}")),
    }
}

pub(in crate::spec) fn serialize<S: Serializer>(
    limit: &Duration,
    out: S,
) -> Result<S::Ok, S::Error> {
    out.collect_str(&humantime::format_duration(*limit))
}

pub(in crate::spec) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Duration, D::Error> {
    parse(&String::deserialize(from)?).map_err(de::Error::custom)
}
