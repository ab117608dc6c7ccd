//! `/v1/subscriptions/{name}/attempts`: how the latest attempts of a lane ended.
//!
//! The server keeps the latest 10,000 attempts of each lane. A crash may forget those of the last
//! seconds.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use easel_log::Offset;
use easel_subscriptions::{Attempt, AttemptLog, Live, LoggedAttempt};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::lane_name::LaneNameJson;
use crate::request::{Path, Query, limit};

/// How far back a summary looks.
const SUMMARY: SignedDuration = SignedDuration::from_hours(1);

/// One attempt to deliver an event, as it is remembered of that delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptJson {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How it ended, such as `refused` or `timed_out`.
    outcome: String,
    /// The status of the answer, if there was one.
    status: Option<u16>,
    /// How many milliseconds it took.
    took_ms: u32,
}

/// One attempt of a lane. It may have sent several events.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedAttempt)]
pub(crate) struct LoggedAttemptJson {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The offset of the first event that it sent.
    #[schema(value_type = u64)]
    offset: Offset,
    /// How many events it sent.
    events: u32,
    /// Which attempt of these events it was, from 1.
    number: u32,
    /// How it ended: `delivered`, or the name of the failure.
    outcome: &'static str,
    /// The status of the answer, if there was one.
    status: Option<u16>,
    /// How many milliseconds it took.
    took_ms: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AttemptList)]
pub(crate) struct AttemptListJson {
    /// The newest first.
    attempts: Vec<LoggedAttemptJson>,
}

/// The attempts of the last hour.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptSummary)]
pub(crate) struct AttemptSummaryJson {
    /// Attempts since then are counted: an hour ago, or later if there were more than 10,000.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// How many attempts ended in each way; `delivered` are those that succeeded.
    #[schema(value_type = BTreeMap<String, u64>)]
    outcomes: BTreeMap<&'static str, u64>,
    /// How long those that succeeded took, in milliseconds; null if there were none.
    latency_ms: Option<LatencyJson>,
}

/// How long attempts took, in milliseconds.
#[derive(Serialize, ToSchema)]
#[schema(as = Latency)]
struct LatencyJson {
    /// Half of them took no longer than this.
    p50: u32,
    /// 95 of 100 took no longer than this.
    p95: u32,
    /// 99 of 100 took no longer than this.
    p99: u32,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttemptQuery {
    /// The lane: `live`, or the number of a replay. `live` when left out.
    #[param(value_type = Option<String>, pattern = "^(live|[0-9]{1,10})$")]
    #[serde(default)]
    lane: LaneNameJson,
    /// How many at most: 1 to 1,000, 100 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Lists the latest attempts of a lane, the newest first.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/attempts", operation_id = "list_attempts", tag = "subscriptions", params(("name" = String, Path), AttemptQuery), responses((status = OK, body = AttemptListJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(latest): Query<AttemptQuery>,
) -> Result<Json<AttemptListJson>, ApiError> {
    let limit = limit(latest.limit)?;
    let lane = latest.lane.find(&api, &name)?;
    api.subscriptions.restore_attempts(&lane).await?;
    let attempts: Vec<_> = {
        let log = lane.live.attempts();
        log.latest().take(limit).copied().collect()
    };
    let attempts = attempts.into_iter().map(LoggedAttemptJson::from).collect();
    Ok(Json(AttemptListJson { attempts }))
}

impl AttemptSummaryJson {
    /// A summary of the last hour.
    pub(crate) fn new(live: &Live, now: Timestamp) -> Self {
        let an_hour_ago = now.checked_sub(SUMMARY).unwrap_or(Timestamp::MIN);
        let attempts: Vec<_> = live.attempts().since(an_hour_ago).copied().collect();
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
            latency_ms: LatencyJson::of(delivered.map(|attempt| attempt.took_millis).collect()),
        }
    }
}

impl LatencyJson {
    /// The percentiles of some lengths in milliseconds; `None` if there are none.
    fn of(mut lengths: Vec<u32>) -> Option<Self> {
        lengths.sort_unstable();
        let at = |percent: usize| {
            let rank = (lengths.len() * percent).div_ceil(100);
            lengths.get(rank.checked_sub(1)?).copied()
        };
        Some(Self {
            p50: at(50)?,
            p95: at(95)?,
            p99: at(99)?,
        })
    }
}

/// When an attempt began.
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
    fn a_percentile_is_a_length_that_was_measured() {
        let percentiles =
            |lengths: Vec<u32>| LatencyJson::of(lengths).map(|it| (it.p50, it.p95, it.p99));
        assert_eq!(percentiles(Vec::new()), None);
        assert_eq!(percentiles(vec![7]), Some((7, 7, 7)));
        assert_eq!(percentiles((1..=100).rev().collect()), Some((50, 95, 99)));
        assert_eq!(percentiles(vec![3, 1]), Some((1, 3, 3)));
    }
}
