//! The state of a source.

use easel_sources::{Source, SourceState};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;

/// The state of a source.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceStatus)]
pub(crate) struct SourceStatusJson {
    pub(super) source: String,
    /// `https` or `sqs`.
    pub(super) kind: &'static str,
    /// `active` or `paused`.
    pub(super) state: &'static str,
    /// When the latest event arrived, duplicates included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) last_event_at: Option<Timestamp>,
    /// Why the queue cannot be reached now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unreachable: Option<String>,
    /// Requests of the last 24 hours that failed or timed out.
    pub(super) failed_last_day: u64,
    /// Whether hosted Canvas will switch the stream off if it fails this often.
    pub(super) failing: bool,
}

/// Returns the state of all sources.
pub(super) fn all(api: &Api, now: Timestamp) -> Vec<SourceStatusJson> {
    let all = api.sources.all();
    all.values().map(|source| status(source, now)).collect()
}

fn status(source: &Source, now: Timestamp) -> SourceStatusJson {
    let report = source.health.report(now);
    SourceStatusJson {
        source: source.spec.name.to_string(),
        kind: source.spec.kind.as_str(),
        state: match source.state {
            SourceState::Active => "active",
            SourceState::Paused => "paused",
        },
        last_event_at: report.last_event_at,
        failed_last_day: report.last_day.failed + report.last_day.timed_out,
        failing: source.is_failing(now),
        unreachable: report.unreachable.map(|failure| failure.reason),
    }
}
