//! When the note of a sink is forgotten.

use bytes::Bytes;
use easel_catalog::Reach;

use super::{full_name, log, open, spec};
use crate::{Spec, State};

fn tables(url: &str, more: &str) -> Spec {
    spec(&format!(
        r#"{{"name":"tables","sql":{{"url":"{url}"{more}}}}}"#
    ))
}

#[tokio::test]
async fn a_note_is_forgotten_with_its_destination_and_when_an_operator_accepts_a_stop() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = subscriptions
        .create(Reach::Everything, tables("http://ida:a@db/x", ""))
        .await
        .unwrap();
    let set_note = || made.shared.account().set_note(Bytes::from_static(b"7"));
    let has_note = || made.shared.account().note().is_some();

    // A pause by an operator, another password and another setting keep the note.
    set_note();
    subscriptions.pause(&full_name("tables")).await.unwrap();
    subscriptions.resume(&full_name("tables")).await.unwrap();
    for changed in [
        tables("http://ida:b@db/x", ""),
        tables("http://ida:b@db/x", r#","promote":"auto""#),
    ] {
        subscriptions
            .update(Reach::Everything, changed)
            .await
            .unwrap();
    }
    assert!(has_note());

    for changed in [
        tables("http://ida:b@db/x", r#","schema":"other""#),
        tables("http://ida:b@db2/x", r#","schema":"other""#),
        spec(r#"{"name":"tables","webhook":{"url":"http://a/"}}"#),
    ] {
        set_note();
        subscriptions
            .update(Reach::Everything, changed)
            .await
            .unwrap();
        assert!(!has_note());
    }

    set_note();
    let current = subscriptions.get(&full_name("tables")).unwrap();
    let stopped = State::Paused {
        reason: Some("the tables went back".to_owned()),
    };
    subscriptions
        .set_state_if_current(&current, stopped)
        .await
        .unwrap();
    assert!(has_note(), "a restart must find the reason again");
    subscriptions.resume(&full_name("tables")).await.unwrap();
    assert!(!has_note());
}
