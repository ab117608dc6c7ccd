//! `/v1/status`: the state of the server, in one answer.
//!
//! Module `lane` has the state of each subscription. Module `attention` lists what needs an operator.

mod attention;
mod lane;
mod source;

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
use source::SourceStatusJson;

/// The time over which the rate of events is measured.
const RATE_WINDOW: Duration = Duration::from_mins(5);

/// The state of the server.
#[derive(Serialize, ToSchema)]
#[schema(as = Status)]
pub(crate) struct StatusJson {
    /// The version of Easel.
    version: &'static str,
    /// The address of the server for clients on its own machine.
    address: String,
    /// The time on the server's clock.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    log: LogJson,
    /// The space on the disk with the data folder. Absent if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<DiskJson>,
    audit: AuditStatusJson,
    drift: DriftStatusJson,
    quarantine: QuarantineJson,
    /// The number of running lanes.
    lanes_running: usize,
    /// Whether the last save of the cursors succeeded.
    cursors_saved: bool,
    /// All subscriptions, by name.
    lanes: Vec<LaneJson>,
    /// All sources, by name.
    sources: Vec<SourceStatusJson>,
    /// What needs an operator. Empty if there is no problem.
    attention: Vec<AttentionJson>,
}

/// The log of accepted events.
#[derive(Serialize, ToSchema)]
#[schema(as = LogStatus)]
struct LogJson {
    /// Whether the log accepts new events. After a failed write it refuses them until a restart.
    writable: bool,
    /// Whether the log could be read for this answer. If not, times and the rate are absent.
    readable: bool,
    /// The number of events on the log.
    events: u64,
    /// The bytes of these events on disk.
    bytes: u64,
    /// The oldest offset on the log.
    #[schema(value_type = u64)]
    tail: Offset,
    /// The offset that the next event will get.
    #[schema(value_type = u64)]
    head: Offset,
    /// When the oldest event was accepted. Absent if the log is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_at: Option<Timestamp>,
    /// Accepted events per second, over the last five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    events_per_second: Option<f64>,
    /// The number of unreadable records that were found since the server started.
    damaged: u64,
    /// The age in seconds at which events are dropped. Absent without a limit on age.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_seconds: Option<u64>,
    /// The size in bytes above which the oldest events are dropped. Absent without a limit on size.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
}

/// The audit.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditStatus)]
struct AuditStatusJson {
    /// Whether the latest write failed. Then nothing is changed, and no payload is shown.
    failing: bool,
    /// The number of faults that the start of the server found.
    damaged: u64,
}

/// The space on a disk.
#[derive(Serialize, ToSchema)]
#[schema(as = DiskStatus)]
struct DiskJson {
    /// The bytes that the server can still use.
    free_bytes: u64,
    /// The size of the disk in bytes.
    total_bytes: u64,
}

/// What arrived and is unknown to the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftStatus)]
struct DriftStatusJson {
    /// The number of drift findings.
    sightings: u64,
    /// The number of findings that were first seen within the last 24 hours.
    new: u64,
    /// When a finding was last seen. Absent without findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen: Option<Timestamp>,
    /// The number of events that are not scanned yet.
    pending: u64,
}

/// Records that doors accepted although they are not valid events.
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantineStatus)]
struct QuarantineJson {
    /// Whether the quarantine accepts new records.
    writable: bool,
    /// The number of records in quarantine.
    records: u64,
}

/// Shows the state of the server: log, lanes, disk, drift, quarantine, and what needs an operator.
/// Values that cannot be read are absent.
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
        address: api.server.address.to_string(),
        now,
        started_at: api.server.started_at,
        drift: drift(&api.drift.report(), log.head, now),
        log,
        disk: disk(&api).await,
        audit: AuditStatusJson {
            failing: api.audit.is_failing(),
            damaged: u64::try_from(api.audit.found_at_start().len()).unwrap_or(u64::MAX),
        },
        quarantine: QuarantineJson {
            writable: !api.quarantine.is_refusing(),
            records: api.quarantine.count(),
        },
        lanes_running: api.server.lane_count.borrow().unwrap_or(0),
        cursors_saved: api.subscriptions.is_healthy(),
        lanes,
        sources: source::all(&api, now),
        attention: Vec::new(),
    };
    status.attention = attention(&status);
    Json(status)
}

async fn log(api: &Api, now: Timestamp, times: &mut AcceptTimes) -> LogJson {
    let since = now
        .checked_sub(lane::duration(RATE_WINDOW))
        .unwrap_or(Timestamp::MIN);
    let first_recent = ok_or_log(api.log.find_time(since).await);
    // The bounds are read afterwards, so that the found offset is not past the head.
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
        max_age_seconds: api.server.max_age.map(|max_age| max_age.as_secs()),
        max_bytes: api.server.max_bytes,
    }
}

/// Returns the value that was read from the log. Logs an error and returns `None` if the read failed.
fn ok_or_log<T>(read: Result<T, ReadError>) -> Option<T> {
    read.inspect_err(|error| error!(%error, "log cannot be read for the status"))
        .ok()
}

async fn disk(api: &Api) -> Option<DiskJson> {
    let read = Arc::clone(&api.server.disk_space);
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
    let records = &report.records;
    let new = records.iter().filter(|record| is_new(record.first_seen));
    DriftStatusJson {
        sightings: records.len() as u64,
        new: new.count() as u64,
        last_seen: records.iter().map(|record| record.last_seen).max(),
        pending: head.since(report.cursor),
    }
}

/// A cache of the times at which events were accepted. With it, one answer looks up each offset once.
#[derive(Debug)]
struct AcceptTimes {
    cache: HashMap<Offset, Option<Timestamp>>,
    /// Whether all lookups succeeded.
    all_read: bool,
}

impl Default for AcceptTimes {
    fn default() -> Self {
        Self {
            cache: HashMap::new(),
            all_read: true,
        }
    }
}

impl AcceptTimes {
    /// Returns when the event at `offset`, or the first event after it, was accepted. Returns `None`
    /// if there is no such event yet or the log cannot be read.
    async fn accepted_at(&mut self, api: &Api, offset: Offset) -> Option<Timestamp> {
        if let Some(cached) = self.cache.get(&offset) {
            return *cached;
        }
        // After one failed read, do not try again.
        let read = if self.all_read {
            ok_or_log(api.log.appended_at(offset).await)
        } else {
            None
        };
        self.all_read &= read.is_some();
        let accepted_at = read.flatten();
        self.cache.insert(offset, accepted_at);
        accepted_at
    }
}
