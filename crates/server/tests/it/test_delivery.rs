//! A test delivery through the whole server.

use easel_testkit::Receiver;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::test_server::{TestServer, config};

#[tokio::test]
async fn a_test_arrives_like_a_delivery_with_a_test_header() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let receiver = Receiver::start().await;
    receiver.set_body("thanks");
    let strict = r#""format":"caliper-strict","events":["grade_*"],"#;
    test_server
        .subscribe("strict", strict, &receiver.url())
        .await;

    let test = json!({ "subscription": "strict" }).to_string();
    let (status, answer) = test_server.post("/v1/test-deliveries", test).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        (&answer["delivered"], &answer["status"]),
        (&json!(true), &json!(200))
    );
    assert_eq!(answer["body"], "thanks");
    let request = receiver.received().remove(0);
    assert_eq!(request.header("easel-test"), "true");
    assert_eq!(request.header("easel-subscription"), "strict");
    assert_eq!(request.header("easel-event-name"), "grade_change");
    let envelope: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(envelope["data"].as_array().unwrap().len(), 1);
    assert_eq!(test_server.balance("strict").await["accepted"], 0);
    test_server.close().await;
}
