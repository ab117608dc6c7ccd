//! An event as one line of text: time, type, user, context and id.

use std::borrow::Cow;

use easel_catalog::{Facts, parse_timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::output::printable;

/// An event as the API returns it.
#[derive(Deserialize)]
pub(super) struct ShownJson<'a> {
    id: String,
    event_type: String,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// The part of a Canvas event that has no [`Facts`]. A Caliper envelope has none of these members.
#[derive(Default, Deserialize)]
struct CanvasEventJson {
    #[serde(default)]
    metadata: LoginJson,
}

#[derive(Default, Deserialize)]
struct LoginJson {
    user_login: Option<String>,
}

/// Returns the line of an event. A missing value is `-`.
pub(super) fn render(shown: &ShownJson<'_>) -> String {
    let event = shown.event.get();
    let canvas: CanvasEventJson = serde_json::from_str(event).unwrap_or_default();
    let facts = Facts::from_event(event.as_bytes());
    let text = |fact: Option<Cow<'_, str>>| {
        fact.filter(|text| !text.is_empty())
            .map(|text| printable(&text))
    };
    let absent = || "-".to_owned();
    let time = text(facts.event_time).map_or_else(absent, |text| {
        parse_timestamp(&text).map_or(text, |time| format!("{time:.0}"))
    });
    let event_type = printable(&shown.event_type);
    let user_login = canvas.metadata.user_login.map(Cow::Owned);
    let user = text(user_login).or_else(|| text(facts.user_id));
    let user = user.unwrap_or_else(absent);
    let context = match (text(facts.context_type), text(facts.context_id)) {
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
    fn check(event_type: &str, event: &str, wanted: &str) {
        let json =
            format!(r#"{{"offset":7,"id":"0b7f","event_type":"{event_type}","event":{event}}}"#);
        let line = render(&serde_json::from_str(&json).unwrap());
        let words: Vec<_> = line
            .split("  ")
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect();
        assert_eq!(words.join(" | "), wanted, "{event}");
    }

    #[track_caller]
    fn check_canvas(event_type: &str, metadata: &str, wanted: &str) {
        let event = format!(r#"{{"metadata":{metadata},"body":{{}}}}"#);
        check(event_type, &event, wanted);
    }

    #[test]
    fn a_line_shows_time_type_user_context_and_id() {
        check_canvas(
            "grade_change",
            r#"{"event_name":"grade_change","event_time":"2026-11-22 08:00:00.123 UTC",
                "user_login":"marit","user_id":"7","context_type":"Course","context_id":"44"}"#,
            "2026-11-22T08:00:00Z | grade_change | marit | Course 44 | 0b7f",
        );
        check_canvas(
            "x",
            r#"{"event_name":"x","event_time":"2026-11-22T08:00:00Z","user_id":7,"context_id":null}"#,
            "2026-11-22T08:00:00Z | x | 7 | - | 0b7f",
        );
        check_canvas("x", "{}", "- | x | - | - | 0b7f");
    }

    #[test]
    fn an_event_that_came_in_caliper_is_shown_too() {
        check(
            "caliper:SessionEvent/LoggedIn",
            r#"{"sensor":"http://a/","data":[{"type":"SessionEvent","action":"LoggedIn",
                "eventTime":"2026-11-22T08:00:00.123Z","actor":"urn:instructure:canvas:user:7",
                "group":{"id":"urn:instructure:canvas:course:44"}}]}"#,
            "2026-11-22T08:00:00Z | caliper:SessionEvent/LoggedIn | 7 | Course 44 | 0b7f",
        );
    }

    #[test]
    fn control_characters_of_an_event_are_escaped() {
        check_canvas(
            r"x\u001b[2J",
            r#"{"event_time":"noon\n","user_login":"a"}"#,
            "noon\\n | x\\u{1b}[2J | a | - | 0b7f",
        );
    }
}
