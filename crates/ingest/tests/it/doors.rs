//! The doors of a test, with a client for each door.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::response::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use easel_access::Authorizer;
use easel_catalog::Catalog;
use easel_ingest::{Intake, IntakeOptions, Kinesis, KinesisAuth, routes};
use easel_log::{Clock, Log, LogOptions, MemoryLog, Offset, Read};
use easel_quarantine::{Quarantine, Quarantined};
use easel_sources::{Imports, SourceSpec, Sources};
use easel_testkit::{FailingLog, FakeClock};
use easel_triggers::Triggers;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The configured stream.
pub(crate) const STREAM: &str = "meadow-events";

/// The doors, with their log, quarantine and clock.
pub(crate) struct Doors {
    pub(crate) router: Router,
    pub(crate) log: Arc<FailingLog>,
    pub(crate) quarantine: Quarantine,
    pub(crate) quarantine_log: Arc<FailingLog>,
    pub(crate) clock: FakeClock,
    pub(crate) stop: CancellationToken,
    pub(crate) sources: Arc<Sources>,
    pub(crate) imports: Arc<Imports>,
}

/// The answer of a door.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Doors {
    /// Creates doors without authentication.
    pub(crate) fn open() -> Self {
        Self::with(
            IntakeOptions::default(),
            Authorizer::without_tokens(),
            KinesisAuth::Open,
        )
    }

    /// Creates doors with these sources.
    pub(crate) fn with_sources(sources: Vec<SourceSpec>) -> Self {
        let doors = Self::open();
        doors.sources.declare(sources).unwrap();
        doors
    }

    pub(crate) fn with_options(options: IntakeOptions) -> Self {
        Self::with(options, Authorizer::without_tokens(), KinesisAuth::Open)
    }

    pub(crate) fn with(options: IntakeOptions, authorizer: Authorizer, auth: KinesisAuth) -> Self {
        Self::on(LogOptions::default(), options, authorizer, auth)
    }

    /// Creates doors with a log that detects no duplicates.
    pub(crate) fn without_duplicate_window() -> Self {
        let log = LogOptions {
            duplicate_window: 0,
            ..LogOptions::default()
        };
        let options = IntakeOptions::default();
        Self::on(
            log,
            options,
            Authorizer::without_tokens(),
            KinesisAuth::Open,
        )
    }

    fn on(
        log: LogOptions,
        options: IntakeOptions,
        authorizer: Authorizer,
        auth: KinesisAuth,
    ) -> Self {
        let log_options = log;
        let fake = FakeClock::default();
        let clock: Arc<dyn Clock> = Arc::new(fake.clone());
        let log = || {
            let memory = MemoryLog::new(log_options, Arc::clone(&clock));
            Arc::new(FailingLog::new(Arc::new(memory)))
        };
        let (log, quarantine_log) = (log(), log());
        let quarantine = Quarantine::new(
            Arc::<FailingLog>::clone(&quarantine_log),
            Arc::clone(&clock),
        );
        let shared = Arc::<FailingLog>::clone(&log);
        let stop = CancellationToken::new();
        let sources = Sources::in_memory(Arc::clone(&clock), Vec::new()).unwrap();
        let sources = Arc::new(sources);
        let imports = Arc::new(Imports::in_memory().unwrap());
        let intake = Intake::new(shared, quarantine.clone(), clock, options);
        let intake = intake.with_stop(stop.clone());
        let router = routes(easel_ingest::Doors {
            intake: Arc::new(intake),
            authorizer,
            kinesis: Kinesis::new(auth).with_stream(STREAM),
            triggers: triggers(),
            sources: Arc::clone(&sources),
            imports: Arc::clone(&imports),
        });
        Self {
            router,
            log,
            quarantine,
            quarantine_log,
            clock: fake,
            stop,
            sources,
            imports,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.send_raw(request).await;
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer {
            status: head.status,
            headers: head.headers,
            json,
        }
    }

    /// Sends a request. Returns the head and the body of the response.
    pub(crate) async fn send_raw(&self, request: Request<Body>) -> (Parts, Bytes) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (head, body)
    }

    /// Sends `body` through the native door.
    pub(crate) async fn native(&self, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post("/v1/events")
            .header("content-type", content_type)
            .body(body.into());
        self.send(request.unwrap()).await
    }

    /// Calls an operation of the Kinesis door.
    pub(crate) async fn kinesis(&self, operation: &str, call: &Value) -> Answer {
        let request = Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
            .body(call.to_string().into());
        self.send(request.unwrap()).await
    }

    /// Calls `PutRecords` with these records.
    pub(crate) async fn put_records<T: AsRef<[u8]>>(&self, records: &[T]) -> Answer {
        self.kinesis("PutRecords", &put_records(records)).await
    }

    /// Returns the bytes of all records of the log.
    pub(crate) async fn stored(&self) -> Vec<Bytes> {
        let mut stored = Vec::new();
        let mut next = Offset::ZERO;
        while let Read::Block(block) = self.log.read(next).await.unwrap() {
            stored.extend(block.records().map(|record| record.bytes));
            next = block.end();
        }
        stored
    }

    pub(crate) async fn quarantined(&self) -> Vec<Quarantined> {
        self.quarantine.list(Offset::ZERO, 100).await.unwrap()
    }
}

pub(crate) fn triggers() -> Arc<Triggers> {
    let options = easel_triggers::TriggerOptions {
        shard: 7,
        ..easel_triggers::TriggerOptions::default()
    };
    Arc::new(Triggers::new(Arc::new(Catalog::built_in()), options).unwrap())
}

/// Checks that every record was accepted.
#[track_caller]
pub(crate) fn check_taken(answer: &Answer, count: usize) {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json["FailedRecordCount"], 0);
    let records = answer.json["Records"].as_array().unwrap();
    assert_eq!(records.len(), count);
    for record in records {
        assert_eq!(record["ShardId"], "shardId-000000000000");
        assert!(record["SequenceNumber"].is_string(), "{record}");
    }
}

/// Checks that a call has an error in the AWS format.
#[track_caller]
pub(crate) fn check_error(answer: &Answer, status: u16, name: &str) {
    assert_eq!(
        (answer.status.as_u16(), &answer.json["__type"]),
        (status, &json!(name)),
        "{answer:?}"
    );
    assert!(answer.json["message"].is_string(), "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(answer.headers["x-amzn-errortype"], name);
    assert_eq!(answer.headers["x-amzn-requestid"].len(), 36);
}

/// Returns a call of `PutRecords` with these records.
pub(crate) fn put_records<T: AsRef<[u8]>>(records: &[T]) -> Value {
    let records = records
        .iter()
        .map(|record| json!({ "Data": BASE64_STANDARD.encode(record), "PartitionKey": "7" }));
    json!({ "StreamName": "live-events", "Records": records.collect::<Vec<_>>() })
}

/// Returns a body of unknown size.
pub(crate) fn unsized_body(bytes: Bytes) -> Body {
    Body::from_stream(stream::iter([Ok::<_, io::Error>(bytes)]))
}

/// The largest body for `cramped` doors.
pub(crate) const CRAMPED_BYTES: usize = 9 * 1024 * 1024 - 1;

/// Options with room for one largest body and a decoder, but not for two.
pub(crate) fn cramped() -> IntakeOptions {
    IntakeOptions {
        max_request_bytes: CRAMPED_BYTES,
        max_in_flight_bytes: 0,
        ..IntakeOptions::default()
    }
}

/// Returns a blank body of nearly the largest size for `cramped` doors, whose end arrives slowly. The
/// receiver is notified once everything except the end was read.
pub(crate) fn slow_body(tens_of_seconds: u64) -> (Body, oneshot::Receiver<()>) {
    let (sender, read) = oneshot::channel();
    let most = stream::iter([Bytes::from(vec![b' '; CRAMPED_BYTES - 1_000])]);
    let notify = stream::once(async { sender.send(()).map(|()| Bytes::new()).unwrap() });
    let rest = stream::iter(0..tens_of_seconds).then(async |_| {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Bytes::from_static(b" ")
    });
    let body = Body::from_stream(most.chain(notify).chain(rest).map(Ok::<_, io::Error>));
    (body, read)
}
