//! Kills a server under changes. Every answered change has its entry, and the chain stays valid.
//!
//! `EASEL_AUDIT_KILLS` is the number of kills.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::caller::Caller;
use crate::kill::{number, start, start_and_kill};

/// The default number of kills.
const KILLS: u64 = 8;
/// The clients that make changes at the same time.
const CLIENTS: usize = 6;
/// The time from the start of a server to its kill, in milliseconds.
const LIFETIME: std::ops::Range<u64> = 50..400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_change_has_its_entry_however_often_the_server_is_killed() {
    let kills = number("EASEL_AUDIT_KILLS").unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    for kill in 0..kills {
        let running = start(&data);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (caller, answered) = (Caller::new(&running), Arc::clone(&answered));
            clients.spawn(async move {
                // The kill ends the loop.
                while let Some(id) = make_token(&caller).await {
                    answered
                        .lock()
                        .unwrap()
                        .insert(format!("token.create {id}"));
                    if read_events(&caller).await && remove_token(&caller, &id).await {
                        answered
                            .lock()
                            .unwrap()
                            .insert(format!("token.remove {id}"));
                    }
                }
            });
        }
        sleep(Duration::from_millis(fastrand::u64(LIFETIME))).await;
        running.kill();
        clients.shutdown().await;
        if kill % 3 == 2 {
            start_and_kill(&data, Duration::from_millis(fastrand::u64(0..200))).await;
        }
        let checked = crate::easel::easel(folder.path(), &["audit", "verify", "--data", "data"]);
        assert_eq!(checked.code, Some(0), "{checked}");
    }
    let running = start(&data);
    let recorded = all_entries(&Caller::new(&running)).await;
    let answered = answered.lock().unwrap().clone();
    let missing: Vec<_> = answered.difference(&recorded).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(answered.len() > CLIENTS, "{}", answered.len());
    let checked = running.easel(&["audit", "verify"]);
    assert_eq!(checked.code, Some(0), "{checked}");
    let line = format!(
        "{kills} kills: {} answered changes, all recorded\n",
        answered.len()
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Creates a token. Returns its id if the server answered.
async fn make_token(caller: &Caller) -> Option<String> {
    let request = caller.request(Method::POST, "/v1/tokens");
    let request = request.header("content-type", "application/json");
    let body = r#"{"name":"one","scopes":["read"]}"#;
    let sending = caller.send(request, body.into());
    let answer = timeout(Duration::from_secs(10), sending).await.ok()?.ok()?;
    if answer.status != StatusCode::CREATED {
        return None;
    }
    let json: Value = serde_json::from_slice(&answer.body).ok()?;
    Some(json["id"].as_str()?.to_owned())
}

async fn remove_token(caller: &Caller, id: &str) -> bool {
    let request = caller.request(Method::DELETE, &format!("/v1/tokens/{id}"));
    let sending = timeout(Duration::from_secs(10), caller.send(request, "".into()));
    matches!(sending.await, Ok(Ok(answer)) if answer.status == StatusCode::NO_CONTENT)
}

async fn read_events(caller: &Caller) -> bool {
    let request = caller.request(Method::GET, "/v1/events");
    let sending = timeout(Duration::from_secs(10), caller.send(request, "".into()));
    matches!(sending.await, Ok(Ok(answer)) if answer.status == StatusCode::OK)
}

/// Returns action and object of every entry.
async fn all_entries(caller: &Caller) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), "0".to_owned());
    loop {
        let request = caller.request(Method::GET, &format!("/v1/audit?limit=1000&from={next}"));
        let answer = caller.send(request, "".into()).await.unwrap();
        let page: Value = serde_json::from_slice(&answer.body).unwrap();
        let entries = page["entries"].as_array().unwrap();
        if entries.is_empty() {
            return found;
        }
        found.extend(entries.iter().map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            format!("{} {}", text("action"), text("object"))
        }));
        next = page["next"].as_str().unwrap().to_owned();
    }
}
