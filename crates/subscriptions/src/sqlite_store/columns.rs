//! Conversions between values and columns of `state.db`.

use crate::LaneId;
use crate::state_store::StateStoreError;

/// Returns the columns `subscription` and `replay` of a lane.
pub(super) fn lane_columns(lane: LaneId) -> [i64; 2] {
    let replay = lane.replay.map_or(0, |replay| i64::from(replay.get()));
    [lane.subscription.get(), replay]
}

pub(super) fn json_fault(error: &serde_json::Error) -> StateStoreError {
    StateStoreError::Failed {
        reason: error.to_string(),
    }
}

/// Converts a number to a signed integer for SQLite. No count or offset reaches the end of `i64`.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
