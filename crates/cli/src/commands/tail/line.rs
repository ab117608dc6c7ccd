//! An event as one line of text: time, type, user, context and id.

use easel_catalog::parse_timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::output::printable;

/// An event as the API returns it.
#[derive(Deserialize)]
pub(super) struct ShownJson {
    id: String,
    event: EventJson,
}

#[derive(Deserialize)]
struct EventJson {
    metadata: Value,
}

/// Returns the line of an event. A missing value is `-`.
pub(super) fn render(shown: ShownJson) -> String {
    let metadata = shown.event.metadata;
    let text = |name: &str| match metadata.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(printable(text)),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let absent = || "-".to_owned();
    let time = text("event_time").map_or_else(absent, |text| {
        parse_timestamp(&text).map_or(text, |time| format!("{time:.0}"))
    });
    let event_type = text("event_name").unwrap_or_else(absent);
    let user = text("user_login").or_else(|| text("user_id"));
    let user = user.unwrap_or_else(absent);
    let context = match (text("context_type"), text("context_id")) {
        (Some(kind), Some(id)) => format!("{kind} {id}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => absent(),
    };
    let id = printable(&shown.id);
    format!("{time:<20}  {event_type:<24}  {user:<18}  {context:<21}  {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(metadata: &str, wanted: &str) {
        let json =
            format!(r#"{{"offset":7,"id":"0b7f","event":{{"metadata":{metadata},"body":{{}}}}}}"#);
        let line = render(serde_json::from_str(&json).unwrap());
        let words: Vec<_> = line
            .split("  ")
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect();
        assert_eq!(words.join(" | "), wanted, "{metadata}");
    }

    #[test]
    fn a_line_shows_time_type_user_context_and_id() {
        check(
            r#"{"event_name":"grade_change","event_time":"2026-11-22 08:00:00.123 UTC",
                "user_login":"marit","user_id":"7","context_type":"Course","context_id":"44"}"#,
            "2026-11-22T08:00:00Z | grade_change | marit | Course 44 | 0b7f",
        );
        check(
            r#"{"event_name":"x","event_time":"2026-11-22T08:00:00Z","user_id":7,"context_id":null}"#,
            "2026-11-22T08:00:00Z | x | 7 | - | 0b7f",
        );
        check("{}", "- | - | - | - | 0b7f");
    }

    #[test]
    fn control_characters_of_an_event_are_escaped() {
        check(
            r#"{"event_name":"x\u001b[2J","event_time":"noon\n","user_login":"a"}"#,
            "noon\\n | x\\u{1b}[2J | a | - | 0b7f",
        );
    }
}
