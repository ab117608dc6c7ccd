//! Tests of secrets: hidden in JSON, unchanged by an update, and read from references.

use easel_keys::Secret;

use crate::spec::{Spec, SpecJson};
use easel_keys::SecretReference;

fn spec(json: &str) -> Spec {
    serde_json::from_str(json).unwrap()
}

#[test]
fn secrets_in_a_url_are_neither_printed_nor_shown() {
    let json = r#"{"name":"a","webhook":{"url":"http://ida:s3cret@a/hook?key=s3cret"}}"#;
    let spec = spec(json);
    let shown = SpecJson::without_secrets(&spec);
    let shown_json = serde_json::to_string(&shown).unwrap();
    assert!(
        shown_json.contains("\"url\":\"http://…@a/hook?…\""),
        "{shown_json}"
    );
    let with_secrets = SpecJson::with_secrets(&spec);
    for printed in [
        format!("{spec:?}"),
        format!("{with_secrets:?}"),
        format!("{shown:?}"),
        shown_json,
    ] {
        assert!(!printed.contains("s3cret"), "{printed}");
    }
    let written = serde_json::to_string(&with_secrets).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&written).unwrap(), spec);
}

const SECRETS: &str = r#"{"name":"a","webhook":{
    "url":"http://a/hook?key=s3cret-1",
    "signing":{"standard":{"secrets":["s3cret-2","s3cret-3"]}},
    "authentication":{"basic":{"user":"ida","password":"s3cret-4"}},
    "headers":{"X-Key":"s3cret-5"},
    "client_certificate":{"certificate":"public","key":"s3cret-6"}}}"#;

#[test]
fn a_spec_that_was_shown_becomes_the_same_spec_again() {
    let current = spec(SECRETS);
    let shown = serde_json::to_value(SpecJson::without_secrets(&current)).unwrap();
    assert!(!shown.to_string().contains("s3cret"), "{shown}");
    let back: Spec = serde_json::from_value(shown.clone()).unwrap();
    let catalog = easel_catalog::Catalog::built_in();
    let refused = back.validate(&catalog).unwrap_err();
    assert!(
        refused.contains("webhook.url must be a whole URL"),
        "{refused}"
    );
    assert_eq!(back.keep_secrets(&current, true), current);

    // A new secret replaces the old one at its place, and the others stay.
    let mut changed = shown;
    changed["webhook"]["signing"]["standard"]["secrets"][1] = "new".into();
    changed["webhook"]["headers"]["x-other"] = "…".into();
    let changed: Spec = serde_json::from_value(changed).unwrap();
    let changed = changed.keep_secrets(&current, true);
    let json = serde_json::to_value(SpecJson::with_secrets(&changed)).unwrap();
    let secrets = &json["webhook"]["signing"]["standard"]["secrets"];
    assert_eq!(*secrets, serde_json::json!(["s3cret-2", "new"]));
    let refused = changed.validate(&catalog).unwrap_err();
    assert!(
        refused.contains("webhook.headers.x-other must be a secret"),
        "{refused}"
    );
}

#[test]
fn references_to_secrets_are_resolved_in_the_file_and_refused_elsewhere() {
    let text = SECRETS
        .replace("s3cret-2", "env:SECRET")
        .replace("s3cret-5", "file:/run/key")
        .replace("public", "file:/run/certificate");
    let mut read = spec(&text.replace("http://a/hook?key=s3cret-1", "env:HOOK"));
    let refused = read
        .validate(&easel_catalog::Catalog::built_in())
        .unwrap_err();
    assert!(refused.contains("only the configuration file"), "{refused}");
    let resolved = read.resolve_secrets(&|reference| {
        Ok(Secret::new(match reference {
            SecretReference::Environment("HOOK") => "http://a/hook?key=s3cret-1".to_owned(),
            SecretReference::Environment("SECRET") => "s3cret-2".to_owned(),
            SecretReference::File("/run/key") => "s3cret-5".to_owned(),
            SecretReference::File("/run/certificate") => "public".to_owned(),
            other => return Err(format!("{other:?}")),
        }))
    });
    assert_eq!(resolved, Ok(()));
    assert_eq!(read, spec(SECRETS));
    let mut missing = spec(&text);
    let fault = missing.resolve_secrets(&|_reference| Err("it is not set".to_owned()));
    let places = [
        "webhook.client_certificate.certificate",
        "webhook.signing.standard.secrets[0]",
        "webhook.headers.x-key",
    ];
    let wanted = places.map(|place| (place.to_owned(), "it is not set".to_owned()));
    assert_eq!(fault, Err(wanted.to_vec()));
}

#[test]
fn a_new_host_does_not_receive_the_headers_of_the_old_one() {
    let current = spec(SECRETS);
    let catalog = easel_catalog::Catalog::built_in();
    for (url, is_kept) in [("http://a/other", true), ("http://b/hook", false)] {
        let mut shown = serde_json::to_value(SpecJson::without_secrets(&current)).unwrap();
        shown["webhook"]["url"] = url.into();
        let changed: Spec = serde_json::from_value(shown).unwrap();
        let changed = changed.keep_secrets(&current, is_kept);
        let refused = changed.validate(&catalog).is_err();
        assert_eq!(refused, !is_kept, "{url}");
        let json = serde_json::to_value(SpecJson::with_secrets(&changed)).unwrap();
        let has = |secret: &str| json.to_string().contains(secret);
        assert_eq!(
            (has("s3cret-4"), has("s3cret-5")),
            (is_kept, is_kept),
            "{url}"
        );
        // The endpoint never receives these.
        assert!(has("s3cret-2") && has("s3cret-6"), "{url}");
    }
}

#[test]
fn removed_signing_secrets_must_be_named_exactly() {
    let current = spec(SECRETS);
    let catalog = easel_catalog::Catalog::built_in();
    for (secrets, is_accepted) in [
        (serde_json::json!(["…", "…"]), true),
        (serde_json::json!(["…", "…", "new"]), true),
        (serde_json::json!(["s3cret-3"]), true),
        (serde_json::json!(["…"]), false),
    ] {
        let mut shown = serde_json::to_value(SpecJson::without_secrets(&current)).unwrap();
        shown["webhook"]["signing"]["standard"]["secrets"] = secrets.clone();
        let changed: Spec = serde_json::from_value(shown).unwrap();
        let changed = changed.keep_secrets(&current, true);
        assert_eq!(changed.validate(&catalog).is_ok(), is_accepted, "{secrets}");
    }
}
