//! The parts of attempt logs in `state.db`.

use rusqlite::{Transaction, params};

use super::columns::{json_fault, lane_columns, signed};
use crate::state_store::{Epoch, StateStoreError};
use crate::{AttemptLog, AttemptPart, LaneId, LoggedAttempt};

/// The most leases whose attempts are stored.
const MAX_EPOCHS: i64 = 100;

/// Saves a part of an attempt log, and deletes the parts that are too old for the log. Ignores a lane
/// that no longer exists.
pub(super) fn save(
    transaction: &Transaction<'_>,
    epoch: Epoch,
    part: &AttemptPart,
) -> Result<(), StateStoreError> {
    let [subscription, replay] = lane_columns(part.lane);
    let content = serde_json::to_string(&part.attempts).map_err(|error| json_fault(&error))?;
    let mut save = transaction.prepare_cached(
        "INSERT OR REPLACE INTO attempts (subscription, replay, epoch, part, content)
         SELECT ?1, ?2, ?3, ?4, ?5
         WHERE EXISTS (SELECT 1 FROM lanes WHERE subscription = ?1 AND replay = ?2)",
    )?;
    let (epoch, number) = (signed(epoch.0), signed(part.number));
    save.execute(params![subscription, replay, epoch, number, content])?;
    let mut delete = transaction.prepare_cached(
        "DELETE FROM attempts WHERE subscription = ?1 AND replay = ?2
             AND (epoch = ?3 AND part < ?4 OR epoch < ?5)",
    )?;
    let first_epoch = if part.replaces_older {
        epoch
    } else {
        epoch - MAX_EPOCHS
    };
    let oldest_needed = signed(part.oldest_needed);
    delete.execute(params![
        subscription,
        replay,
        epoch,
        oldest_needed,
        first_epoch
    ])?;
    Ok(())
}

/// Returns the attempts of a lane that leases before `epoch` saved, the oldest first.
pub(super) fn before(
    transaction: &Transaction<'_>,
    epoch: Epoch,
    lane: LaneId,
) -> Result<Vec<LoggedAttempt>, StateStoreError> {
    let mut parts = transaction.prepare_cached(
        "SELECT content FROM attempts WHERE subscription = ?1 AND replay = ?2 AND epoch < ?3
         ORDER BY epoch DESC, part DESC",
    )?;
    let [subscription, replay] = lane_columns(lane);
    let mut rows = parts.query(params![subscription, replay, signed(epoch.0)])?;
    let mut newest_first = Vec::new();
    while let Some(row) = rows.next()? {
        let content: String = row.get("content")?;
        let part: Vec<LoggedAttempt> =
            serde_json::from_str(&content).map_err(|error| json_fault(&error))?;
        newest_first.extend(part.into_iter().rev());
        if newest_first.len() >= AttemptLog::MAX {
            break;
        }
    }
    newest_first.truncate(AttemptLog::MAX);
    newest_first.reverse();
    Ok(newest_first)
}
