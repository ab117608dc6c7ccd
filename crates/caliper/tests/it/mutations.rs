//! One fault at a time: each fault breaks exactly one rule.

use easel_caliper::{Rule, check};
use serde_json::{Value, json};

/// Returns an envelope that breaks no rule.
fn clean() -> Value {
    let user = json!({ "id": "urn:instructure:canvas:user:31", "type": "Person" });
    let course = json!({ "id": "urn:instructure:canvas:course:44", "type": "CourseOffering" });
    json!({
        "sensor": "http://lms.example.edu/",
        "sendTime": "2026-02-11T08:15:43.000Z",
        "dataVersion": "http://purl.imsglobal.org/ctx/caliper/v1p1",
        "data": [{
            "@context": "http://purl.imsglobal.org/ctx/caliper/v1p1",
            "id": "urn:uuid:3f672715-6aa8-4293-b62a-3b3319ff5701",
            "type": "AssignableEvent",
            "actor": user,
            "action": "Submitted",
            "object": {
                "id": "urn:instructure:canvas:assignment:9",
                "type": "AssignableDigitalResource",
                "name": "Cell division",
                "dateToSubmit": "2026-02-20T22:59:59.000Z",
                "maxScore": 10,
                "maxAttempts": 2,
                "creators": [{ "id": "urn:instructure:canvas:user:812", "type": "Person" }],
            },
            "eventTime": "2026-02-11T08:15:42.067Z",
            "generated": {
                "id": "urn:instructure:canvas:submission:233",
                "type": "Attempt",
                "assignee": user,
                "assignable": "urn:instructure:canvas:assignment:9",
                "count": 1,
                "duration": "PT30M",
            },
            "edApp": { "id": "http://lms.example.edu/", "type": "SoftwareApplication" },
            "group": course,
            "membership": {
                "id": "urn:instructure:canvas:course:44:Learner:31",
                "type": "Membership",
                "member": user,
                "organization": course,
                "roles": ["Learner", "Learner#NonCreditLearner"],
                "status": "Active",
            },
            "session": { "id": "urn:instructure:canvas:session:6f1b", "type": "Session" },
            "extensions": { "com.instructure.canvas": { "version": "1.0.0" } },
        }],
    })
}

fn codes(envelope: &str) -> Vec<&'static str> {
    check(envelope.as_bytes())
        .unwrap()
        .iter()
        .map(|breach| breach.rule.code())
        .collect()
}

/// Returns the clean envelope with the values at these JSON pointers set, or removed for `None`.
fn with(changes: &[(&str, Option<Value>)]) -> String {
    let mut envelope = clean();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match (envelope.pointer_mut(parent).expect(pointer), value) {
            (Value::Object(members), Some(value)) => {
                drop(members.insert(name.to_owned(), value.clone()));
            }
            (Value::Object(members), None) => drop(members.remove(name).expect(pointer)),
            (Value::Array(elements), Some(value)) => {
                elements[name.parse::<usize>().unwrap()] = value.clone();
            }
            (other, _) => panic!("{pointer}: {other}"),
        }
    }
    envelope.to_string()
}

/// Returns an envelope with one fault, which breaks this rule.
fn faulty_envelope(rule: Rule) -> String {
    let set = |pointer: &str, value: Value| with(&[(pointer, Some(value))]);
    let without = |pointer: &str| with(&[(pointer, None)]);
    let event = |name: &str| format!("/data/0/{name}");
    let document = json!({ "id": "urn:x-a:1", "type": "Document" });
    // An event of another type, without `generated`.
    let other_event = |kind: &str, action: &str, object: Value, more: &[(&str, Option<Value>)]| {
        let changes = [
            ("/data/0/type", Some(kind.into())),
            ("/data/0/action", Some(action.into())),
            ("/data/0/object", Some(object)),
            ("/data/0/generated", None),
        ];
        with(&[&changes, more].concat())
    };
    let quiz = json!({ "id": "urn:instructure:canvas:quiz:27", "type": "Assessment" });
    let attempt = json!({ "id": "urn:instructure:canvas:submission:233", "type": "Attempt" });
    let application = json!({ "id": "http://lms.example.edu/", "type": "SoftwareApplication" });
    match rule {
        Rule::E1 => "[]".to_owned(),
        Rule::E2 => without("/sensor"),
        Rule::E3 => set("/more", 1.into()),
        Rule::E4 => set("/sensor", 7.into()),
        Rule::E4s => set("/sensor", "www.canvaslms.com".into()),
        Rule::E5 => set("/sendTime", "2026-02-11T08:15:43Z".into()),
        Rule::E6 => set(
            "/dataVersion",
            "http://purl.imsglobal.org/ctx/caliper/v1p2".into(),
        ),
        Rule::E7 => set("/data", json!({ "a": 1 })),
        Rule::E8 => set("/data/0", 7.into()),
        Rule::E9 => clean()
            .to_string()
            .replacen("\"name\":", "\"name\":\"a\",\"name\":", 1),
        Rule::C1 => without(&event("@context")),
        Rule::C2 => set(
            &event("@context"),
            "http://purl.imsglobal.org/ctx/caliper/v1p0".into(),
        ),
        Rule::C3 => set(
            &event("@context"),
            json!(["http://purl.imsglobal.org/ctx/caliper/v1p1", {}]),
        ),
        Rule::C4 => set(
            &event("@context"),
            json!([{ "actor": "http://a/" }, "http://purl.imsglobal.org/ctx/caliper/v1p1"]),
        ),
        Rule::V1 => without(&event("eventTime")),
        Rule::V2 => set(
            &event("id"),
            "urn:uuid:3f6727156aa84293b62a3b3319ff5701".into(),
        ),
        Rule::V2s => set(
            &event("id"),
            "urn:uuid:3f672715-6aa8-1293-b62a-3b3319ff5701".into(),
        ),
        Rule::V3 => set(&event("type"), "AssignmentEvent".into()),
        Rule::V4 => set(&event("action"), "Handed".into()),
        Rule::V5 => set(&event("action"), "Graded".into()),
        Rule::V5s => set(&event("action"), "Abandoned".into()),
        Rule::V6 => set(&event("mood"), "good".into()),
        Rule::V7 => with(&[
            (&event("actor"), Some(application)),
            ("/data/0/membership", None),
        ]),
        Rule::V8 => set(&event("object"), document),
        Rule::V8g => set(&event("generated"), document),
        Rule::V8t => set(&event("target"), document),
        Rule::V8r => other_event(
            "AssessmentItemEvent",
            "Started",
            json!({ "id": "urn:x-a:2", "type": "AssessmentItem" }),
            &[("/data/0/referrer", Some(document))],
        ),
        Rule::V8p => with(&[
            (
                &event("group"),
                Some(json!({ "id": "urn:instructure:canvas:page:1", "type": "Document" })),
            ),
            ("/data/0/membership", None),
        ]),
        Rule::V8m => set(&event("membership"), document),
        Rule::V8s => set(&event("session"), document),
        Rule::V8e => set(&event("edApp"), document),
        Rule::V9 => other_event("ReadingEvent", "Viewed", document, &[]),
        Rule::V10 => other_event(
            "SessionEvent",
            "LoggedIn",
            json!({ "id": "urn:x-a:1", "type": "Session" }),
            &[],
        ),
        Rule::P1 => other_event("GradeEvent", "Graded", attempt, &[]),
        Rule::P2 => other_event("AssessmentEvent", "Submitted", quiz, &[]),
        Rule::P3 => without(&event("generated")),
        Rule::P4 => without("/data/0/generated/count"),
        Rule::P4s => other_event(
            "SessionEvent",
            "LoggedIn",
            application,
            &[("/data/0/session", None)],
        ),
        Rule::P5 => set(&event("type"), "Event".into()),
        Rule::T1 => set("/data/0/object/dateToSubmit", "2026-02-20T22:59:59Z".into()),
        Rule::T2 => set("/data/0/generated/duration", "30 minutes".into()),
        Rule::N1 => set("/data/0/session/id", "session 7".into()),
        Rule::N2 => without("/data/0/session/id"),
        Rule::N3 => set("/data/0/session/type", "Sitting".into()),
        Rule::N4 => set("/data/0/object/maxScore", "10".into()),
        Rule::N5 => set(
            "/data/0/generated/assignee",
            json!({ "id": "urn:x-a:1", "type": "Document" }),
        ),
        Rule::N6 => set("/data/0/session/mood", "good".into()),
        Rule::N7 => set("/data/0/membership/status", "Asleep".into()),
        Rule::N7s => set("/data/0/membership/roles", json!(["Mentor#Tutor"])),
        Rule::N8 => set("/data/0/object/description", Value::Null),
        Rule::N9 => set(
            "/data/0/object/isPartOf",
            json!({ "id": "urn:x-a:1", "type": "Reading" }),
        ),
        Rule::N10 => set(
            "/data/0/object/isPartOf",
            json!({ "id": "urn:instructure:canvas:user:31", "type": "Document" }),
        ),
        Rule::X1 => set(
            "/data/0/membership/member",
            json!({ "id": "urn:instructure:canvas:user:32", "type": "Person" }),
        ),
        Rule::X2 => set(
            "/data/0/membership/organization/id",
            "urn:instructure:canvas:course:45".into(),
        ),
        Rule::X3 => without(&event("group")),
        Rule::X4 => without("/data/0/membership/roles"),
        Rule::X5 => set(&event("eventTime"), "2026-02-11T08:15:43.001Z".into()),
    }
}

#[test]
fn a_clean_envelope_breaks_no_rule() {
    assert_eq!(codes(&clean().to_string()), [""; 0]);
}

#[test]
fn each_fault_breaks_exactly_its_rule() {
    for rule in Rule::ALL {
        assert_eq!(
            codes(&faulty_envelope(*rule)),
            [rule.code()],
            "{}",
            rule.meaning()
        );
    }
}
