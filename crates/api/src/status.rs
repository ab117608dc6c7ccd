//! `/v1/status`: how the server is, in one answer.
//!
//! What it says of each subscription is in `lane`, what of all that needs an operator in `attention`.

mod attention;
mod lane;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use easel_drift::Report;
use easel_log::{Offset, ReadError};
use jiff::Timestamp;
use serde::Serialize;
use tracing::{error, warn};
use utoipa::ToSchema;

use crate::Api;
use attention::{AttentionJson, attention};
use lane::LaneJson;

/// The time over which the rate of events is measured.
const RATE_WINDOW: Duration = Duration::from_mins(5);

/// How the server is.
#[derive(Serialize, ToSchema)]
#[schema(as = Status)]
pub(crate) struct StatusJson {
    /// The version of Easel.
    version: &'static str,
    /// An address that the server can be reached at from its own machine.
    address: String,
    /// The server's time.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    log: LogJson,
    /// The room on the disk of the data folder; absent when it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<DiskJson>,
    drift: DriftStatusJson,
    quarantine: QuarantineJson,
    /// Lanes that run.
    lanes_running: usize,
    /// Whether the places of the subscriptions in the log could be saved when they last were.
    cursors_saved: bool,
    /// Every subscription, by name.
    lanes: Vec<LaneJson>,
    /// What needs an operator; empty when all is well.
    attention: Vec<AttentionJson>,
}

/// The log of accepted events.
#[derive(Serialize, ToSchema)]
#[schema(as = LogStatus)]
struct LogJson {
    /// Whether it takes new events; after a failed write it does not until a restart.
    writable: bool,
    /// Whether it could be read for this answer; if not, times and the rate are absent.
    readable: bool,
    /// Events kept.
    events: u64,
    /// Bytes they take on disk.
    bytes: u64,
    /// The oldest offset kept.
    #[schema(value_type = u64)]
    tail: Offset,
    /// The offset the next event will get.
    #[schema(value_type = u64)]
    head: Offset,
    /// When the oldest event kept was accepted; absent when none is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_at: Option<Timestamp>,
    /// Events accepted each second, over the last five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    events_per_second: Option<f64>,
    /// Records found unreadable since the server started.
    damaged: u64,
    /// The age in seconds at which events are dropped; absent without a bound on age.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_seconds: Option<u64>,
    /// The size beyond which the oldest events are dropped; absent without a bound on size.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
}

/// The room on a disk.
#[derive(Serialize, ToSchema)]
#[schema(as = DiskStatus)]
struct DiskJson {
    /// Bytes the server can still use.
    free_bytes: u64,
    /// Bytes there are in all.
    total_bytes: u64,
}

/// What arrived that the catalogue does not know.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftStatus)]
struct DriftStatusJson {
    /// How many different things were seen.
    sightings: u64,
    /// How many of them were first seen within the last 24 hours.
    new: u64,
    /// When one was last seen; absent when nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen: Option<Timestamp>,
    /// Events not yet held against the catalogue.
    pending: u64,
}

/// What doors took in that is no event.
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantineStatus)]
struct QuarantineJson {
    /// Whether it takes new records.
    writable: bool,
    /// Records kept.
    records: u64,
}

/// Shows how the server is: log, lanes, disk, drift, quarantine, and what needs an operator. What
/// cannot be read is left out.
#[utoipa::path(get, path = "/v1/status", operation_id = "show_status", tag = "status", responses((status = OK, body = StatusJson)))]
pub(crate) async fn show(State(api): State<Api>) -> Json<StatusJson> {
    let now = api.clock.now();
    let mut times = AcceptTimes::default();
    let mut log = log(&api, now, &mut times).await;
    let mut lanes = Vec::new();
    for subscription in api.subscriptions.list() {
        lanes.push(LaneJson::new(&api, &subscription, now, &mut times).await);
    }
    log.readable &= times.all_read;
    let mut status = StatusJson {
        version: env!("CARGO_PKG_VERSION"),
        address: api.host.address.to_string(),
        now,
        started_at: api.host.started_at,
        drift: drift(&api.drift.report(), log.head, now),
        log,
        disk: disk(&api).await,
        quarantine: QuarantineJson {
            writable: !api.quarantine.is_refusing(),
            records: api.quarantine.count(),
        },
        lanes_running: api.host.lane_count.borrow().unwrap_or(0),
        cursors_saved: api.subscriptions.is_healthy(),
        lanes,
        attention: Vec::new(),
    };
    status.attention = attention(&status);
    Json(status)
}

async fn log(api: &Api, now: Timestamp, times: &mut AcceptTimes) -> LogJson {
    let since = now
        .checked_sub(lane::duration(RATE_WINDOW))
        .unwrap_or(Timestamp::MIN);
    let first_recent = readable(api.log.find_time(since).await);
    // The bounds come after: what was found is not beyond the head then.
    let bounds = *api.log.bounds().borrow();
    let stats = api.log.stats();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate is rounded when it is shown"
    )]
    let rate = |first: Offset| bounds.head.since(first) as f64 / RATE_WINDOW.as_secs_f64();
    LogJson {
        writable: !stats.refusing,
        readable: first_recent.is_some(),
        events: bounds.head.since(bounds.tail),
        bytes: stats.stored_bytes,
        tail: bounds.tail,
        head: bounds.head,
        oldest_at: times.accepted_at(api, bounds.tail).await,
        events_per_second: first_recent.map(rate),
        damaged: stats.damaged_count,
        max_age_seconds: api.host.max_age.map(|max_age| max_age.as_secs()),
        max_bytes: api.host.max_bytes,
    }
}

/// What was read of the log; `None`, and a line in the output, when it could not be.
fn readable<T>(read: Result<T, ReadError>) -> Option<T> {
    read.inspect_err(|error| error!(%error, "log cannot be read for the status"))
        .ok()
}

async fn disk(api: &Api) -> Option<DiskJson> {
    let read = Arc::clone(&api.host.disk_space);
    match tokio::task::spawn_blocking(move || read()).await {
        Ok(Ok(space)) => Some(DiskJson {
            free_bytes: space.free_bytes,
            total_bytes: space.total_bytes,
        }),
        Ok(Err(error)) => {
            warn!(%error, "free disk space cannot be read");
            None
        }
        Err(error) => {
            warn!(%error, "free disk space cannot be read");
            None
        }
    }
}

fn drift(report: &Report, head: Offset, now: Timestamp) -> DriftStatusJson {
    let is_new = |first_seen: Timestamp| now.duration_since(first_seen).as_hours() < 24;
    let sightings = &report.sightings;
    let new = sightings.iter().filter(|seen| is_new(seen.first_seen));
    DriftStatusJson {
        sightings: sightings.len() as u64,
        new: new.count() as u64,
        last_seen: sightings.iter().map(|seen| seen.last_seen).max(),
        pending: head.since(report.cursor),
    }
}

/// When events were accepted; each offset is looked up once in one answer.
#[derive(Debug)]
struct AcceptTimes {
    known: HashMap<Offset, Option<Timestamp>>,
    /// Whether everything that was looked up could be read.
    all_read: bool,
}

impl Default for AcceptTimes {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            all_read: true,
        }
    }
}

impl AcceptTimes {
    /// When the event at `offset`, or the first one kept after it, was accepted; `None` when there
    /// is none yet, or when the log cannot be read.
    async fn accepted_at(&mut self, api: &Api, offset: Offset) -> Option<Timestamp> {
        if let Some(known) = self.known.get(&offset) {
            return *known;
        }
        // Once is enough to know that the log cannot be read.
        let read = if self.all_read {
            readable(api.log.appended_at(offset).await)
        } else {
            None
        };
        self.all_read &= read.is_some();
        let accepted_at = read.flatten();
        self.known.insert(offset, accepted_at);
        accepted_at
    }
}
