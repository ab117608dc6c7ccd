//! The rows of parked and dead deliveries in `state.db`.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use easel_catalog::OrderKey;
use easel_log::Offset;
use jiff::Timestamp;
use rusqlite::{Row as SqliteRow, Transaction, params};
use uuid::Uuid;

use super::columns::{json_fault, lane_columns, signed};
use crate::state_store::StateStoreError;
use crate::{
    Attempt, DeadLetter, DeliveryRow, Due, LaneId, LaneTime, Parked, ReplayNumber, SubscriptionId,
};

/// The values of the column `waits_for`.
const TIME: &str = "time";
const KEY: &str = "key";
const OPERATOR: &str = "operator";

/// Saves the rows of a journal. Each row replaces the earlier row of its delivery.
pub(super) fn save(
    transaction: &Transaction<'_>,
    lane: LaneId,
    rows: &[(Offset, DeliveryRow)],
) -> Result<(), StateStoreError> {
    let [subscription, replay] = lane_columns(lane);
    for (offset, row) in rows {
        let key = params![subscription, replay, signed(offset.get())];
        if !matches!(row, DeliveryRow::Parked(_)) {
            delete(transaction, "parked", key)?;
        }
        if !matches!(row, DeliveryRow::Dead(_)) {
            delete(transaction, "dead", key)?;
        }
        match row {
            DeliveryRow::Parked(parked) => save_parked(transaction, lane, *offset, parked)?,
            DeliveryRow::Dead(letter) => save_dead(transaction, lane, *offset, letter)?,
            DeliveryRow::Gone => (),
        }
    }
    Ok(())
}

fn delete(
    transaction: &Transaction<'_>,
    table: &str,
    key: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<()> {
    let sql =
        format!("DELETE FROM {table} WHERE subscription = ?1 AND replay = ?2 AND \"offset\" = ?3");
    transaction.prepare_cached(&sql)?.execute(key)?;
    Ok(())
}

fn save_parked(
    transaction: &Transaction<'_>,
    lane: LaneId,
    offset: Offset,
    parked: &Parked,
) -> Result<(), StateStoreError> {
    let [subscription, replay] = lane_columns(lane);
    let (waits_for, due) = match parked.due {
        Due::At(LaneTime(millis)) => (TIME, millis),
        Due::AfterKey => (KEY, 0),
        Due::OnCommand => (OPERATOR, 0),
    };
    let mut save = transaction.prepare_cached(
        "INSERT OR REPLACE INTO parked (subscription, replay, \"offset\", batch, failures, waits_for,
             due, key, reason, attempts, attempt_count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    save.execute(params![
        subscription,
        replay,
        signed(offset.get()),
        signed(parked.batch_offset.get()),
        parked.failure_count,
        waits_for,
        due,
        parked.key.map(|OrderKey(digest)| digest),
        &*parked.reason,
        serde_json::to_string(&parked.attempts).map_err(|error| json_fault(&error))?,
        parked.attempt_count,
    ])?;
    Ok(())
}

fn save_dead(
    transaction: &Transaction<'_>,
    lane: LaneId,
    offset: Offset,
    letter: &DeadLetter,
) -> Result<(), StateStoreError> {
    let [subscription, replay] = lane_columns(lane);
    let mut save = transaction.prepare_cached(
        "INSERT OR REPLACE INTO dead (subscription, replay, \"offset\", event_id, event_type, reason,
             attempts, attempt_count, answer, died_at, discarded)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    save.execute(params![
        subscription,
        replay,
        signed(offset.get()),
        letter.event_id.as_bytes().as_slice(),
        &*letter.event_type,
        letter.reason,
        serde_json::to_string(&letter.attempts).map_err(|error| json_fault(&error))?,
        letter.attempt_count,
        letter.answer.as_deref(),
        letter.died_at.as_millisecond(),
        letter.is_discarded,
    ])?;
    Ok(())
}

/// Returns the parked deliveries of a lane, by offset.
pub(super) fn parked(
    transaction: &Transaction<'_>,
    lane: LaneId,
) -> Result<Vec<(Offset, Parked)>, StateStoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT * FROM parked WHERE subscription = ?1 AND replay = ?2 ORDER BY \"offset\"",
    )?;
    let mut rows = statement.query(lane_columns(lane))?;
    let mut parked = Vec::new();
    let mut reasons = ReasonCache::default();
    while let Some(row) = rows.next()? {
        parked.push((offset(row)?, read_parked(row, &mut reasons)?));
    }
    Ok(parked)
}

/// A cache of reasons. Many rows have the same reason, and they share one allocation.
#[derive(Default)]
struct ReasonCache(HashSet<Arc<str>>);

impl ReasonCache {
    fn intern(&mut self, reason: &str) -> Arc<str> {
        if let Some(known) = self.0.get(reason) {
            return Arc::clone(known);
        }
        let shared = Arc::from(reason);
        self.0.insert(Arc::clone(&shared));
        shared
    }
}

fn read_parked(row: &SqliteRow<'_>, reasons: &mut ReasonCache) -> Result<Parked, StateStoreError> {
    let batch_offset: i64 = row.get("batch")?;
    let due = match row
        .get_ref("waits_for")?
        .as_str()
        .map_err(rusqlite::Error::from)?
    {
        TIME => Due::At(LaneTime(row.get("due")?)),
        KEY => Due::AfterKey,
        _ => Due::OnCommand,
    };
    Ok(Parked {
        batch_offset: Offset::new(batch_offset.unsigned_abs()),
        failure_count: row.get("failures")?,
        due,
        key: row.get::<_, Option<i64>>("key")?.map(OrderKey),
        reason: reasons.intern(
            row.get_ref("reason")?
                .as_str()
                .map_err(rusqlite::Error::from)?,
        ),
        attempts: attempts(row)?,
        attempt_count: row.get("attempt_count")?,
    })
}

/// Returns at most `max_count` dead letters of a lane from an offset on.
pub(super) fn dead(
    transaction: &Transaction<'_>,
    lane: LaneId,
    from: Offset,
    max_count: usize,
) -> Result<Vec<(Offset, DeadLetter)>, StateStoreError> {
    let mut page = transaction.prepare_cached(
        "SELECT * FROM dead WHERE subscription = ?1 AND replay = ?2 AND \"offset\" >= ?3
         ORDER BY \"offset\" LIMIT ?4",
    )?;
    let [subscription, replay] = lane_columns(lane);
    let max_count = i64::try_from(max_count).unwrap_or(i64::MAX);
    let mut rows = page.query(params![subscription, replay, signed(from.get()), max_count])?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        letters.push((offset(row)?, read_dead(row)?));
    }
    Ok(letters)
}

/// Returns at most `max_count` dead letters of all lanes that died before `time`.
pub(super) fn dead_before(
    transaction: &Transaction<'_>,
    time: Timestamp,
    max_count: usize,
) -> Result<Vec<(LaneId, Offset, DeadLetter)>, StateStoreError> {
    let mut page = transaction
        .prepare_cached("SELECT * FROM dead WHERE died_at < ?1 ORDER BY died_at LIMIT ?2")?;
    let max_count = i64::try_from(max_count).unwrap_or(i64::MAX);
    let mut rows = page.query(params![time.as_millisecond(), max_count])?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        let lane = LaneId {
            subscription: SubscriptionId::new(row.get("subscription")?),
            replay: ReplayNumber::new(row.get("replay")?),
        };
        letters.push((lane, offset(row)?, read_dead(row)?));
    }
    Ok(letters)
}

fn read_dead(row: &SqliteRow<'_>) -> Result<DeadLetter, StateStoreError> {
    let failed = |reason: String| StateStoreError::Failed { reason };
    let id: Vec<u8> = row.get("event_id")?;
    Ok(DeadLetter {
        event_id: Uuid::from_slice(&id).map_err(|error| failed(error.to_string()))?,
        event_type: row.get::<_, String>("event_type")?.into(),
        reason: row.get("reason")?,
        attempts: attempts(row)?,
        attempt_count: row.get("attempt_count")?,
        answer: row.get::<_, Option<Vec<u8>>>("answer")?.map(Bytes::from),
        died_at: Timestamp::from_millisecond(row.get("died_at")?)
            .map_err(|error| failed(error.to_string()))?,
        is_discarded: row.get("discarded")?,
    })
}

fn offset(row: &SqliteRow<'_>) -> Result<Offset, StateStoreError> {
    let offset: i64 = row.get("offset")?;
    Ok(Offset::new(offset.unsigned_abs()))
}

fn attempts(row: &SqliteRow<'_>) -> Result<Vec<Attempt>, StateStoreError> {
    let text: String = row.get("attempts")?;
    serde_json::from_str(&text).map_err(|error| json_fault(&error))
}
