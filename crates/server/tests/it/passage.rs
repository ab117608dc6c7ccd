//! Events from a door to a webhook.

use easel_testkit::{Receiver, event, with_attributes_key};
use hyper::StatusCode;

use crate::test_server::{TestServer, config};

#[tokio::test]
async fn an_event_of_the_native_door_is_delivered_with_its_event_type_in_the_headers() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let receiver = Receiver::start().await;
    test_server.subscribe("all", "", &receiver.url()).await;

    let sent = event("grade_change", 1);
    let (status, answer) = test_server.post("/v1/events", sent.clone()).await;

    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(answer["results"][0]["status"], "accepted");
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(received.body, sent);
    assert_eq!(received.header("webhook-id"), answer["results"][0]["id"]);
    assert_eq!(received.header("easel-event-name"), "grade_change");
    assert_eq!(
        received.header("easel-event-time"),
        "2025-03-03T08:00:00.001Z"
    );
    assert_eq!(received.header("easel-attempt"), "1");
    assert_eq!(received.header("easel-subscription"), "all");
    assert_eq!(received.header("content-type"), "application/json");

    let id = received.header("webhook-id");
    let found: serde_json::Value =
        serde_json::from_str(&test_server.get(&format!("/v1/events/{id}")).await).unwrap();
    assert_eq!(found["event"]["metadata"]["event_name"], "grade_change");
    test_server.close().await;
}

#[tokio::test]
async fn the_attributes_of_a_kinesis_record_arrive_as_metadata_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let receiver = Receiver::start().await;
    test_server.subscribe("all", "", &receiver.url()).await;

    let records: Vec<_> = (0..50)
        .map(|n| {
            use base64::Engine;
            let data = with_attributes_key(&event("submission_created", n));
            let data = base64::prelude::BASE64_STANDARD.encode(data);
            format!(r#"{{"Data":"{data}","PartitionKey":"{n}"}}"#)
        })
        .collect();
    let call = format!(
        r#"{{"StreamName":"live-events","Records":[{}]}}"#,
        records.join(",")
    );
    let (status, answer) = test_server.kinesis("PutRecords", call.clone()).await;
    assert_eq!(
        (status, &answer["FailedRecordCount"]),
        (StatusCode::OK, &0.into())
    );
    // A producer that did not get the answer repeats the whole call.
    let (status, answer) = test_server.kinesis("PutRecords", call).await;
    assert_eq!(
        (status, &answer["FailedRecordCount"]),
        (StatusCode::OK, &0.into())
    );
    test_server
        .post("/v1/events", event("submission_created", 50))
        .await;

    let received = receiver.wait_for(51).await;
    let mut bodies: Vec<_> = received
        .iter()
        .map(|request| request.body.clone())
        .collect();
    let mut wanted: Vec<_> = (0..51).map(|n| event("submission_created", n)).collect();
    bodies.sort();
    wanted.sort();
    assert_eq!(bodies, wanted);
    test_server.close().await;
}

#[tokio::test]
async fn an_invalid_event_goes_to_quarantine_and_not_to_subscribers() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let receiver = Receiver::start().await;
    test_server.subscribe("all", "", &receiver.url()).await;
    // `{"no":"event"}`, as base64.
    let call = r#"{"StreamName":"s","Data":"eyJubyI6ImV2ZW50In0=","PartitionKey":"1"}"#;
    let (status, _) = test_server.kinesis("PutRecord", call).await;
    assert_eq!(status, StatusCode::OK);
    let listed: serde_json::Value =
        serde_json::from_str(&test_server.get("/v1/quarantine").await).unwrap();
    assert_eq!(listed["count"], 1);
    assert_eq!(listed["records"][0]["door"], "kinesis");
    assert_eq!(listed["records"][0]["data"], r#"{"no":"event"}"#);
    assert_eq!(test_server.balance("all").await["accepted"], 0);
    test_server.close().await;
}
