//! The parts of attempt logs in `state.db`.

use rusqlite::{Transaction, params};

use super::rows::{json_fault, lane_columns, signed};
use crate::state_store::{Epoch, StateStoreError};
use crate::{AttemptLog, AttemptPart, LaneId, LoggedAttempt};

/// Leases whose attempts are kept, if there are few attempts in each.
const MAX_EPOCHS: i64 = 100;

/// Saves a part of an attempt log, and forgets what is older than what the log keeps. Of a lane that
/// no longer exists nothing is saved.
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
    let mut forget = transaction.prepare_cached(
        "DELETE FROM attempts WHERE subscription = ?1 AND replay = ?2
             AND (epoch = ?3 AND part < ?4 OR epoch < ?5)",
    )?;
    let first_epoch = if part.replaces_older {
        epoch
    } else {
        epoch - MAX_EPOCHS
    };
    let first_number = signed(part.first_number);
    forget.execute(params![
        subscription,
        replay,
        epoch,
        first_number,
        first_epoch
    ])?;
    Ok(())
}

/// The attempts of a lane that leases before `epoch` have saved, the oldest first.
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
