//! The Kinesis door: authentication.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use easel_access::Authorizer;
use easel_catalog::Reach;
use easel_ingest::{IntakeOptions, KinesisAuth, KinesisKeys, SecretAccessKey};
use easel_keys::Secret;
use jiff::{SignedDuration, Timestamp};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::doors::Doors;

pub(crate) const GOLDEN: &str = include_str!("../../fixtures/boto3_put_records.http");
const KEY_ID: &str = "MEADOWKEYFORTESTS001";
pub(crate) const SECRET: &str = "not/a+real/secret+but+as/long+as+one/x40";

fn doors(auth: KinesisAuth, now: Timestamp) -> Doors {
    let doors = Doors::with(IntakeOptions::default(), Authorizer::without_tokens(), auth);
    doors.clock.set(now);
    doors
}

pub(crate) fn keys(secret: &str) -> KinesisAuth {
    let key = SecretAccessKey {
        secret: Secret::new(secret.to_owned()),
        reach: Reach::Everything,
    };
    KinesisAuth::Keys(KinesisKeys::from_iter([(KEY_ID.to_owned(), key)]))
}

pub(crate) fn golden_time() -> Timestamp {
    "2026-11-22T05:48:18Z".parse().unwrap()
}

/// Parses a captured request.
pub(crate) fn captured(text: &str) -> Request<Body> {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut request = Request::post("/");
    for header in head.lines().skip(1) {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(body.to_owned().into()).unwrap()
}

/// Checks the answer to `request`, and that a rejected request stores nothing.
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
async fn a_request_signed_by_boto3_is_accepted() {
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
async fn an_open_door_requires_no_signature() {
    check(
        &doors(KinesisAuth::Open, Timestamp::UNIX_EPOCH),
        GOLDEN,
        None,
    )
    .await;
}

#[tokio::test]
async fn the_error_of_a_door_without_keys_names_the_setting() {
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

/// The captured log output of a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends a request that is rejected. Returns its line in the log output.
async fn line_of(doors: &Doors, request: &str) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut request = captured(request);
    let peer: SocketAddr = "192.0.2.7:50000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    assert_eq!(doors.send(request).await.status.as_u16(), 400);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// Checks that a line contains these parts, and no secret and no signature.
#[track_caller]
fn check_line(line: &str, parts: &[&str]) {
    for part in parts
        .iter()
        .chain(&["WARN", "request refused", "from=192.0.2.7"])
    {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let (_, signature) = GOLDEN.split_once("Signature=").unwrap();
    let signature = signature.lines().next().unwrap();
    assert_eq!(signature.len(), 64);
    for secret in [SECRET, signature, "another"] {
        assert!(!line.contains(secret), "{line}");
    }
}

#[tokio::test]
async fn a_refused_signature_is_logged_and_counted_with_its_reason() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let describe = GOLDEN.replace(
        "Kinesis_20131202.PutRecords",
        "Kinesis_20131202.DescribeStream",
    );
    let key = format!("access_key_id=\"{KEY_ID}\"");

    let right = doors(keys(SECRET), golden_time());
    let line = line_of(&right, &describe).await;
    check_line(
        &line,
        &["\"signature_mismatch\"", &key, "asked=\"DescribeStream\""],
    );
    let wrong = doors(keys("another"), golden_time());
    check_line(
        &line_of(&wrong, GOLDEN).await,
        &["\"signature_mismatch\"", &key],
    );
    let late = doors(keys(SECRET), golden_time() + SignedDuration::from_mins(6));
    let line = line_of(&late, &describe).await;
    check_line(
        &line,
        &["\"signature_expired\"", &key, "Signature expired: 2026"],
    );
    let nobody = doors(KinesisAuth::Keys(KinesisKeys::default()), golden_time());
    check_line(
        &line_of(&nobody, &describe).await,
        &["\"key_unknown\"", &key],
    );
    let cut = describe.replace("SignedHeaders=", "Headers=");
    check_line(
        &line_of(&right, &cut).await,
        &["\"signature_incomplete\"", "SignedHeaders"],
    );
    let off = doors(KinesisAuth::Off, golden_time());
    check_line(
        &line_of(&off, &describe).await,
        &["\"keys_not_configured\"", "kinesis.keys"],
    );
    let open = doors(KinesisAuth::Open, golden_time());
    let odd = describe.replace("\"live-events\"", "\"no name of a stream\"");
    let line = line_of(&open, &odd).await;
    check_line(&line, &["\"call_invalid\"", "ValidationException"]);
    assert!(!line.contains("no name of a stream"), "{line}");

    let shown = recorder.handle().render();
    for (reason, count) in [
        ("signature_mismatch", 2),
        ("signature_expired", 1),
        ("key_unknown", 1),
        ("signature_incomplete", 1),
        ("keys_not_configured", 1),
        ("call_invalid", 1),
        ("signature_missing", 0),
        ("token_unknown", 0),
    ] {
        let line = format!("easel_refused_requests_total{{reason=\"{reason}\"}} {count}");
        assert!(
            shown.lines().any(|shown| shown == line),
            "{line} is not in:\n{shown}"
        );
    }
}

#[tokio::test]
async fn a_secret_that_is_sent_as_the_key_id_is_not_logged() {
    let secret = "a-secret-without-slashes";
    let doors = doors(keys(secret), golden_time());
    let swapped = GOLDEN.replace(KEY_ID, secret);
    let line = line_of(&doors, &swapped).await;
    check_line(&line, &["\"key_unknown\"", "id and secret are mixed up"]);
    assert!(!line.contains(secret), "{line}");
}
