//! Reads and writes the rows of `state.db`.

use std::fmt::Display;
use std::ops::Range;

use bytes::Bytes;
use easel_keys::Sealer;
use easel_log::Offset;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::columns::{json_fault, lane_columns, signed};
use super::{deliveries, owners, sealed_spec};
use crate::definition::Definition;
use crate::state_store::{Revision, StateStoreError, StoredSubscription};
use crate::{
    GuardState, Journal, LaneClock, LaneId, Origin, ReplayNumber, ReplaySpec, State, StoredReplay,
    SubscriptionId,
};

/// Returns all subscriptions, by id.
pub(super) fn entries(
    transaction: &Transaction<'_>,
    sealer: &Sealer,
) -> Result<Vec<StoredSubscription>, StateStoreError> {
    let mut statement = transaction.prepare(
        "SELECT * FROM subscriptions JOIN lanes ON subscription = id AND replay = 0 ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let mut entry = read_subscription(row, sealer)?;
        entry.parked = deliveries::parked(transaction, LaneId::live(entry.id))?;
        entry.replays = read_replays(transaction, &entry)?;
        entries.push(entry);
    }
    Ok(entries)
}

/// Returns the replays of a subscription, by number.
fn read_replays(
    transaction: &Transaction<'_>,
    entry: &StoredSubscription,
) -> Result<Vec<StoredReplay>, StateStoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT * FROM replays JOIN lanes USING (subscription, replay)
         WHERE subscription = ?1 ORDER BY replay",
    )?;
    let mut rows = statement.query([entry.id.get()])?;
    let mut replays = Vec::new();
    while let Some(row) = rows.next()? {
        let fault = |what: &dyn Display| StateStoreError::Row {
            name: entry.definition.spec.name.to_string(),
            what: what.to_string(),
        };
        let number: u32 = row.get("replay")?;
        let number =
            ReplayNumber::new(number).ok_or_else(|| fault(&"the replay number must not be 0"))?;
        let spec: String = row.get("spec")?;
        let lane = LaneId {
            subscription: entry.id,
            replay: Some(number),
        };
        replays.push(StoredReplay {
            number,
            spec: serde_json::from_str(&spec).map_err(|error| fault(&error))?,
            created_at: Timestamp::from_millisecond(row.get("created_at")?)
                .map_err(|error| fault(&error))?,
            journal: read_journal(row, &fault)?,
            parked: deliveries::parked(transaction, lane)?,
        });
    }
    Ok(replays)
}

/// Adds a replay and its lane.
pub(super) fn insert_replay(
    transaction: &Transaction<'_>,
    id: SubscriptionId,
    spec: ReplaySpec,
    created_at: Timestamp,
) -> Result<StoredReplay, StateStoreError> {
    let sql = "UPDATE subscriptions SET replay_count = replay_count + 1 WHERE id = ?1
         RETURNING replay_count";
    let number: Option<u32> = transaction
        .query_row(sql, [id.get()], |row| row.get(0))
        .optional()?;
    let number = number.ok_or(StateStoreError::Changed { id })?;
    let number = ReplayNumber::new(number).unwrap_or(ReplayNumber::MIN);
    let lane = LaneId {
        subscription: id,
        replay: Some(number),
    };
    transaction.execute(
        "INSERT INTO replays (subscription, replay, spec, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            id.get(),
            number.get(),
            serde_json::to_string(&spec).map_err(|error| json_fault(&error))?,
            created_at.as_millisecond(),
        ],
    )?;
    insert_lane(transaction, lane, spec.from)?;
    Ok(StoredReplay {
        number,
        journal: Journal::new(spec.from),
        spec,
        created_at,
        parked: Vec::new(),
    })
}

/// Adds a new lane.
pub(super) fn insert_lane(
    transaction: &Transaction<'_>,
    lane: LaneId,
    start: Offset,
) -> Result<(), StateStoreError> {
    let [subscription, replay] = lane_columns(lane);
    transaction.execute(
        "INSERT INTO lanes (subscription, replay, journal, cursor, counts, spans)
         VALUES (?1, ?2, 0, ?3, '{}', '[]')",
        params![subscription, replay, signed(start.get())],
    )?;
    Ok(())
}

/// Saves a journal, unless the lane is gone or has a later journal.
pub(super) fn save(
    transaction: &Transaction<'_>,
    lane: LaneId,
    journal: &Journal,
) -> Result<(), StateStoreError> {
    let spans: Vec<_> = journal
        .spans
        .iter()
        .map(|span| [span.start, span.end])
        .collect();
    let mut save = transaction.prepare_cached(
        "UPDATE lanes SET journal = ?3, cursor = ?4, counts = ?5, spans = ?6, note = ?7,
             stopped_millis = ?8, stopped_since = ?9, held_since = ?10
         WHERE subscription = ?1 AND replay = ?2 AND journal < ?3",
    )?;
    let [subscription, replay] = lane_columns(lane);
    let changed = save.execute(params![
        subscription,
        replay,
        signed(journal.number),
        signed(journal.cursor.get()),
        serde_json::to_string(&journal.counts).map_err(|error| json_fault(&error))?,
        serde_json::to_string(&spans).map_err(|error| json_fault(&error))?,
        journal.note.as_deref(),
        journal.clock.stopped_millis,
        journal.clock.stopped_since.map(Timestamp::as_millisecond),
        journal.held_since.map(Timestamp::as_millisecond),
    ])?;
    if changed > 0 {
        deliveries::save(transaction, lane, &journal.rows)?;
    }
    Ok(())
}

/// Reads the latest journal of a lane, without its delivery rows.
fn read_journal(
    row: &Row<'_>,
    fault: &dyn Fn(&dyn Display) -> StateStoreError,
) -> Result<Journal, StateStoreError> {
    let text = |column| row.get::<_, String>(column);
    let count = |column| -> Result<u64, StateStoreError> {
        let number: i64 = row.get(column)?;
        u64::try_from(number).map_err(|error| fault(&error))
    };
    let time = |column| -> Result<Option<Timestamp>, StateStoreError> {
        let millis: Option<i64> = row.get(column)?;
        let time = millis.map(Timestamp::from_millisecond).transpose();
        time.map_err(|error| fault(&error))
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
        clock: LaneClock {
            stopped_millis: row.get("stopped_millis")?,
            stopped_since: time("stopped_since")?,
        },
        held_since: time("held_since")?,
        rows: Vec::new(),
    };
    journal.validated().map_err(|error| fault(&error))
}

fn read_subscription(
    row: &Row<'_>,
    sealer: &Sealer,
) -> Result<StoredSubscription, StateStoreError> {
    let name: String = row.get("name")?;
    let fault = |what: &dyn Display| StateStoreError::Row {
        name: name.clone(),
        what: what.to_string(),
    };
    let text = |column| row.get::<_, String>(column);
    let count = |column| -> Result<u64, StateStoreError> {
        let number: i64 = row.get(column)?;
        u64::try_from(number).map_err(|error| fault(&error))
    };
    let (id, revision) = (row.get("id")?, count("revision")?);
    let sealed: Vec<u8> = row.get("sealed")?;
    Ok(StoredSubscription {
        id: SubscriptionId::new(id),
        revision: Revision(revision),
        definition: Definition {
            reach: text("reach")?.parse().map_err(|error| fault(&error))?,
            spec: sealed_spec::open(sealer, id, revision, &sealed)
                .map_err(|error| fault(&error))?,
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
                "deactivated" => State::Deactivated {
                    reason: row.get("reason")?,
                },
                other => return Err(fault(&format_args!("unknown state {other:?}"))),
            },
            guard: match text("guard")?.as_str() {
                "enforced" => GuardState::Enforced,
                "reported" => GuardState::Reported,
                other => return Err(fault(&format_args!("unknown guard {other:?}"))),
            },
            owner: owners::read_owner(row, sealer)?,
        },
        created_at: Timestamp::from_millisecond(row.get("created_at")?)
            .map_err(|error| fault(&error))?,
        start: Offset::new(count("start")?),
        journal: read_journal(row, &fault)?,
        parked: Vec::new(),
        replays: Vec::new(),
    })
}

pub(super) const fn guard_column(guard: GuardState) -> &'static str {
    match guard {
        GuardState::Enforced => "enforced",
        GuardState::Reported => "reported",
    }
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
        State::Deactivated { reason } => ("deactivated", reason.as_deref()),
    }
}
