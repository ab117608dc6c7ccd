//! Tests of the JSON of sources.

use serde_json::{Value, json};

use super::*;

fn parse(json: Value) -> Result<SourceSpec, SourceSpecError> {
    let json: SourceJson = serde_json::from_value(json).unwrap();
    SourceSpec::try_from(json)
}

#[track_caller]
fn check_fault(json: &Value, member: &str, fault: &str) {
    let error = parse(json.clone()).unwrap_err();
    assert_eq!(error.member(), member, "{json}");
    assert!(error.to_string().contains(fault), "{json}: {error}");
}

#[test]
fn a_hosted_source_needs_only_a_name_and_a_kind() {
    let spec = parse(json!({"name": "hosted", "kind": "https"})).unwrap();
    let https = spec.https().unwrap();
    assert_eq!(https.signed_by, Some(SignedBy::default()));
    assert_eq!(https.secret, None);
    assert!(spec.accepts_account(None, None));
}

#[test]
fn a_source_without_signatures_needs_a_secret() {
    let unsigned = json!({"name": "x", "kind": "https", "signed": false});
    check_fault(&unsigned, "secret", "is required");
    let short = json!({"name": "x", "kind": "https", "signed": false, "secret": "short"});
    check_fault(&short, "secret", "16 to 200");
    let slash = json!({"name": "x", "kind": "https", "secret": "0123456789/abcdef"});
    check_fault(&slash, "secret", "16 to 200");
}

#[test]
fn members_of_another_kind_are_rejected() {
    check_fault(
        &json!({"name": "x", "kind": "https", "queue_url": "https://q"}),
        "queue_url",
        "kind https",
    );
    check_fault(
        &json!({"name": "x", "kind": "sqs", "queue_url": "https://q", "signed": true}),
        "signed",
        "kind sqs",
    );
    let unsigned = json!({"name": "x", "kind": "https", "signed": false,
        "secret": "0123456789abcdef", "jwks_url": "https://k"});
    check_fault(&unsigned, "jwks_url", "without signatures");
    check_fault(&json!({"name": "x"}), "kind", "is missing");
    check_fault(&json!({"name": "X", "kind": "https"}), "name", "is invalid");
}

#[test]
fn keys_must_come_by_https_except_from_this_machine() {
    let with_url = |url: &str| json!({"name": "x", "kind": "https", "jwks_url": url});
    check_fault(
        &with_url("http://keys.example/jwks"),
        "jwks_url",
        "https://",
    );
    check_fault(
        &with_url("https://ida:secret@keys.example/"),
        "jwks_url",
        "no user name",
    );
    check_fault(&with_url("keys"), "jwks_url", "must be a URL");
    for url in [
        "https://keys.example/jwks",
        "http://127.0.0.1:99/",
        "http://localhost/",
        "http://[::1]/",
    ] {
        parse(with_url(url)).unwrap();
    }
}

#[test]
fn a_key_pair_needs_both_halves() {
    let queue = |more: Value| {
        let mut json = json!({"name": "x", "kind": "sqs", "queue_url": "https://sqs.eu-west-1.amazonaws.com/1/q"});
        json.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json
    };
    check_fault(
        &queue(json!({"access_key_id": "A"})),
        "secret_access_key",
        "both halves",
    );
    check_fault(
        &queue(json!({"secret_access_key": "s"})),
        "access_key_id",
        "both halves",
    );
    check_fault(
        &queue(json!({"session_token": "s"})),
        "access_key_id",
        "both halves",
    );
    check_fault(
        &queue(json!({"profile": "p", "access_key_id": "A", "secret_access_key": "s"})),
        "profile",
        "together",
    );
    check_fault(&queue(json!({"pollers": 17})), "pollers", "1 to 16");
    let spec = parse(queue(json!({}))).unwrap();
    assert_eq!(spec.sqs().unwrap().credentials, SqsCredentials::Environment);
}

#[test]
fn secrets_are_written_only_for_the_store() {
    let json = json!({"name": "x", "kind": "sqs", "queue_url": "https://q/1", "access_key_id": "A",
        "secret_access_key": "s3cret", "session_token": "t0ken", "pollers": 3, "root_accounts": ["7"]});
    let spec = parse(json.clone()).unwrap();
    let shown = serde_json::to_string(&SourceJson::without_secrets(&spec)).unwrap();
    assert!(
        !shown.contains("s3cret") && !shown.contains("t0ken"),
        "{shown}"
    );
    let stored = serde_json::to_value(SourceJson::with_secrets(&spec)).unwrap();
    assert_eq!(stored, json);
}

#[test]
fn an_edit_keeps_a_secret_unless_it_could_go_to_another_place() {
    let current = parse(
        json!({"name": "x", "kind": "sqs", "queue_url": "https://q/1",
        "access_key_id": "A", "secret_access_key": "s3cret"}),
    )
    .unwrap();
    let edit = |queue: &str| {
        let json = json!({"name": "x", "kind": "sqs", "queue_url": queue, "access_key_id": "A",
            "secret_access_key": SHOWN});
        let json: SourceJson = serde_json::from_value(json).unwrap();
        let mut json = json.keep_secrets(&current);
        json.check_secrets().map(|()| json.secret_access_key)
    };
    assert_eq!(edit("https://q/1").unwrap().as_deref(), Some("s3cret"));
    assert_eq!(
        edit("https://other/1").unwrap_err().member(),
        "secret_access_key"
    );
}

#[test]
fn only_listed_root_accounts_are_accepted() {
    let spec =
        parse(json!({"name": "x", "kind": "https", "root_accounts": ["7", "uuid-8"]})).unwrap();
    assert!(spec.accepts_account(Some("7"), None));
    assert!(spec.accepts_account(Some("8"), Some("uuid-8")));
    assert!(!spec.accepts_account(Some("8"), None));
    assert!(!spec.accepts_account(None, None));
}
