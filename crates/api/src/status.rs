//! `/v1/status`: the state of the server, in one answer.
//!
//! A caller that is confined to one root account gets the state of its own subscriptions and drift. Numbers
//! about the whole server are absent.
//!
//! Module `lane` has the state of each subscription. Module `attention` lists what needs an operator.

mod attention;
mod lane;
mod source;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use easel_access::Caller;
use easel_catalog::{Reach, RootAccount};
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
    /// What is wrong with the certificate of the server. It is shown as attention.
    #[serde(skip)]
    tls_problem: Option<String>,
    /// The number of running lanes. Absent for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    lanes_running: Option<usize>,
    /// Whether the last save of the cursors succeeded.
    cursors_saved: bool,
    /// All subscriptions of the caller's reach, by name.
    lanes: Vec<LaneJson>,
    /// All sources, by name. Empty for a confined caller.
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
    /// The number of events on the log. Absent for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    /// The bytes of these events on disk. Absent for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// The oldest offset on the log.
    #[schema(value_type = u64)]
    tail: Offset,
    /// The offset that the next event will get.
    #[schema(value_type = u64)]
    head: Offset,
    /// When the oldest event was accepted. Absent if the log is empty, and for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_at: Option<Timestamp>,
    /// Accepted events per second, over the last five minutes. Absent for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    events_per_second: Option<f64>,
    /// The number of unreadable records that were found since the server started. Absent for a confined
    /// caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<u64>,
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
    /// The number of faults that the start of the server found. Always 0 for a confined caller.
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
    /// The number of events that are not scanned yet. Absent for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<u64>,
}

/// Records that doors accepted although they are not valid events.
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantineStatus)]
struct QuarantineJson {
    /// Whether the quarantine accepts new records.
    writable: bool,
    /// The number of records in quarantine. Absent for a confined caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
}

/// Shows the state of the server: log, lanes, disk, drift, quarantine, and what needs an operator.
/// Values that cannot be read are absent.
#[utoipa::path(get, path = "/v1/status", operation_id = "show_status", tag = "status", responses((status = OK, body = StatusJson)))]
pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Json<StatusJson> {
    let now = api.clock.now();
    let is_operator = caller.reach == Reach::Everything;
    let mut times = AcceptTimes::default();
    let mut log = log(&api, now, &mut times).await;
    let mut lanes = Vec::new();
    for subscription in api.subscriptions_of(&caller) {
        lanes.push(LaneJson::new(&api, (&caller, &subscription), now, &mut times).await);
    }
    log.readable &= times.all_read;
    if !is_operator {
        log = log.without_counts();
    }
    let mut status = StatusJson {
        version: env!("CARGO_PKG_VERSION"),
        address: api.server.address.to_string(),
        now,
        started_at: api.server.started_at,
        drift: drift(&api.drift.report(), &caller, log.head, now),
        log,
        disk: if is_operator { disk(&api).await } else { None },
        audit: AuditStatusJson {
            failing: api.audit.is_failing(),
            damaged: match caller.reach {
                Reach::Everything => api.audit.found_at_start().len() as u64,
                Reach::RootAccount(_) => 0,
            },
        },
        quarantine: QuarantineJson {
            writable: !api.quarantine.is_refusing(),
            records: is_operator.then(|| api.quarantine.count()),
        },
        tls_problem: (api.server.tls_problem)(now),
        lanes_running: is_operator.then(|| api.server.lane_count.borrow().unwrap_or(0)),
        cursors_saved: api.subscriptions.is_healthy(),
        lanes,
        sources: if is_operator {
            source::all(&api, now)
        } else {
            Vec::new()
        },
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
        events: Some(bounds.head.since(bounds.tail)),
        bytes: Some(stats.stored_bytes),
        tail: bounds.tail,
        head: bounds.head,
        oldest_at: times.accepted_at(api, bounds.tail).await,
        events_per_second: first_recent.map(rate),
        damaged: Some(stats.damaged_count),
        max_age_seconds: api.server.max_age.map(|max_age| max_age.as_secs()),
        max_bytes: api.server.max_bytes,
    }
}

impl LogJson {
    /// Leaves out what depends on the events of all root accounts.
    fn without_counts(self) -> Self {
        Self {
            events: None,
            bytes: None,
            oldest_at: None,
            events_per_second: None,
            damaged: None,
            ..self
        }
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

fn drift(report: &Report, caller: &Caller, head: Offset, now: Timestamp) -> DriftStatusJson {
    let own = caller.reach.root_account().map(RootAccount::as_str);
    let is_new = |first_seen: Timestamp| now.duration_since(first_seen).as_hours() < 24;
    let records: Vec<_> = report
        .records
        .iter()
        .filter(|record| own.is_none() || record.root_account() == own)
        .collect();
    let new = records.iter().filter(|record| is_new(record.first_seen));
    DriftStatusJson {
        sightings: records.len() as u64,
        new: new.count() as u64,
        last_seen: records.iter().map(|record| record.last_seen).max(),
        pending: own.is_none().then(|| head.since(report.cursor)),
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
