//! Signed deliveries: how often an event is signed, and keys that rotate under load.

use std::collections::HashSet;

use easel_keys::{JwkSet, JwtOptions, JwtVerifier, SigningAlgorithm};
use easel_testkit::{Receiver, event};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::running::Running;

/// The subscriptions that share one key.
const SUBSCRIPTIONS: usize = 10;
const EVENTS: u64 = 200;

async fn start(algorithm: &str, receiver: &Receiver) -> (Running, Caller, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Running::start_with(&data, &["--auth", "none"], |_command| ());
    let caller = Caller::new(&running);
    for number in 0..SUBSCRIPTIONS {
        let signing = json!({"jwt": {"algorithm": algorithm}});
        let webhook = json!({"url": receiver.url(), "signing": signing});
        let spec = json!({"name": format!("s{number}"), "webhook": webhook});
        let created = caller.call(Method::POST, "/v1/subscriptions", Some(spec));
        assert_eq!(created.await.unwrap().status, StatusCode::CREATED);
    }
    (running, caller, folder)
}

async fn send_and_settle(caller: &Caller, numbers: std::ops::Range<u64>) {
    let events: Vec<_> = numbers
        .map(|number| event("grade_change", number))
        .collect();
    let lines = events.join(&b"\n"[..]);
    let sent = caller.post_events("application/x-ndjson", lines).await;
    sent.unwrap().accepted();
    for number in 0..SUBSCRIPTIONS {
        let balance = caller.settled(&format!("s{number}")).await;
        assert_eq!(balance.delivered, balance.accepted, "{balance:?}");
    }
}

async fn signature_count(caller: &Caller, algorithm: &str) -> u64 {
    let page = caller.get("/metrics").await;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    let name = format!("easel_signatures_total{{algorithm=\"{algorithm}\"}} ");
    let mut counts = page.lines().filter_map(|line| line.strip_prefix(&name));
    counts.next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_subscriptions_share_one_signature_of_each_event() {
    let receiver = Receiver::start().await;
    let (_running, caller, _folder) = start("RS256", &receiver).await;
    assert_eq!(signature_count(&caller, "RS256").await, 0);
    send_and_settle(&caller, 0..EVENTS).await;
    assert_eq!(receiver.count() as u64, EVENTS * SUBSCRIPTIONS as u64);
    assert_eq!(signature_count(&caller, "RS256").await, EVENTS);
    let bodies: HashSet<_> = receiver
        .received()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies.len() as u64, EVENTS);
}

/// Returns a verifier with the keys that are published now.
async fn verifier(caller: &Caller) -> JwtVerifier {
    let keys = caller.get("/.well-known/jwks.json").await.body;
    let options = JwtOptions {
        algorithms: vec![SigningAlgorithm::Es256],
        issuer: Some("easel".to_owned()),
        ..JwtOptions::default()
    };
    JwtVerifier::new(JwkSet::parse(&keys).unwrap(), options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_rotations_under_load_are_never_refused() {
    let receiver = Receiver::start().await;
    let (_running, caller, _folder) = start("ES256", &receiver).await;
    let stop = CancellationToken::new();
    let mut producer = JoinSet::new();
    producer.spawn({
        let (caller, stop) = (caller.clone(), stop.clone());
        async move {
            for number in 0.. {
                if stop.is_cancelled() {
                    break;
                }
                let event = event("grade_change", number);
                let sent = caller.post_events("application/json", event).await;
                sent.unwrap().accepted();
            }
        }
    });
    let (mut kids, mut checked) = (HashSet::new(), 0);
    for _ in 0..10 {
        // The keys that a receiver has until the next rotation: previous, current and next.
        let verifier = verifier(&caller).await;
        receiver.wait_for(checked + 20 * SUBSCRIPTIONS).await;
        let path = "/v1/keys/signing/ES256/rotate";
        let rotated = caller.call(Method::POST, path, None).await.unwrap();
        assert_eq!(rotated.status, StatusCode::OK);
        let requests = receiver.received().split_off(checked);
        checked += requests.len();
        for request in requests {
            let jwt = verifier.verify(&request.body, Timestamp::now()).unwrap();
            let claims: Value = serde_json::from_slice(&jwt.payload).unwrap();
            assert_eq!(claims["jti"], *request.header("webhook-id"));
            kids.insert(jwt.kid);
        }
    }
    stop.cancel();
    producer.join_all().await;
    assert!(kids.len() >= 10, "{kids:?}");
}
