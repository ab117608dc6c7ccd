//! `/v1/subscriptions/{name}/attempts`: the latest attempts of a lane.
//!
//! The server keeps the latest 10,000 attempts of each lane. A crash can lose the attempts of the
//! last seconds.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use easel_log::Offset;
use easel_subscriptions::{Attempt, AttemptLog, LoggedAttempt, SharedState};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::caller_name::CallerName;
use crate::lane_name::LaneNameJson;
use crate::request::{Query, check_limit};

/// The time that a summary covers.
const SUMMARY_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// One attempt to deliver an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptJson {
    /// When the attempt began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The outcome, such as `refused` or `timed_out`.
    outcome: String,
    /// The HTTP status of the answer, if the endpoint answered.
    status: Option<u16>,
    /// The duration in milliseconds.
    took_ms: u32,
}

/// One attempt of a lane. An attempt can send several events.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedAttempt)]
pub(crate) struct LoggedAttemptJson {
    /// When the attempt began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The offset of the first event of the attempt.
    #[schema(value_type = u64)]
    offset: Offset,
    /// The number of events in the attempt.
    events: u32,
    /// The number of the attempt for these events, from 1.
    number: u32,
    /// The outcome: `delivered`, or the name of the failure.
    outcome: &'static str,
    /// The HTTP status of the answer, if the endpoint answered.
    status: Option<u16>,
    /// The duration in milliseconds.
    took_ms: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AttemptList)]
pub(crate) struct AttemptListJson {
    /// The attempts, newest first.
    attempts: Vec<LoggedAttemptJson>,
}

/// The attempts of the last hour.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptSummary)]
pub(crate) struct AttemptSummaryJson {
    /// The start of the summary: an hour ago, or later if there were more than 10,000 attempts.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// The number of attempts by outcome. `delivered` counts the successful ones.
    #[schema(value_type = BTreeMap<String, u64>)]
    outcomes: BTreeMap<&'static str, u64>,
    /// The latency of the successful attempts. Null if no attempt succeeded.
    latency_ms: Option<LatencyJson>,
}

/// Percentiles of the duration of attempts, in milliseconds.
#[derive(Serialize, ToSchema)]
#[schema(as = Latency)]
struct LatencyJson {
    /// Half of the attempts took no longer than this.
    p50: u32,
    /// 95 of 100 attempts took no longer than this.
    p95: u32,
    /// 99 of 100 attempts took no longer than this.
    p99: u32,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttemptQuery {
    /// The lane: `live`, or the number of a replay. The default is `live`.
    #[param(value_type = Option<String>, pattern = "^(live|[0-9]{1,10})$")]
    #[serde(default)]
    lane: LaneNameJson,
    /// The maximum number of attempts: 1 to 1,000. The default is 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Lists the latest attempts of a lane, newest first.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/attempts", operation_id = "list_attempts", tag = "subscriptions", params(("name" = String, Path), AttemptQuery), responses((status = OK, body = AttemptListJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    name: CallerName,
    Query(query): Query<AttemptQuery>,
) -> Result<Json<AttemptListJson>, ApiError> {
    let limit = check_limit(query.limit)?;
    let lane = query.lane.find(&api, &name)?;
    api.subscriptions.restore_attempts(&lane).await?;
    let attempts: Vec<_> = {
        let log = lane.shared.attempts();
        log.latest().take(limit).copied().collect()
    };
    let attempts = attempts.into_iter().map(LoggedAttemptJson::from).collect();
    Ok(Json(AttemptListJson { attempts }))
}

impl AttemptSummaryJson {
    /// Summarizes the attempts of the last hour.
    pub(crate) fn new(shared: &SharedState, now: Timestamp) -> Self {
        let an_hour_ago = now.checked_sub(SUMMARY_WINDOW).unwrap_or(Timestamp::MIN);
        let attempts: Vec<_> = shared.attempts().since(an_hour_ago).copied().collect();
        let oldest = attempts.last().map(began_at);
        let mut outcomes = BTreeMap::new();
        for attempt in &attempts {
            *outcomes.entry(attempt.outcome).or_default() += 1;
        }
        let delivered = attempts
            .iter()
            .filter(|attempt| attempt.outcome == Attempt::DELIVERED);
        Self {
            since: match oldest {
                Some(oldest) if attempts.len() >= AttemptLog::MAX => oldest,
                Some(_) | None => an_hour_ago,
            },
            outcomes,
            latency_ms: LatencyJson::new(delivered.map(|attempt| attempt.took_millis).collect()),
        }
    }
}

impl LatencyJson {
    /// Returns the percentiles of `durations` in milliseconds; `None` if there are no durations.
    fn new(mut durations: Vec<u32>) -> Option<Self> {
        durations.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (durations.len() * percent).div_ceil(100);
            durations.get(rank.checked_sub(1)?).copied()
        };
        Some(Self {
            p50: percentile(50)?,
            p95: percentile(95)?,
            p99: percentile(99)?,
        })
    }
}

/// Returns when an attempt began.
pub(crate) fn began_at(attempt: &LoggedAttempt) -> Timestamp {
    Timestamp::from_millisecond(attempt.at_millis).unwrap_or_default()
}

impl From<LoggedAttempt> for LoggedAttemptJson {
    fn from(attempt: LoggedAttempt) -> Self {
        Self {
            at: began_at(&attempt),
            offset: attempt.offset,
            events: attempt.item_count,
            number: attempt.number,
            outcome: attempt.outcome,
            status: attempt.status,
            took_ms: attempt.took_millis,
        }
    }
}

impl From<&Attempt> for AttemptJson {
    fn from(attempt: &Attempt) -> Self {
        Self {
            at: attempt.at(),
            outcome: attempt.outcome.clone().into_owned(),
            status: attempt.status,
            took_ms: attempt.took_millis,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_measured_durations() {
        let percentiles = |durations: Vec<u32>| {
            LatencyJson::new(durations).map(|latency| (latency.p50, latency.p95, latency.p99))
        };
        assert_eq!(percentiles(Vec::new()), None);
        assert_eq!(percentiles(vec![7]), Some((7, 7, 7)));
        assert_eq!(percentiles((1..=100).rev().collect()), Some((50, 95, 99)));
        assert_eq!(percentiles(vec![3, 1]), Some((1, 3, 3)));
    }
}
