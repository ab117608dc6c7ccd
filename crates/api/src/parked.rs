//! `/v1/subscriptions/{name}/parked`: failed deliveries that wait for their next attempt.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use easel_log::Offset;
use easel_subscriptions::{Due, LaneClock, Parked, SharedState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::attempts::AttemptJson;
use crate::caller_name::CallerName;
use crate::lane_name::LaneNameJson;
use crate::request::{Query, check_limit};

/// The maximum number of reasons in a summary.
const MAX_REASONS: usize = 5;

/// A failed delivery that waits for its next attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = Parked)]
pub(crate) struct ParkedJson {
    /// The offset of the event.
    #[schema(value_type = u64)]
    offset: Offset,
    waits_for: WaitsForJson,
    /// When the next attempt is due. Null if the delivery waits for something else. Also null while
    /// the subscription is on hold or paused, because its schedule is stopped.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// Why the delivery waits.
    reason: String,
    /// The number of attempts.
    attempt_count: u32,
    /// The latest 20 attempts, oldest first.
    attempts: Vec<AttemptJson>,
}

/// What a parked delivery waits for.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitsFor)]
#[serde(rename_all = "snake_case")]
enum WaitsForJson {
    /// The time of its next attempt.
    Time,
    /// An earlier delivery with the same key.
    Key,
    /// An operator, who must redeliver or discard it.
    Operator,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ParkedList)]
pub(crate) struct ParkedListJson {
    parked: Vec<ParkedJson>,
    /// The value for `from` in the next request. Null at the end.
    #[schema(value_type = Option<u64>)]
    next: Option<Offset>,
}

/// The number of parked deliveries, and their reasons.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ParkedSummary)]
pub(crate) struct ParkedSummaryJson {
    /// The number of parked deliveries.
    count: u64,
    /// When the next attempt is due. Null if no delivery waits for a time, and while the subscription
    /// is on hold or paused.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_due_at: Option<Timestamp>,
    /// The five most frequent reasons.
    reasons: Vec<ReasonJson>,
    /// The number of deliveries that wait for an earlier delivery with the same key.
    waits_for_key: u64,
    /// The number of deliveries that wait for an operator.
    waits_for_operator: u64,
}

/// A reason, and the number of deliveries that wait because of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParkedReason)]
struct ReasonJson {
    reason: String,
    count: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParkedQuery {
    /// The lane: `live`, or the number of a replay. The default is `live`.
    #[param(value_type = Option<String>, pattern = "^(live|[0-9]{1,10})$")]
    #[serde(default)]
    lane: LaneNameJson,
    /// The offset to begin at. The default is the first one.
    from: Option<u64>,
    /// The maximum number of deliveries: 1 to 1,000. The default is 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Lists the parked deliveries of a lane, by offset.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/parked", operation_id = "list_parked", tag = "subscriptions", params(("name" = String, Path), ParkedQuery), responses((status = OK, body = ParkedListJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    name: CallerName,
    Query(query): Query<ParkedQuery>,
) -> Result<Json<ParkedListJson>, ApiError> {
    let limit = check_limit(query.limit)?;
    let lane = query.lane.find(&api, &name)?;
    let from = Offset::new(query.from.unwrap_or(0));
    let (clock, mut parked): (_, Vec<_>) = {
        let account = lane.shared.account();
        let parked = account.all_parked(from).take(limit + 1);
        let parked = parked.map(|(offset, parked)| (offset, parked.clone()));
        (*account.clock(), parked.collect())
    };
    let next = parked.get(limit).map(|(offset, _)| *offset);
    parked.truncate(limit);
    let parked = parked.into_iter();
    let parked = parked.map(|(offset, parked)| ParkedJson::new(offset, &parked, &clock));
    Ok(Json(ParkedListJson {
        parked: parked.collect(),
        next,
    }))
}

impl ParkedJson {
    fn new(offset: Offset, parked: &Parked, clock: &LaneClock) -> Self {
        let (waits_for, due_at) = match parked.due {
            Due::At(_) => (WaitsForJson::Time, due_at(parked.due, clock)),
            Due::AfterKey => (WaitsForJson::Key, None),
            Due::OnCommand => (WaitsForJson::Operator, None),
        };
        Self {
            offset,
            waits_for,
            due_at,
            reason: parked.reason.to_string(),
            attempt_count: parked.attempt_count,
            attempts: parked.attempts.iter().map(AttemptJson::from).collect(),
        }
    }
}

impl ParkedSummaryJson {
    /// Summarizes the parked deliveries of a lane.
    pub(crate) fn new(shared: &SharedState) -> Self {
        let mut summary = Self::default();
        let mut reasons = HashMap::<Arc<str>, u64>::new();
        let mut first_due = None;
        let account = shared.account();
        for (_, parked) in account.all_parked(Offset::ZERO) {
            summary.count += 1;
            match parked.due {
                Due::At(time) => {
                    first_due = Some(first_due.map_or(time, |first| std::cmp::min(first, time)));
                }
                Due::AfterKey => summary.waits_for_key += 1,
                Due::OnCommand => summary.waits_for_operator += 1,
            }
            match reasons.get_mut(&parked.reason) {
                Some(count) => *count += 1,
                None => {
                    reasons.insert(Arc::clone(&parked.reason), 1);
                }
            }
        }
        summary.next_due_at = first_due.and_then(|time| due_at(Due::At(time), account.clock()));
        drop(account);
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_unstable_by(|(a, a_count), (b, b_count)| {
            (Reverse(a_count), a).cmp(&(Reverse(b_count), b))
        });
        let reasons = reasons.into_iter().take(MAX_REASONS);
        let reasons = reasons.map(|(reason, count)| ReasonJson {
            reason: reason.to_string(),
            count,
        });
        summary.reasons = reasons.collect();
        summary
    }
}

/// Returns when a delivery is due; `None` if it waits for something else or the clock of its lane is
/// stopped.
fn due_at(due: Due, clock: &LaneClock) -> Option<Timestamp> {
    match due {
        Due::At(time) if clock.stopped_since.is_none() => clock.real_time_at(time),
        Due::At(_) | Due::AfterKey | Due::OnCommand => None,
    }
}
