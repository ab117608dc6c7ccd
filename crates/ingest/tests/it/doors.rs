//! The doors of one test, and a client for each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use easel_access::Authorizer;
use easel_catalog::Catalog;
use easel_ingest::{Intake, IntakeOptions, Kinesis, KinesisAuth, routes};
use easel_log::{Clock, Log, LogOptions, MemoryLog, Offset, Read};
use easel_quarantine::{Quarantine, Quarantined};
use easel_testkit::{FailingLog, FakeClock};
use easel_triggers::Triggers;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The stream they are configured with.
pub(crate) const STREAM: &str = "meadow-events";

/// The doors, and all that is behind them.
pub(crate) struct Doors {
    pub(crate) router: Router,
    pub(crate) log: Arc<FailingLog>,
    pub(crate) quarantine: Quarantine,
    pub(crate) quarantine_log: Arc<FailingLog>,
    pub(crate) clock: FakeClock,
    pub(crate) stop: CancellationToken,
}

/// What a door answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Doors {
    /// Doors that ask for nothing.
    pub(crate) fn open() -> Self {
        Self::with(
            IntakeOptions::default(),
            Authorizer::open(),
            KinesisAuth::Open,
        )
    }

    pub(crate) fn with_options(options: IntakeOptions) -> Self {
        Self::with(options, Authorizer::open(), KinesisAuth::Open)
    }

    pub(crate) fn with(options: IntakeOptions, gate: Authorizer, auth: KinesisAuth) -> Self {
        Self::on(LogOptions::default(), options, gate, auth)
    }

    /// Doors on a log that knows no duplicates.
    pub(crate) fn without_duplicate_window() -> Self {
        let log = LogOptions {
            duplicate_window: 0,
            ..LogOptions::default()
        };
        let options = IntakeOptions::default();
        Self::on(log, options, Authorizer::open(), KinesisAuth::Open)
    }

    fn on(log: LogOptions, options: IntakeOptions, gate: Authorizer, auth: KinesisAuth) -> Self {
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
        let intake = Intake::new(shared, quarantine.clone(), clock, options);
        let intake = intake.with_stop(stop.clone());
        let router = routes(
            Arc::new(intake),
            gate,
            Kinesis::new(auth).with_stream(STREAM),
            triggers(),
        );
        Self {
            router,
            log,
            quarantine,
            quarantine_log,
            clock: fake,
            stop,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer {
            status: head.status,
            headers: head.headers,
            json,
        }
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

    /// The bytes of everything on the log.
    pub(crate) async fn stored(&self) -> Vec<Bytes> {
        let mut stored = Vec::new();
        let mut next = Offset::ZERO;
        while let Read::Block(block) = self.log.read(next).await.unwrap() {
            stored.extend(block.records().map(|record| record.bytes));
            next = block.next();
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

/// Checks that every record was taken.
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

/// Checks that a call was refused as AWS would.
#[track_caller]
pub(crate) fn check_error(answer: &Answer, status: u16, name: &str) {
    assert_eq!(
        (answer.status.as_u16(), &answer.json["__type"]),
        (status, &json!(name)),
        "{answer:?}"
    );
    assert!(answer.json["message"].is_string(), "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(answer.headers["x-amzn-requestid"].len(), 36);
}

/// The call that puts these records onto a stream.
pub(crate) fn put_records<T: AsRef<[u8]>>(records: &[T]) -> Value {
    let records = records
        .iter()
        .map(|record| json!({ "Data": BASE64_STANDARD.encode(record), "PartitionKey": "7" }));
    json!({ "StreamName": "live-events", "Records": records.collect::<Vec<_>>() })
}

/// A body that does not tell its size.
pub(crate) fn unsized_body(bytes: Bytes) -> Body {
    Body::from_stream(stream::iter([Ok::<_, io::Error>(bytes)]))
}

/// The largest body that `cramped` doors take.
pub(crate) const CRAMPED_BYTES: usize = 9 * 1024 * 1024 - 1;

/// Room for one of the largest bodies and for a decoder, but not for two of them.
pub(crate) fn cramped() -> IntakeOptions {
    IntakeOptions {
        max_request_bytes: CRAMPED_BYTES,
        max_in_flight_bytes: 0,
        ..IntakeOptions::default()
    }
}

/// A blank body nearly as large as `cramped` doors take, whose end takes its time, and word of
/// when all but its end was read.
pub(crate) fn slow_body(tens_of_seconds: u64) -> (Body, oneshot::Receiver<()>) {
    let (sender, read) = oneshot::channel();
    let most = stream::iter([Bytes::from(vec![b' '; CRAMPED_BYTES - 1_000])]);
    let told = stream::once(async { sender.send(()).map(|()| Bytes::new()).unwrap() });
    let rest = stream::iter(0..tens_of_seconds).then(async |_| {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Bytes::from_static(b" ")
    });
    let body = Body::from_stream(most.chain(told).chain(rest).map(Ok::<_, io::Error>));
    (body, read)
}
