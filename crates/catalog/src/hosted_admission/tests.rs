//! What hosted admission keeps and rejects, rule by rule.

use super::*;
use crate::OrderKey;

const TIME: &str = r#""eventTime":"2019-11-01T19:11:05.222Z""#;
const CLASS: &str = r#""type":"AssessmentEvent","action":"Submitted""#;

fn envelope_with(event: &str) -> String {
    format!(
        r#"{{"sensor":"http://a.example/","sendTime":"2019-11-01T19:11:09.000Z","dataVersion":"v1p1","data":[{event}]}}"#
    )
}

fn admit_text(input: &str, event_name: Option<&str>) -> Event {
    admit_hosted(input.as_bytes(), &Limits::default(), event_name)
        .unwrap_or_else(|fault| panic!("{fault}: {input}"))
}

#[track_caller]
fn check_rejected(input: impl AsRef<[u8]>, code: FaultCode, path: &str) -> Fault {
    let input = input.as_ref();
    let text = String::from_utf8_lossy(input);
    let fault = admit_hosted(input, &Limits::default(), None).expect_err(&text);
    assert_eq!((fault.code, fault.at.path.as_str()), (code, path), "{text}");
    fault
}

#[test]
fn an_envelope_is_stored_minified_and_otherwise_as_sent() {
    let stored = envelope_with(&format!(
        r#"{{"id":"urn:uuid:1",{CLASS},{TIME},"n":1.50,"x":"\u00e9","object":{{"a":1,"deep":[{{"a":1,"a":2}}]}}}}"#
    ));
    let sent = format!(
        "\r\n {}\n",
        stored.replace(',', " ,\n ").replace("\":", "\" : ")
    );
    let event = admit_text(&sent, None);
    assert_eq!(event.bytes, stored.as_bytes());
    assert_eq!(event.id, event_id(stored.as_bytes()));
    assert_eq!(event.shape, EventShape::Caliper);
    assert_eq!(
        event.occurred_at,
        "2019-11-01T19:11:05.222Z".parse().unwrap()
    );
    assert_eq!(admit_text(&stored, None), event);
}

#[test]
fn the_event_type_is_the_name_that_came_or_else_type_and_action() {
    let with = |members: &str| envelope_with(&format!("{{{members},{TIME}}}"));
    let event_type = |members: &str, name| admit_text(&with(members), name).event_type;
    assert_eq!(
        event_type(CLASS, None).as_ref(),
        "caliper:AssessmentEvent/Submitted"
    );
    assert_eq!(
        event_type(CLASS, Some("quiz_submitted")).as_ref(),
        "quiz_submitted"
    );
    assert_eq!(event_type(r#""x":1"#, Some("é")).as_ref(), "é");
    let old = r#""@type":"http://purl.imsglobal.org/caliper/v1/SessionEvent","action":"http://purl.imsglobal.org/vocab/caliper/v1/action#LoggedIn""#;
    assert_eq!(
        event_type(old, None).as_ref(),
        "caliper:SessionEvent/LoggedIn"
    );
    let both = r#""@type":"A","type":"B","action":"C""#;
    assert_eq!(event_type(both, None).as_ref(), "caliper:B/C");
    let both = r#""type":"B","@type":"A","action":"C""#;
    assert_eq!(event_type(both, None).as_ref(), "caliper:B/C");
}

#[test]
fn an_event_name_that_came_with_the_message_is_validated() {
    let input = envelope_with(&format!("{{{CLASS},{TIME}}}"));
    let code = |name: &str| {
        let fault = admit_hosted(input.as_bytes(), &Limits::default(), Some(name)).unwrap_err();
        assert_eq!(fault.at.path, "");
        fault.code
    };
    assert_eq!(code(""), FaultCode::BadEventName);
    assert_eq!(code(&"é".repeat(129)), FaultCode::BadEventName);
    assert_eq!(code("easel.disk.low"), FaultCode::ReservedEventName);
    assert_eq!(
        admit_text(&input, Some(&"é".repeat(128)))
            .event_type
            .chars()
            .count(),
        128
    );
}

#[test]
fn an_object_with_the_members_of_a_canvas_event_is_a_canvas_event() {
    let canvas = r#"{"data":1,"sensor":2,"metadata":{"event_name":"a","event_time":"2019-11-01T19:11:05Z"},"body":{}}"#;
    let event = admit_text(canvas, Some("another_name"));
    assert_eq!(event.shape, EventShape::Canvas);
    assert_eq!(event.event_type.as_ref(), "a");
    assert_eq!(
        admit_text(&canvas.replace("metadata", r"attr\u0069butes"), None).id,
        event.id
    );
    check_rejected(r#"{"sensor":1,"body":{}}"#, FaultCode::MissingMetadata, "");
    check_rejected(
        r#"{"metadata":{"event_name":"easel.x"},"data":[]}"#,
        FaultCode::ReservedEventName,
        "/metadata/event_name",
    );
    for neither in ["{}", r#"{"type":"Event","action":"Created"}"#] {
        check_rejected(neither, FaultCode::MissingMetadata, "");
    }
    check_rejected("[]", FaultCode::NotAnObject, "");
    check_rejected("", FaultCode::Empty, "");
    check_rejected(r#""eyJ""#, FaultCode::NotAnObject, "");
}

#[test]
fn the_data_must_be_exactly_one_event() {
    check_rejected(r#"{"sensor":"x"}"#, FaultCode::MissingData, "");
    for data in ["null", "{}", r#""x""#, "[]", "7"] {
        let input = format!(r#"{{"data":{data}}}"#);
        check_rejected(input, FaultCode::DataNotOneEvent, "/data");
    }
    for element in ["null", "[]", "7"] {
        check_rejected(
            envelope_with(element),
            FaultCode::DataNotOneEvent,
            "/data/0",
        );
    }
    let event = format!("{{{CLASS},{TIME}}}");
    let two = envelope_with(&format!("{event},{event}"));
    let fault = check_rejected(&two, FaultCode::DataNotOneEvent, "/data/1");
    assert_eq!(
        fault.message(),
        "the data must be an array with exactly one event"
    );
}

#[test]
fn the_event_must_have_a_time_a_type_and_an_action() {
    let rejected = |members: &str, code, path: &str| {
        check_rejected(envelope_with(&format!("{{{members}}}")), code, path);
    };
    rejected(CLASS, FaultCode::MissingEventTime, "/data/0");
    for time in ["null", "7", r#""yesterday""#, r#""\ud800""#] {
        let members = format!(r#"{CLASS},"eventTime":{time}"#);
        rejected(&members, FaultCode::BadEventTime, "/data/0/eventTime");
    }
    let missing_class = format!(r#"{TIME},"action":"Created""#);
    rejected(&missing_class, FaultCode::MissingType, "/data/0");
    let missing_action = format!(r#"{TIME},"type":"Event""#);
    rejected(&missing_action, FaultCode::MissingAction, "/data/0");
    for bad in ["7", "null", r#""""#, r#""http://x/""#, r#"["Event"]"#] {
        let class = format!(r#"{TIME},"action":"Created","type":{bad}"#);
        rejected(&class, FaultCode::BadType, "/data/0/type");
        let action = format!(r#"{TIME},"type":"Event","action":{bad}"#);
        rejected(&action, FaultCode::BadAction, "/data/0/action");
    }
    let long = "x".repeat(112);
    let just = format!(r#"{TIME},"type":"{long}","action":"Created""#);
    let event = admit_text(&envelope_with(&format!("{{{just}}}")), None);
    assert_eq!(event.event_type.len(), 128);
    rejected(
        &just.replace("Created", "CreatedX"),
        FaultCode::BadType,
        "/data/0/type",
    );
}

#[test]
fn no_key_may_appear_twice_in_an_object_that_is_read() {
    let twice = |members: &str, path: &str| {
        let input = envelope_with(&format!("{{{CLASS},{TIME},{members}}}"));
        check_rejected(input, FaultCode::DuplicateKey, path);
    };
    twice(r#""\u0061ction":"x""#, "/data/0/action");
    twice(r#""x":1,"x":2"#, "/data/0/x");
    let extension = r#"{"com.instructure.canvas":{"a":1,"a":2}}"#;
    let path = "extensions/com.instructure.canvas/a";
    twice(
        &format!(r#""extensions":{extension}"#),
        &format!("/data/0/{path}"),
    );
    for entity in ["actor", "object", "group"] {
        twice(
            &format!(r#""{entity}":{{"id":1,"id":2}}"#),
            &format!("/data/0/{entity}/id"),
        );
        twice(
            &format!(r#""{entity}":{{"extensions":{extension}}}"#),
            &format!("/data/0/{entity}/{path}"),
        );
    }
    twice(
        r#""membership":{"organization":{"id":1,"id":2}}"#,
        "/data/0/membership/organization/id",
    );
    let input = format!(r#"{{"sensor":1,"data":[{{{CLASS},{TIME}}}],"s\u0065nsor":2}}"#);
    check_rejected(input, FaultCode::DuplicateKey, "/sensor");
    let unread = format!(r#"{{{CLASS},{TIME},"edApp":{{"a":1,"a":2}}}}"#);
    admit_text(&envelope_with(&unread), None);
}

#[test]
fn size_depth_and_encoding_are_checked_and_nothing_may_follow() {
    let input = envelope_with(&format!(r#"{{{CLASS},{TIME},"x":[[]]}}"#));
    let code = |max_event_bytes, max_depth| {
        let limits = Limits {
            max_event_bytes,
            max_depth,
        };
        admit_hosted(input.as_bytes(), &limits, None)
            .map(drop)
            .map_err(|fault| fault.code)
    };
    assert_eq!(code(input.len(), 5), Ok(()));
    assert_eq!(code(input.len() - 1, 5), Err(FaultCode::TooLarge));
    assert_eq!(code(input.len(), 4), Err(FaultCode::TooDeep));
    let mut bytes = input.clone().into_bytes();
    bytes[12] = 0xff;
    check_rejected(&bytes, FaultCode::NotUtf8, "/sensor");
    check_rejected(format!("{input} x"), FaultCode::TrailingData, "");
    check_rejected(input.strip_suffix('}').unwrap(), FaultCode::Syntax, "/data");
}

/// Returns the facts of an event with these members, as `name=value` in a fixed order.
fn facts_of(members: &str) -> String {
    let event = admit_text(
        &envelope_with(&format!("{{{members},{CLASS},{TIME}}}")),
        None,
    );
    let facts = Facts::from_event(&event.bytes);
    assert_eq!(
        facts.event_time.as_deref(),
        Some("2019-11-01T19:11:05.222Z")
    );
    assert_eq!(
        event.root_account_id.as_deref(),
        facts.root_account_id.as_deref()
    );
    let named = [
        ("root", facts.root_account_id),
        ("uuid", facts.root_account_uuid),
        ("context", facts.context_type),
        ("id", facts.context_id),
        ("account", facts.context_account_id),
        ("user", facts.user_id),
        ("producer", facts.producer),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    named.collect::<Vec<_>>().join(" ")
}

#[test]
fn facts_come_from_the_members_of_the_event() {
    let canvas = |members: &str| format!(r#"{{"com.instructure.canvas":{{{members}}}}}"#);
    let actor = canvas(r#""root_account_id":"1","root_account_uuid":"u","entity_id":"7""#);
    let person = format!(r#""actor":{{"type":"Person","extensions":{actor}}}"#);
    assert_eq!(facts_of(&person), "root=1 uuid=u user=7 producer=canvas");
    assert_eq!(
        facts_of(r#""actor":{"id":"urn:instructure:canvas:user:7","type":"Person"}"#),
        "user=7"
    );
    assert_eq!(
        facts_of(r#""actor":"urn:instructure:canvas:user:7""#),
        "user=7"
    );
    assert_eq!(
        facts_of(r#""actor":{"id":"urn:instructure:canvas:user:0"}"#),
        ""
    );
    assert_eq!(
        facts_of(r#""actor":{"id":"http://a.example/","type":"SoftwareApplication"}"#),
        ""
    );
    let own = canvas(r#""root_account_id":"2","producer":"quizzes""#);
    assert_eq!(
        facts_of(&format!(r#"{person},"extensions":{own}"#)),
        "root=1 uuid=u user=7 producer=quizzes"
    );
    assert_eq!(
        facts_of(&format!(r#""extensions":{own}"#)),
        "root=2 producer=quizzes"
    );
}

#[test]
fn the_context_is_the_group_or_else_the_organization_of_the_membership() {
    let section = r#""group":{"id":"urn:instructure:canvas:course:5:section:8","extensions":{"com.instructure.canvas":{"context_type":"Course","entity_id":"5"}}}"#;
    assert_eq!(facts_of(section), "context=Course id=5");
    let section = r#""group":{"id":"urn:instructure:canvas:course:5:section:8"}"#;
    assert_eq!(facts_of(section), "context=Course id=5");
    let membership = r#""membership":{"organization":{"id":"urn:instructure:canvas:group:6"}}"#;
    assert_eq!(facts_of(membership), "context=Group id=6");
    assert_eq!(
        facts_of(&format!("{section},{membership}")),
        "context=Course id=5"
    );
    let other = r#""group":{"id":"http://a.example/7"},"membership":7,"object":[]"#;
    assert_eq!(facts_of(other), "");
    let object = r#""object":{"extensions":{"com.instructure.canvas":{"context_account_id":79}}}"#;
    assert_eq!(facts_of(object), "account=79");
}

#[test]
fn both_formats_of_an_event_have_the_same_order_key() {
    let envelope = envelope_with(&format!(
        r#"{{{CLASS},{TIME},"actor":"urn:instructure:canvas:user:7","group":{{"id":"urn:instructure:canvas:course:5"}}}}"#
    ));
    let canvas = r#"{"metadata":{"user_id":"7","context_type":"Course","context_id":"5"},"body":{"user_id":"7"}}"#;
    assert_eq!(
        OrderKey::from_actor(envelope.as_bytes()),
        OrderKey::from_actor(canvas.as_bytes())
    );
    let key = |field: &str, event: &str| {
        field
            .parse::<crate::KeyField>()
            .unwrap()
            .order_key(event.as_bytes())
    };
    for field in ["metadata.user_id", "metadata.context_id"] {
        assert!(key(field, &envelope).is_some(), "{field}");
        assert_eq!(key(field, &envelope), key(field, canvas), "{field}");
    }
    for field in ["body.user_id", "metadata.hostname", "metadata.user_id.x"] {
        assert_eq!(key(field, &envelope), None, "{field}");
    }
}
