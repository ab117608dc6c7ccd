//! `easel status`

mod screen;

use anyhow::anyhow;
use jiff::Timestamp;
use serde::Deserialize;

use crate::client::{self, Client};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;

const AFTER_HELP: &str = "\
The exit code is 1 if something needs attention, so that scripts can test this.

With --ready, the command asks only whether the server is ready (/readyz). Then
the exit code is 0, or 69 if the server is not ready. A health check of a
container needs this: a subscription on hold is no reason for a restart.

Examples:
  easel status
  easel status --json | jq -r '.attention[].detail'
  easel status >/dev/null || echo 'Easel needs attention'
  easel status --ready";

/// Show the state of the server and what needs attention
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StatusArgs {
    /// Ask only whether the server is ready
    #[arg(long)]
    ready: bool,
}

/// The status of the server.
#[derive(Deserialize)]
struct StatusJson {
    version: String,
    now: Timestamp,
    started_at: Timestamp,
    log: LogJson,
    disk: Option<DiskJson>,
    drift: DriftStatusJson,
    quarantine: QuarantineJson,
    lanes: Vec<LaneJson>,
    sources: Vec<SourceStatusJson>,
    attention: Vec<AttentionJson>,
}

#[derive(Deserialize)]
struct LogJson {
    events: u64,
    bytes: u64,
    oldest_at: Option<Timestamp>,
    events_per_second: Option<f64>,
}

#[derive(Deserialize)]
struct DiskJson {
    free_bytes: u64,
    total_bytes: u64,
}

#[derive(Deserialize)]
struct DriftStatusJson {
    sightings: u64,
    new: u64,
    last_seen: Option<Timestamp>,
    pending: u64,
}

#[derive(Deserialize)]
struct QuarantineJson {
    records: u64,
}

#[derive(Deserialize)]
struct LaneJson {
    subscription: String,
    /// The system that manages the subscription.
    owner: Option<String>,
    state: String,
    behind: bool,
    pending: u64,
    expired: u64,
    other_format: u64,
    pending_since: Option<Timestamp>,
    reason: Option<String>,
    held_since: Option<Timestamp>,
    next_attempt_at: Option<Timestamp>,
    loses_events_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct SourceStatusJson {
    state: String,
    last_event_at: Option<Timestamp>,
    unreachable: Option<String>,
}

#[derive(Deserialize)]
struct AttentionJson {
    detail: String,
}

impl StatusArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        if self.ready {
            return show_ready(&client).await;
        }
        let answer = client.get("/v1/status").await?;
        let status: StatusJson = client::read(&answer)?;
        if global.json {
            output::with_line_break(&answer)?;
        } else {
            for line in screen::lines(&status, client.url()) {
                output::line(line)?;
            }
        }
        if status.attention.is_empty() {
            Ok(())
        } else {
            Err(Failure::Attention)
        }
    }
}

/// Prints the answer of `/readyz`, which has the reasons if the server is not ready.
async fn show_ready(client: &Client) -> Result<(), Failure> {
    let (status, answer) = client.get_with_status("/readyz").await?;
    output::with_line_break(&answer)?;
    if status.is_success() {
        return Ok(());
    }
    let error = anyhow!("the server is not ready: it answered {status}");
    Err(Failure::new(Code::Unavailable, error))
}
