//! The spec of objects, and what is refused.

use serde_json::json;

use super::*;
use crate::caller::CanvasCaller;

const ID: &str = "01900000-0000-7000-8000-000000000001";

fn creator() -> CanvasCaller {
    let claims = r#"{"sub":"ltiToolProxy:guid","RootAccountId":"7","RootAccountUUID":"uuid"}"#;
    CanvasCaller::from_claims(claims.as_bytes()).unwrap()
}

/// The spec of the plagiarism helper's object with these members. Null removes a member.
fn spec_of(members: &Value) -> Result<Spec, ServiceError> {
    let mut object = json!({
        "UserEventTypes": ["submission_created", "plagiarism_resubmit"],
        "SystemEventTypes": ["submission_created", "plagiarism_resubmit"],
        "ContextType": "root_account",
        "ContextId": "uuid",
        "Format": "live-event",
        "TransportType": "https",
        "TransportMetadata": {"Url": "https://a.example/hook"},
        "AssociatedIntegrationId": "guid",
    });
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    let object = serde_json::from_value(object).unwrap();
    let document = Document::new(creator(), ID, object);
    let spec = spec(&document, &Catalog::built_in())?;
    spec.validate(&Catalog::built_in()).unwrap();
    Ok(spec)
}

fn names(globs: &[EventGlob]) -> Vec<&str> {
    globs.iter().map(EventGlob::as_str).collect()
}

#[test]
fn the_object_of_the_plagiarism_helper_becomes_a_spec() {
    let spec = spec_of(&json!({})).unwrap();
    assert_eq!(spec.name.as_str(), ID);
    assert_eq!(names(&spec.events), <[&str; 0]>::default());
    assert_eq!(spec.user_events.len(), 2);
    assert_eq!(spec.user_events, spec.system_events);
    let wanted = Conditions {
        root_account: vec!["7".to_owned(), "uuid".to_owned()],
        associated_integration: vec!["guid".to_owned()],
        ..Conditions::default()
    };
    assert_eq!(spec.conditions, wanted);
    assert_eq!(spec.format, Format::Canvas);
}

#[test]
fn all_means_every_event_type_and_operator_events_are_never_sent() {
    let spec = spec_of(&json!({"EventTypes": ["all", "easel.*", "new_in_canvas"]})).unwrap();
    assert_eq!(names(&spec.events), ["*", "new_in_canvas"]);
    assert!(spec.user_events.is_empty() && spec.system_events.is_empty());
    let spec = spec_of(&json!({"UserEventTypes": ["easel.*"], "SystemEventTypes": null}));
    let spec = spec.unwrap();
    assert!(names(&spec.events).is_empty() && spec.user_events.is_empty());
}

#[test]
fn an_event_type_without_a_caliper_form_is_not_refused() {
    let spec = spec_of(&json!({
        "Format": "caliper",
        "EventTypes": ["submission_created", "account_created", "no_such_type", "grade_*"],
    }));
    let spec = spec.unwrap();
    assert_eq!(names(&spec.events), ["submission_created", "grade_*"]);
}

#[test]
fn an_assignment_is_a_condition() {
    for id in [json!(9), json!("9")] {
        let spec = spec_of(&json!({"ContextType": "assignment", "ContextId": id})).unwrap();
        assert_eq!(spec.conditions.assignment, ["9"]);
        assert_eq!(spec.conditions.root_account, ["7", "uuid"]);
    }
}

#[test]
fn a_fifo_queue_is_ordered() {
    let queue = |name: &str| {
        json!({
            "TransportType": "sqs",
            "TransportMetadata": {
                "Url": format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{name}"),
                "Key": "AKIA", "Secret": "s",
            },
        })
    };
    assert_eq!(spec_of(&queue("a")).unwrap().order, OrderBy::None);
    assert_eq!(spec_of(&queue("a.fifo")).unwrap().order, OrderBy::Key);
}

#[test]
fn an_invalid_object_is_refused_with_the_member_at_fault() {
    for (members, part) in [
        (json!({"ContextType": null}), "ContextType"),
        (json!({"ContextType": "course"}), "ContextType"),
        (json!({"ContextType": "account"}), "ContextType"),
        (json!({"ContextId": "other"}), "ContextId"),
        (
            json!({"ContextType": "assignment", "ContextId": null}),
            "ContextId",
        ),
        (
            json!({"UserEventTypes": null, "SystemEventTypes": []}),
            "event type",
        ),
        (json!({"EventTypes": "all"}), "EventTypes"),
        (json!({"EventTypes": [7]}), "EventTypes"),
        (json!({"EventTypes": [""]}), "event glob"),
        (json!({"EventTypes": vec!["a"; 501]}), "EventTypes"),
        (json!({"Format": "xml"}), "Format"),
        (json!({"TransportType": null}), "TransportType"),
        (json!({"TransportMetadata": null}), "TransportMetadata"),
        (
            json!({"TransportMetadata": {"Url": "https://a.example/?…"}, "Key": "…"}),
            "secret",
        ),
        (
            json!({"AssociatedIntegrationId": 7}),
            "AssociatedIntegrationId",
        ),
        (
            json!({"AssociatedIntegrationId": ""}),
            "AssociatedIntegrationId",
        ),
    ] {
        let refused = spec_of(&members).unwrap_err().to_string();
        assert!(refused.contains(part), "{members}: {refused}");
    }
}
