//! Tests of the queue in a spec.

use easel_catalog::Catalog;
use easel_keys::{Secret, SecretReference};

use crate::spec::{Spec, SpecJson};

const KEYS: &str = r#"{"name":"a","sqs":{
    "queue_url":"https://sqs.eu-west-1.amazonaws.com/111122223333/q",
    "access_key_id":"AKIA1","secret_access_key":"s3cret"}}"#;

#[track_caller]
fn check(more: &str, sqs: &str, wanted: Result<(), &str>) {
    let json = format!(r#"{{"name":"a"{more},"sqs":{{"queue_url":"https://q/1/q"{sqs}}}}}"#);
    let spec = serde_json::from_str::<Spec>(&json).map_err(|error| error.to_string());
    let checked = spec.and_then(|spec| spec.validate(&Catalog::built_in()));
    match (checked, wanted) {
        (Ok(()), Ok(())) => (),
        (Err(fault), Err(wanted)) if fault.contains(wanted) => (),
        (checked, wanted) => panic!("{json}: {checked:?}, not {wanted:?}"),
    }
}

#[test]
fn credentials_are_a_profile_or_two_keys_or_none() {
    let incomplete = "required together";
    check("", "", Ok(()));
    check("", r#","profile":"school""#, Ok(()));
    check(
        "",
        r#","access_key_id":"A","secret_access_key":"s""#,
        Ok(()),
    );
    check("", r#","access_key_id":"A""#, Err(incomplete));
    check("", r#","secret_access_key":"s""#, Err(incomplete));
    check(
        "",
        r#","profile":"school","access_key_id":"A""#,
        Err(incomplete),
    );
    check("", r#","profile":" ""#, Err("sqs.profile"));
    let reference = r#","access_key_id":"env:A","secret_access_key":"s""#;
    check("", reference, Err("sqs.access_key_id"));
    let reference = r#","access_key_id":"A","secret_access_key":"env:S""#;
    check("", reference, Err("only the configuration file"));
}

#[test]
fn a_queue_has_at_most_50_batches_in_flight() {
    check(r#","in_flight":50"#, "", Ok(()));
    check(r#","in_flight":51"#, "", Err("at most 50 for a queue"));
}

#[test]
fn a_fifo_queue_requires_an_order_by_key() {
    let check = |more: &str| {
        let json = format!(r#"{{"name":"a"{more},"sqs":{{"queue_url":"https://q/1/q.fifo"}}}}"#);
        let spec: Spec = serde_json::from_str(&json).unwrap();
        spec.validate(&Catalog::built_in())
    };
    let refused = check("").unwrap_err();
    assert!(refused.contains("order = \"key\""), "{refused}");
    assert_eq!(check(r#","order":"key""#), Ok(()));
}

#[test]
fn the_secret_key_is_hidden_and_kept_by_an_update() {
    let spec: Spec = serde_json::from_str(KEYS).unwrap();
    let shown = serde_json::to_value(SpecJson::without_secrets(&spec)).unwrap();
    assert_eq!(shown["sqs"]["secret_access_key"], "…");
    assert!(!format!("{shown} {spec:?}").contains("s3cret"));
    let back: Spec = serde_json::from_value(shown).unwrap();
    assert!(back.validate(&Catalog::built_in()).is_err());
    assert_eq!(back.keep_secrets(&spec, false), spec);
    let stored = serde_json::to_string(&SpecJson::with_secrets(&spec)).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&stored).unwrap(), spec);
}

#[test]
fn both_keys_can_be_references_in_the_configuration_file() {
    let json = KEYS
        .replace("AKIA1", "env:ID")
        .replace("s3cret", "file:SECRET");
    let mut spec: Spec = serde_json::from_str(&json).unwrap();
    let read = |reference: SecretReference<'_>| match reference {
        SecretReference::Environment("ID") => Ok(Secret::new("AKIA1".to_owned())),
        SecretReference::File("SECRET") => Ok(Secret::new("s3cret".to_owned())),
        other => Err(format!("{other:?}")),
    };
    assert_eq!(spec.resolve_secrets(&read), Ok(()));
    assert_eq!(spec, serde_json::from_str(KEYS).unwrap());
}

#[test]
fn a_spec_has_one_kind_of_sink() {
    let two = r#"{"name":"a","webhook":{"url":"http://a/"},"sqs":{"queue_url":"https://q/1/q"}}"#;
    let refused = serde_json::from_str::<Spec>(two).unwrap_err().to_string();
    assert!(refused.contains("exactly one of"), "{refused}");
}
