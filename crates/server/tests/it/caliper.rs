//! Caliper envelopes of a hosted Canvas, from the door of a source to webhooks and readers.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use easel_testkit::{Receiver, event};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::test_server::{TestServer, config};

const HOOK: &str = "/v1/hooks/hosted/0123456789abcdef-secret";

/// An event in both formats, from the tests of the translation.
#[derive(Deserialize)]
struct PairJson {
    sensor: String,
    caliper: Box<RawValue>,
}

/// Returns an envelope for each of our own Caliper events, as a hosted Canvas sends it.
fn envelopes() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../caliper/tests/pairs");
    let files = std::fs::read_dir(folder).unwrap();
    let mut envelopes: Vec<_> = files
        .map(|file| {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let pair: PairJson = serde_json::from_str(&text).unwrap();
            format!(
                "{{ \"sensor\": {:?},\n \"sendTime\": \"2026-11-30T12:00:00.000Z\", \"dataVersion\": \"http://purl.imsglobal.org/ctx/caliper/v1p1\",\n \"data\": [{}] }}\n",
                pair.sensor, pair.caliper
            )
        })
        .collect();
    envelopes.sort();
    envelopes.dedup();
    envelopes
}

/// Removes the white space between tokens.
fn minified(text: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::new(), false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
    out
}

async fn open_with_source(folder: &Path) -> TestServer {
    let test_server = TestServer::open(config(folder)).await;
    let source =
        r#"{"name":"hosted","kind":"https","signed":false,"secret":"0123456789abcdef-secret"}"#;
    let (status, answer) = test_server.post("/v1/sources", source).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    test_server
}

/// Returns the balance of a subscription after all its events are settled.
async fn settled(test_server: &TestServer, name: &str) -> Value {
    loop {
        let balance = test_server.balance(name).await;
        if balance["pending"] == 0 {
            return balance;
        }
    }
}

async fn send(test_server: &TestServer, envelope: &str) {
    let request = test_server.request("POST", HOOK);
    let (status, answer) = test_server.send(request, envelope.to_owned()).await;
    assert_eq!(status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn envelopes_arrive_byte_for_byte_at_caliper_subscriptions_and_at_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = open_with_source(folder.path()).await;
    let receiver = Receiver::start().await;
    let (caliper, signed) = (Receiver::start().await, Receiver::start().await);
    let with = |more: &str| format!("{more},");
    let url = receiver.url();
    test_server.subscribe("canvas", "", &url).await;
    let strict = with(r#""format":"caliper-strict""#);
    test_server.subscribe("strict", &strict, &url).await;
    let format = with(r#""format":"caliper""#);
    test_server
        .subscribe("caliper", &format, &caliper.url())
        .await;
    let json = format!(
        r#"{{"name":"signed","format":"caliper","webhook":{{"url":"{}","signing":{{"jwt":{{}}}}}}}}"#,
        signed.url()
    );
    let (status, answer) = test_server.post("/v1/subscriptions", json).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");

    let envelopes = envelopes();
    let count = envelopes.len();
    for envelope in &envelopes {
        send(&test_server, envelope).await;
        // A redelivery is recognised.
        send(&test_server, envelope).await;
    }
    let received = caliper.wait_for(count).await;
    let bodies: BTreeSet<_> = received
        .iter()
        .map(|request| String::from_utf8(request.body.to_vec()).unwrap())
        .collect();
    let wanted: BTreeSet<_> = envelopes.iter().map(|text| minified(text)).collect();
    assert_eq!(bodies, wanted);
    let first: Value = serde_json::from_slice(&received[0].body).unwrap();
    let data = &first["data"][0];
    let name = |member: &str| data[member].as_str().unwrap();
    assert_eq!(
        received[0].header("easel-event-name"),
        format!("caliper:{}/{}", name("type"), name("action"))
    );
    assert_eq!(received[0].header("easel-event-time"), name("eventTime"));

    // The claims of a JWT are the members of the envelope, and those of the JWT.
    let token = signed.wait_for(count).await.remove(0).body;
    let token = String::from_utf8(token.to_vec()).unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["dataVersion"], first["dataVersion"]);
    assert!(claims["data"][0]["eventTime"].is_string() && claims["iss"].is_string());

    for (name, delivered) in [
        ("caliper", count),
        ("signed", count),
        ("canvas", 0),
        ("strict", 0),
    ] {
        let balance = settled(&test_server, name).await;
        assert_eq!(balance["delivered"], delivered, "{balance}");
        assert_eq!(balance["filtered"], count - delivered, "{balance}");
        assert_eq!(balance["other_format"], count - delivered, "{balance}");
    }
    assert!(receiver.received().is_empty());
    test_server.close().await;
}

#[tokio::test]
async fn every_reader_shows_an_envelope_and_drift_does_not_report_it() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = open_with_source(folder.path()).await;
    let envelope = r#"{"sensor":"http://a.example/","data":[{"type":"AssessmentEvent","action":"Submitted","eventTime":"2026-09-03T06:48:17.268Z","unknown":{"odd":1}}]}"#;
    send(&test_server, envelope).await;
    test_server
        .post("/v1/events", event("grade_change", 1))
        .await;
    let page: Value = serde_json::from_str(&test_server.get("/v1/events").await).unwrap();
    let shown = &page["events"][0];
    assert_eq!(shown["event_type"], "caliper:AssessmentEvent/Submitted");
    assert_eq!(shown["event"]["data"][0]["unknown"]["odd"], 1);
    assert_eq!(page["events"][1]["event_type"], "grade_change");
    let id = shown["id"].as_str().unwrap();
    let found = test_server.get(&format!("/v1/events/{id}")).await;
    assert!(found.contains(envelope), "{found}");
    let filtered = test_server
        .get("/v1/events?event=caliper:*%2FSubmitted")
        .await;
    let filtered: Value = serde_json::from_str(&filtered).unwrap();
    assert_eq!(filtered["events"].as_array().unwrap().len(), 1);

    let call = r#"{"StreamName":"live-events","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"}"#;
    let (_, answer) = test_server
        .kinesis("GetShardIterator", call.to_owned())
        .await;
    let iterator = answer["ShardIterator"].as_str().unwrap();
    let call = format!(r#"{{"ShardIterator":"{iterator}"}}"#);
    let (status, answer) = test_server.kinesis("GetRecords", call).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let data = answer["Records"][0]["Data"].as_str().unwrap();
    let data = BASE64_STANDARD.decode(data).unwrap();
    assert_eq!(data, envelope.as_bytes());

    loop {
        let drift: Value = serde_json::from_str(&test_server.get("/v1/drift").await).unwrap();
        if drift["cursor"].as_u64() >= Some(2) {
            assert!(!drift.to_string().contains("caliper:"), "{drift}");
            break;
        }
    }
    test_server.close().await;
}
