//! Sample events in the shape that Canvas writes.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use easel_log::Clock;

use crate::FakeClock;

/// Returns the `n`th event of the type `name`: minified JSON, as it is stored and delivered.
///
/// Each `n` gives different bytes. The event `n + 1` happens one millisecond after the event `n`.
/// There are ten acting users (`user_id` ends in the last digit of `n`) and five courses as context.
/// The catalogue knows every field of `course_created`, `course_updated` and `grade_change`.
pub fn event(name: &str, n: u64) -> Bytes {
    let is_grade = name == "grade_change";
    let points = if matches!(name, "course_created" | "course_updated") {
        ""
    } else {
        "\"points_possible\":12.50,"
    };
    let name = serde_json::Value::from(name);
    let clock = FakeClock::default();
    clock.advance(Duration::from_millis(n));
    let time = clock.now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let (user, course) = (n % 10, n % 5);
    let request = uuid::Uuid::from_u128(u128::from(n));
    let course_body = format!(
        r#""course_id":"1000000000030{course}",
                "account_id":"10000000000007",
                "name":"Botany for gr\u00f8nne fingre {n}",
                {points}
                "workflow_state":"available",
                "created_at":"{time}",
                "updated_at":null"#
    );
    let grade_body = format!(
        r#""assignment_id":"1000000000040{course}",
                "submission_id":"1000000000050{course}",
                "assignment_name":"Botany for gr\u00f8nne fingre {n}",
                {points}
                "grade":"B+",
                "student_id":"1000000000020{user}",
                "score":null"#
    );
    let body = if is_grade { grade_body } else { course_body };
    let pretty = format!(
        r#"{{
            "metadata":{{
                "root_account_uuid":"q9XwT3mZLr0aVbN5sKdYfH2uPeGcJi8oRx1tWv4E",
                "root_account_id":"10000000000001",
                "root_account_lti_guid":"q9XwT3mZLr0aVbN5sKdYfH2uPeGcJi8oRx1tWv4E.meadow.example",
                "user_login":"ida{user}@meadow.example",
                "user_account_id":"10000000000001",
                "user_sis_id":null,
                "user_id":"1000000000020{user}",
                "time_zone":"Europe/Oslo",
                "context_type":"Course",
                "context_id":"1000000000030{course}",
                "context_sis_source_id":"BOT-10{course}",
                "context_account_id":"10000000000007",
                "context_role":"TeacherEnrollment",
                "request_id":"{request}",
                "session_id":"5b0c7f8e2d914a63b1f0c2d3e4a59687",
                "hostname":"meadow.example",
                "http_method":"POST",
                "user_agent":"Mozilla/5.0 (X11; Linux x86_64)",
                "client_ip":"192.0.2.17",
                "url":"https://meadow.example/courses/30{course}",
                "referrer":null,
                "producer":"canvas",
                "event_name":{name},
                "event_time":"{time}"
            }},
            "body":{{
                {body}
            }}
        }}"#
    );
    Bytes::from(pretty.lines().map(str::trim_start).collect::<String>())
}

/// Returns the same event with the key `attributes` instead of `metadata`, as Canvas itself sends it.
///
/// The bytes inside both parts stay the same.
pub fn with_attributes_key(event: &[u8]) -> Bytes {
    #[derive(Deserialize)]
    struct Parts<'a> {
        #[serde(borrow)]
        metadata: &'a RawValue,
        #[serde(borrow)]
        body: &'a RawValue,
    }
    #[expect(clippy::expect_used, reason = "a test passes an event")]
    let Parts { metadata, body } = serde_json::from_slice(event).expect("an event");
    Bytes::from(format!(r#"{{"attributes":{metadata},"body":{body}}}"#))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn events_are_minified_json_with_the_requested_name_time_and_user() {
        let event = event("odd \" name", 1_234);
        let value: Value = serde_json::from_slice(&event).unwrap();
        assert_eq!(value["metadata"]["event_name"], "odd \" name");
        assert_eq!(value["metadata"]["event_time"], "2025-03-03T08:00:01.234Z");
        assert_eq!(value["metadata"]["user_id"], "10000000000204");
        let text = std::str::from_utf8(&event).unwrap();
        assert!(
            !text.contains(['\n', '\t']) && !text.contains("\": "),
            "{text}"
        );
    }

    #[test]
    fn events_with_different_numbers_have_different_bytes() {
        assert_ne!(event("course_created", 1), event("course_created", 2));
        assert_eq!(event("course_created", 1), event("course_created", 1));
    }

    #[test]
    fn the_event_with_attributes_differs_only_in_the_key() {
        let event = event("course_created", 1);
        let other = with_attributes_key(&event);
        let text = std::str::from_utf8(&other).unwrap();
        assert_eq!(text.replacen("attributes", "metadata", 1).as_bytes(), event);
    }
}
