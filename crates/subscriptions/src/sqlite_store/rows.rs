//! What the rows of `state.db` mean.

use std::fmt::Display;
use std::ops::Range;

use bytes::Bytes;
use easel_log::Offset;
use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};

use crate::state_store::{Definition, Entry, Revision, StoreError};
use crate::{Journal, LaneId, Origin, Spec, SpecJson, State, SubscriptionId};

/// All subscriptions, by id.
pub(super) fn entries(transaction: &Transaction<'_>) -> Result<Vec<Entry>, StoreError> {
    let mut all = transaction.prepare(
        "SELECT * FROM subscriptions JOIN lanes ON subscription = id AND replay = 0 ORDER BY id",
    )?;
    let mut rows = all.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(entry(row)?);
    }
    Ok(entries)
}

/// Saves a journal, unless there is a later one, or the subscription is gone.
pub(super) fn save(
    transaction: &Transaction<'_>,
    lane: LaneId,
    journal: &Journal,
) -> Result<(), StoreError> {
    let spans: Vec<_> = journal
        .spans
        .iter()
        .map(|span| [span.start, span.end])
        .collect();
    let column = |error: serde_json::Error| StoreError::Failed {
        reason: error.to_string(),
    };
    let mut save = transaction.prepare_cached(
        "INSERT INTO lanes (subscription, replay, journal, cursor, counts, spans, note)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM subscriptions WHERE id = ?1)
         ON CONFLICT DO UPDATE SET journal = ?3, cursor = ?4, counts = ?5, spans = ?6, note = ?7
         WHERE journal < ?3",
    )?;
    save.execute(params![
        lane.subscription.get(),
        lane.replay.map_or(0, |replay| i64::from(replay.get())),
        signed(journal.number),
        signed(journal.cursor.get()),
        serde_json::to_string(&journal.counts).map_err(column)?,
        serde_json::to_string(&spans).map_err(column)?,
        journal.note.as_deref(),
    ])?;
    Ok(())
}

fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    let name: String = row.get("name")?;
    let fault = |what: &dyn Display| StoreError::Row {
        name: name.clone(),
        what: what.to_string(),
    };
    let text = |column| row.get::<_, String>(column);
    let count = |column| -> Result<u64, StoreError> {
        let number: i64 = row.get(column)?;
        u64::try_from(number).map_err(|error| fault(&error))
    };
    let spans: Vec<[Offset; 2]> =
        serde_json::from_str(&text("spans")?).map_err(|error| fault(&error))?;
    let journal = Journal {
        number: count("journal")?,
        cursor: Offset::new(count("cursor")?),
        counts: serde_json::from_str(&text("counts")?).map_err(|error| fault(&error))?,
        spans: spans
            .into_iter()
            .map(|[start, end]| Range { start, end })
            .collect(),
        note: row.get::<_, Option<Vec<u8>>>("note")?.map(Bytes::from),
    };
    Ok(Entry {
        id: SubscriptionId::new(row.get("id")?),
        revision: Revision(count("revision")?),
        definition: Definition {
            reach: text("reach")?.parse().map_err(|error| fault(&error))?,
            spec: serde_json::from_str(&text("spec")?).map_err(|error| fault(&error))?,
            origin: match text("origin")?.as_str() {
                "file" => Origin::File,
                "api" => Origin::Api,
                other => return Err(fault(&format_args!("unknown origin {other:?}"))),
            },
            state: match text("state")?.as_str() {
                "active" => State::Active,
                "paused" => State::Paused {
                    reason: row.get("reason")?,
                },
                "deactivated" => State::Deactivated,
                other => return Err(fault(&format_args!("unknown state {other:?}"))),
            },
        },
        created_at: Timestamp::from_millisecond(row.get("created_at")?)
            .map_err(|error| fault(&error))?,
        start: Offset::new(count("start")?),
        journal: journal.validated().map_err(|error| fault(&error))?,
    })
}

pub(super) fn spec_column(spec: &Spec) -> Result<String, StoreError> {
    serde_json::to_string(&SpecJson::with_secrets(spec)).map_err(|error| StoreError::Row {
        name: spec.name.to_string(),
        what: error.to_string(),
    })
}

pub(super) const fn origin_column(origin: Origin) -> &'static str {
    match origin {
        Origin::File => "file",
        Origin::Api => "api",
    }
}

pub(super) fn state_columns(state: &State) -> (&'static str, Option<&str>) {
    match state {
        State::Active => ("active", None),
        State::Paused { reason } => ("paused", reason.as_deref()),
        State::Deactivated => ("deactivated", None),
    }
}

/// SQLite's integers are signed; no count or offset reaches the end of `i64`.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
