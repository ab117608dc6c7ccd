//! Whom the Kinesis door lets in.

use axum::body::Body;
use axum::http::Request;
use easel_access::{Gate, Secret};
use easel_ingest::{IntakeOptions, KinesisAuth, KinesisKeys};
use jiff::{SignedDuration, Timestamp};

use crate::doors::Doors;

pub(crate) const GOLDEN: &str = include_str!("../../fixtures/boto3_put_records.http");
const KEY_ID: &str = "MEADOWKEYFORTESTS001";
pub(crate) const SECRET: &str = "not/a+real/secret+but+as/long+as+one/x40";

fn doors(auth: KinesisAuth, now: Timestamp) -> Doors {
    let doors = Doors::with(IntakeOptions::default(), Gate::open(), auth);
    doors.clock.set(now);
    doors
}

pub(crate) fn keys(secret: &str) -> KinesisAuth {
    let pair = (KEY_ID.to_owned(), Secret::new(secret.to_owned()));
    KinesisAuth::Keys(KinesisKeys::from_iter([pair]))
}

pub(crate) fn golden_time() -> Timestamp {
    "2026-11-22T05:48:18Z".parse().unwrap()
}

/// Reads a request as it was captured from the wire.
pub(crate) fn captured(text: &str) -> Request<Body> {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut request = Request::post("/");
    for header in head.lines().skip(1) {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(body.to_owned().into()).unwrap()
}

/// Checks what the door answers to `request`, and that nothing is stored unless it is let in.
async fn check(doors: &Doors, request: &str, refusal: Option<&str>) {
    let answer = doors.send(captured(request)).await;
    match refusal {
        None => assert_eq!(answer.json["FailedRecordCount"], 0, "{answer:?}"),
        Some(name) => {
            assert_eq!(answer.status.as_u16(), 400, "{answer:?}");
            assert_eq!(answer.json["__type"], name, "{answer:?}");
        }
    }
    let count = if refusal.is_some() { 0 } else { 2 };
    assert_eq!(doors.stored().await.len(), count);
}

#[tokio::test]
async fn what_boto3_signs_comes_in() {
    check(&doors(keys(SECRET), golden_time()), GOLDEN, None).await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let doors = doors(keys("another"), golden_time());
    check(&doors, GOLDEN, Some("InvalidSignatureException")).await;
}

#[tokio::test]
async fn an_unknown_key_is_refused() {
    let doors = doors(KinesisAuth::Keys(KinesisKeys::default()), golden_time());
    check(&doors, GOLDEN, Some("UnrecognizedClientException")).await;
}

#[tokio::test]
async fn a_changed_body_is_refused() {
    let changed = GOLDEN.replace("\"PartitionKey\": \"0\"", "\"PartitionKey\": \"1\"");
    assert_ne!(changed, GOLDEN);
    let doors = doors(keys(SECRET), golden_time());
    check(&doors, &changed, Some("InvalidSignatureException")).await;
}

#[tokio::test]
async fn another_operation_than_the_one_signed_is_refused() {
    let changed = GOLDEN.replace("Kinesis_20131202.PutRecords", "Kinesis_20131202.PutRecord");
    let doors = doors(keys(SECRET), golden_time());
    check(&doors, &changed, Some("InvalidSignatureException")).await;
}

#[tokio::test]
async fn a_request_from_another_time_is_refused() {
    for minutes in [-6, 6] {
        let doors = doors(
            keys(SECRET),
            golden_time() + SignedDuration::from_mins(minutes),
        );
        check(&doors, GOLDEN, Some("InvalidSignatureException")).await;
    }
}

#[tokio::test]
async fn a_request_without_a_signature_is_refused() {
    let unsigned: String = GOLDEN
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("authorization"))
        .collect();
    let doors = doors(keys(SECRET), golden_time());
    check(
        &doors,
        &unsigned,
        Some("MissingAuthenticationTokenException"),
    )
    .await;
}

#[tokio::test]
async fn an_incomplete_signature_is_refused() {
    let cut = GOLDEN.replace("SignedHeaders=", "Headers=");
    let doors = doors(keys(SECRET), golden_time());
    check(&doors, &cut, Some("IncompleteSignatureException")).await;
}

#[tokio::test]
async fn an_open_door_asks_for_no_signature() {
    check(
        &doors(KinesisAuth::Open, Timestamp::UNIX_EPOCH),
        GOLDEN,
        None,
    )
    .await;
}

#[tokio::test]
async fn a_door_without_keys_says_which_setting_is_missing() {
    let doors = doors(KinesisAuth::Off, golden_time());
    let answer = doors.send(captured(GOLDEN)).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert_eq!(answer.json["__type"], "AccessDeniedException");
    assert!(
        answer.json["message"]
            .as_str()
            .unwrap()
            .contains("[[kinesis.keys]]"),
        "{answer:?}"
    );
}
