//! The events to send. All are different.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "benchmarks measure real time")]
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use easel_catalog::{Catalog, EventOrigin, Limits, admit};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::connection::{Connection, Target};

/// The events to send. All are different.
#[derive(Debug)]
pub(crate) struct EventLoad {
    events: Vec<Bytes>,
    numbers: HashMap<Uuid, usize>,
}

/// How events are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendPlan {
    pub(crate) door: BenchDoor,
    /// Events in one request.
    pub(crate) batch: usize,
    pub(crate) connections: usize,
}

/// The door that receives the events.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BenchDoor {
    Native,
    Kinesis,
    /// Signed requests of a hosted Canvas.
    Hook,
}

impl EventLoad {
    /// Creates `count` events from the examples of the catalogue, repeated as often as needed. Each event
    /// has its own request id.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let catalog = Catalog::built_in();
        let examples: Vec<Value> = catalog
            .types()
            .iter()
            .map(|event_type| {
                catalog.example(event_type, EventOrigin::Request, Timestamp::UNIX_EPOCH)
            })
            .map(|text| serde_json::from_str(&text))
            .collect::<Result<_, _>>()?;
        let mut load = Self {
            events: Vec::with_capacity(count),
            numbers: HashMap::with_capacity(count),
        };
        for (number, example) in examples.iter().cycle().take(count).enumerate() {
            let mut event = example.clone();
            let metadata = event
                .get_mut("metadata")
                .context("an example has no metadata")?;
            *metadata = with_ids(metadata, number);
            let bytes = serde_json::to_vec(&event)?;
            let admitted = admit(&bytes, &Limits::default())?;
            load.events.push(bytes.into());
            load.numbers.insert(admitted.id, number);
        }
        Ok(load)
    }

    /// Returns the number of events.
    pub(crate) const fn count(&self) -> usize {
        self.events.len()
    }

    /// Returns the number of the event with this id.
    pub(crate) fn number(&self, id: Uuid) -> Option<usize> {
        self.numbers.get(&id).copied()
    }

    /// Returns the body of a request with at most `batch` events, from the event number `first` on.
    pub(crate) fn body(&self, door: BenchDoor, first: usize, batch: usize) -> Bytes {
        let events = self.events.iter().skip(first).take(batch);
        match door {
            BenchDoor::Native | BenchDoor::Hook => {
                let lines: Vec<&[u8]> = events.map(AsRef::as_ref).collect();
                lines.join(&b'\n').into()
            }
            BenchDoor::Kinesis => {
                let record =
                    |event: &Bytes| json!({"Data": STANDARD.encode(event), "PartitionKey": "1"});
                let records: Vec<Value> = events.map(record).collect();
                let call = json!({"StreamName": "live-events", "Records": records});
                call.to_string().into()
            }
        }
    }

    /// Sends all events and returns how long it took. Fails if any event is not acknowledged.
    pub(crate) async fn send(&self, server: SocketAddr, plan: SendPlan) -> Result<Duration> {
        let request_count = self.count().div_ceil(plan.batch);
        let body = |number| self.body(plan.door, number * plan.batch, plan.batch);
        self.send_bodies(server, plan, (0..request_count).map(body).collect())
            .await
    }

    /// Returns the events.
    pub(crate) fn events(&self) -> &[Bytes] {
        &self.events
    }

    /// Sends these bodies, which have all events, and returns how long it took. Fails if any event is not
    /// acknowledged.
    #[expect(clippy::disallowed_types, reason = "benchmarks measure real time")]
    pub(crate) async fn send_bodies(
        &self,
        server: SocketAddr,
        plan: SendPlan,
        bodies: Vec<Bytes>,
    ) -> Result<Duration> {
        let bodies = Arc::new(bodies);
        let next = Arc::new(AtomicUsize::new(0));
        let mut senders = JoinSet::new();
        let started = Instant::now();
        for _ in 0..plan.connections {
            let mut connection = Connection::open(server).await?;
            let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
            senders.spawn(async move {
                let mut accepted = 0;
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = connection.post(&plan.door.target(), body.clone()).await?;
                    accepted += plan.door.accepted(&answer)?;
                }
                Ok::<u64, anyhow::Error>(accepted)
            });
        }
        let mut accepted = 0;
        while let Some(sent) = senders.join_next().await {
            accepted += sent??;
        }
        let took = started.elapsed();
        let sent = u64::try_from(self.count())?;
        ensure!(
            accepted == sent,
            "{accepted} of {sent} events were acknowledged"
        );
        Ok(took)
    }
}

impl BenchDoor {
    /// Returns the target of the requests.
    pub(crate) const fn target(self) -> Target {
        match self {
            Self::Native => Target {
                path: "/v1/events",
                content_type: "application/x-ndjson",
                operation: None,
            },
            Self::Kinesis => Target {
                path: "/",
                content_type: "application/x-amz-json-1.1",
                operation: Some("Kinesis_20131202.PutRecords"),
            },
            Self::Hook => Target {
                path: "/v1/hooks/hosted",
                content_type: "application/json",
                operation: None,
            },
        }
    }

    /// Returns the number of events that an answer acknowledges.
    fn accepted(self, answer: &Value) -> Result<u64> {
        match self {
            Self::Native => answer
                .get("accepted")
                .and_then(Value::as_u64)
                .context("`accepted` is missing in an answer"),
            // The door answers 200 without a body.
            Self::Hook => Ok(1),
            Self::Kinesis => {
                let records = answer.get("Records").and_then(Value::as_array);
                let records = records.context("`Records` is missing in an answer")?;
                let is_stored = |record: &&Value| record.get("SequenceNumber").is_some();
                Ok(u64::try_from(records.iter().filter(is_stored).count())?)
            }
        }
    }
}

/// The number of users. The event with the number `n` is from the user `n % USERS`.
pub(crate) const USERS: usize = 1_000;

/// Returns the metadata with a request id and a user id that are derived from `number`.
fn with_ids(metadata: &Value, number: usize) -> Value {
    let mut metadata = metadata.clone();
    if let Some(members) = metadata.as_object_mut() {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        members.insert("request_id".to_owned(), id.into());
        let user = format!("10000000{:06}", number % USERS);
        members.insert("user_id".to_owned(), user.into());
    }
    metadata
}
