//! Subscriptions that another system manages.

use easel_catalog::Reach;
use std::sync::Arc;

use easel_keys::Secret;
use jiff::Timestamp;

use super::{append, full_name, grades, log, open, spec};
use crate::{
    ChangeError, OwnedChange, Owner, OwnerSystem, Spec, SpecJson, State, StateStoreError, Term,
};

fn owner(document: &str) -> Owner {
    Owner {
        system: OwnerSystem::Canvas,
        id: "grades".to_owned(),
        document: Secret::new(document.to_owned()),
        shown_document: document.to_owned(),
    }
}

fn document(owner: Option<&Arc<Owner>>) -> Option<&str> {
    owner.map(|owner| owner.document.expose().as_str())
}

#[tokio::test]
async fn only_the_owner_changes_an_owned_subscription_but_operators_pause_it() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = subscriptions
        .create_owned(Reach::Everything, grades(), owner("first"))
        .await;
    let made = made.unwrap();
    for refused in [
        subscriptions
            .update(Reach::Everything, grades())
            .await
            .map(drop),
        subscriptions.declare(vec![grades().into()]).await,
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, ChangeError::Owned { .. }), "{error}");
    }
    let paused = subscriptions.pause(&full_name("grades")).await.unwrap();
    assert_eq!(document(paused.owner.as_ref()), Some("first"));
    let change = OwnedChange {
        spec: Spec {
            events: vec!["course_*".parse().unwrap()],
            ..grades()
        },
        owner: owner("second"),
        state: State::Active,
    };
    let outdated = subscriptions.update_owned(&made, change.clone()).await;
    assert!(
        matches!(
            outdated,
            Err(ChangeError::Store(StateStoreError::Changed { .. }))
        ),
        "{outdated:?}"
    );
    subscriptions.update_owned(&paused, change).await.unwrap();
    drop(subscriptions);
    let subscriptions = open(folder.path(), &log).await;
    let found = subscriptions.get(&full_name("grades")).unwrap();
    assert_eq!(document(found.owner.as_ref()), Some("second"));
    assert_eq!(found.state, State::Active);
    assert_eq!(found.spec.events[0].as_str(), "course_*");
}

#[tokio::test]
async fn a_removed_subscription_of_an_owner_can_be_seen_and_created_again() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = subscriptions
        .create_owned(Reach::Everything, grades(), owner("first"))
        .await;
    made.unwrap();
    append(&log, 3).await;
    subscriptions.remove(&full_name("grades")).await.unwrap();
    let left = subscriptions.tombstones();
    assert_eq!(left[0].owner, owner("first"));
    drop(subscriptions);
    let subscriptions = open(folder.path(), &log).await;
    assert_eq!(subscriptions.tombstones(), left);
    assert!(subscriptions.list().is_empty());

    let again = subscriptions
        .create_owned(Reach::Everything, grades(), owner("again"))
        .await;
    // Events of the time between are not owed.
    let balance = subscriptions.balance(&again.unwrap());
    assert_eq!(balance.get(Term::Pending), 0);
    assert!(subscriptions.tombstones().is_empty());
    subscriptions.remove(&full_name("grades")).await.unwrap();
    let removed = subscriptions.remove_tombstones(Timestamp::UNIX_EPOCH).await;
    removed.unwrap();
    assert_eq!(subscriptions.tombstones().len(), 1);
    let removed = subscriptions.remove_tombstones(Timestamp::MAX).await;
    removed.unwrap();
    drop(subscriptions);
    let subscriptions = open(folder.path(), &log).await;
    assert!(subscriptions.tombstones().is_empty());
}

#[test]
fn events_by_origin_replace_the_default_of_all_events() {
    let events = |json: &str| -> Vec<String> {
        let spec = spec(&format!(
            r#"{{"name":"a",{json}"webhook":{{"url":"http://localhost/"}}}}"#
        ));
        let written = serde_json::to_string(&SpecJson::with_secrets(&spec)).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&written).unwrap(), spec);
        spec.events
            .iter()
            .map(|glob| glob.as_str().to_owned())
            .collect()
    };
    let none = <[&str; 0]>::default();
    assert_eq!(events(""), ["*"]);
    assert_eq!(events(r#""events":null,"#), ["*"]);
    assert_eq!(events(r#""user_events":["grade_*"],"#), none);
    assert_eq!(events(r#""system_events":["grade_*"],"#), none);
    let both = r#""events":["a"],"user_events":["grade_*"],"#;
    assert_eq!(events(both), ["a"]);
}

#[test]
fn events_by_origin_beside_all_events_are_rejected() {
    let spec = spec(
        r#"{"name":"a","events":["*"],"user_events":["x"],"webhook":{"url":"http://localhost/"}}"#,
    );
    let fault = spec.validate(&easel_catalog::Catalog::built_in());
    assert!(fault.unwrap_err().contains("would have no effect"));
}
