//! The store in the SQLite file `state.db`, format 7.
//!
//! - `subscriptions`, one row per subscription: its definition and its revision. `spec` is the spec as
//!   JSON without secrets, for people. `sealed`, since format 5, is the whole spec, encrypted. Ids are
//!   never reused, so an old reference never means another subscription;
//! - `lanes`, one row per lane: its latest journal. `replay` is 0 for the live lane. `counts` is an
//!   object with one member per term (since format 6 also `other_format`), and `spans` is an array of `[start, end]`;
//! - `parked` and `dead`, since format 4, one row per parked or dead delivery, by lane and offset.
//!   `waits_for` is `time` (then `due` is valid), `key` or `operator`; `attempts` is an array;
//! - `attempts`, since format 4, the attempt logs: an array of up to 500 attempts per row;
//! - `replays`, since format 4, one row per replay;
//! - `pending_erasure`, since format 5: one row until the plain specs of an older format are erased from the
//!   free parts of the file;
//! - in `subscriptions`, since format 7, the owner: `owner`, `owner_id`, and two columns of the owner's document,
//!   `document` without secrets and `sealed_document`;
//! - `tombstones`, since format 7: the documents of removed subscriptions that had an owner;
//! - `lease`, one row: the epoch of the latest lease;
//! - `folder`, since format 2: the data folder of the file, and the file's role.
//!
//! In formats 1 and 2, everything was in `subscriptions`. One transaction saves many journals, and the
//! head of the log at that time.

mod attempts;
mod columns;
mod deliveries;
mod migrations;
mod owners;
mod rows;
mod sealed_spec;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use easel_keys::Sealer;
use easel_log::{Offset, run_blocking};
use easel_sqlite::{Checkpoints, Durability, Layout, create_folder_table};
use jiff::Timestamp;
use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use thiserror::Error;

use crate::definition::Definition;
use crate::state_store::{
    Epoch, NewSubscription, Revision, StateStore, StateStoreError, StoredSubscription,
};
use crate::{
    AttemptPart, DeadLetter, Journal, LaneId, LoggedAttempt, ReplaySpec, StoredReplay,
    SubscriptionId, Tombstone,
};
use owners::OwnerColumns;
use sealed_spec::SpecColumns;

/// The layout of `state.db`.
pub static STATE_LAYOUT: Layout = Layout {
    noun: "file of subscriptions",
    role: "state",
    application_id: 0x4561_7373, // "Eass"
    unnumbered_table: Some("subscriptions"),
    migrations: &[
        migrations::create_tables,
        create_folder_table,
        migrations::split_off_lanes,
        migrations::add_rows,
        migrations::add_sealed_specs,
        migrations::allow_other_format,
        migrations::add_owners,
    ],
    durability: Durability::Full,
    checkpoints: Checkpoints::Automatic,
    seen: |connection| {
        let sql = if migrations::has_lanes(connection)? {
            "SELECT max(max(cursor), max(start))
             FROM subscriptions JOIN lanes ON subscription = id"
        } else {
            "SELECT max(max(cursor, start)) FROM subscriptions"
        };
        let seen: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(seen.unwrap_or(0)).unwrap_or(0))
    },
};

/// The tables with rows of lanes.
const TABLES_OF_LANES: [&str; 5] = ["lanes", "parked", "dead", "attempts", "replays"];

/// The store in a SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
    sealer: Arc<Sealer>,
}

/// Why the store could not be opened.
#[derive(Debug, Error)]
pub enum OpenStoreError {
    /// The file cannot be opened.
    #[error(transparent)]
    File(#[from] easel_sqlite::OpenError),
    /// The plain specs of an older file could not be sealed.
    #[error("seal the subscriptions")]
    Seal(#[from] StateStoreError),
}

impl SqliteStore {
    /// Opens the file at `path`, or creates it. `sealer` encrypts the specs.
    pub fn open(path: &Path, sealer: Arc<Sealer>) -> Result<Self, OpenStoreError> {
        let mut connection = easel_sqlite::open(path, &STATE_LAYOUT)?;
        sealed_spec::seal_plain_specs(&mut connection, &sealer)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            sealer,
        })
    }

    /// Seals those specs and documents again that an older data key sealed. Returns how many it sealed. Blocks
    /// the thread.
    pub fn reseal(&self) -> Result<usize, StateStoreError> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let spec_count = sealed_spec::reseal(&mut connection, &self.sealer)?;
        Ok(spec_count + owners::reseal(&mut connection, &self.sealer)?)
    }

    /// Returns the number of specs and documents that cannot be opened, because their data key is lost. Blocks
    /// the thread.
    pub fn lost_count(&self) -> Result<usize, StateStoreError> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let spec_count = sealed_spec::lost_count(&connection, &self.sealer)?;
        Ok(spec_count + owners::lost_count(&connection, &self.sealer)?)
    }

    /// Replaces each spec whose data key is lost by the same spec without secrets, and each such document too.
    /// Pauses the subscriptions whose specs had secrets, and returns their names. Blocks the thread.
    pub fn forget_lost_secrets(&self) -> Result<Vec<String>, StateStoreError> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        owners::forget_lost(&mut connection, &self.sealer)?;
        sealed_spec::forget_lost(&mut connection, &self.sealer)
    }

    /// Runs `work` in one transaction, on a thread that may block on the disk.
    async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateStoreError> + Send + 'static,
    ) -> Result<T, StateStoreError> {
        let connection = Arc::clone(&self.connection);
        let transact = move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction()?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        run_blocking(transact).await
    }
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn take_over(&self) -> Result<(Epoch, Vec<StoredSubscription>), StateStoreError> {
        let sealer = Arc::clone(&self.sealer);
        self.transact(move |transaction| {
            let sql = "UPDATE lease SET epoch = epoch + 1 RETURNING epoch";
            let epoch: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
            Ok((
                Epoch(epoch.unsigned_abs()),
                rows::entries(transaction, &sealer)?,
            ))
        })
        .await
    }

    async fn insert(
        &self,
        epoch: Epoch,
        new: NewSubscription,
    ) -> Result<StoredSubscription, StateStoreError> {
        let sealer = Arc::clone(&self.sealer);
        self.transact(move |transaction| {
            check_epoch(transaction, epoch)?;
            let definition = &new.definition;
            let owner = definition.owner.as_deref();
            if let Some(owner) = owner {
                owners::remove_tombstone(transaction, owner)?;
            }
            let (state, reason) = rows::state_columns(&definition.state);
            let inserted = transaction.execute(
                "INSERT INTO subscriptions
                 (reach, name, revision, spec, origin, state, reason, guard, created_at, start)
                 VALUES (?1, ?2, ?3, '', ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    definition.reach.to_string(),
                    definition.spec.name.as_str(),
                    columns::signed(Revision::FIRST.0),
                    rows::origin_column(definition.origin),
                    state,
                    reason,
                    rows::guard_column(definition.guard),
                    new.created_at.as_millisecond(),
                    columns::signed(new.start.get()),
                ],
            );
            check_unique(inserted, definition)?;
            let id = transaction.last_insert_rowid();
            let columns = SpecColumns::new(&sealer, id, Revision::FIRST.0, &definition.spec)?;
            let place = (id, columns::signed(Revision::FIRST.0));
            let owner = OwnerColumns::of_subscription(&sealer, place, owner)?;
            transaction.execute(
                "UPDATE subscriptions SET spec = ?2, sealed = ?3,
                 owner = ?4, owner_id = ?5, document = ?6, sealed_document = ?7 WHERE id = ?1",
                params![
                    id,
                    columns.spec,
                    columns.sealed,
                    owner.owner,
                    owner.owner_id,
                    owner.document,
                    owner.sealed_document,
                ],
            )?;
            let entry = StoredSubscription {
                id: SubscriptionId::new(id),
                revision: Revision::FIRST,
                created_at: new.created_at,
                start: new.start,
                journal: Journal::new(new.start),
                definition: new.definition,
                parked: Vec::new(),
                replays: Vec::new(),
            };
            rows::insert_lane(transaction, LaneId::live(entry.id), entry.start)?;
            Ok(entry)
        })
        .await
    }

    async fn update(
        &self,
        id: SubscriptionId,
        revision: Revision,
        definition: Definition,
    ) -> Result<Revision, StateStoreError> {
        let sealer = Arc::clone(&self.sealer);
        self.transact(move |transaction| {
            let (state, reason) = rows::state_columns(&definition.state);
            let columns = SpecColumns::new(&sealer, id.get(), revision.next().0, &definition.spec)?;
            let place = (id.get(), columns::signed(revision.next().0));
            let owner = definition.owner.as_deref();
            let owner = OwnerColumns::of_subscription(&sealer, place, owner)?;
            let updated = transaction.execute(
                "UPDATE subscriptions SET reach = ?3, name = ?4, spec = ?5, sealed = ?6,
                 origin = ?7, state = ?8, reason = ?9, guard = ?10, revision = revision + 1,
                 owner = ?11, owner_id = ?12, document = ?13, sealed_document = ?14
                 WHERE id = ?1 AND revision = ?2",
                params![
                    id.get(),
                    columns::signed(revision.0),
                    definition.reach.to_string(),
                    definition.spec.name.as_str(),
                    columns.spec,
                    columns.sealed,
                    rows::origin_column(definition.origin),
                    state,
                    reason,
                    rows::guard_column(definition.guard),
                    owner.owner,
                    owner.owner_id,
                    owner.document,
                    owner.sealed_document,
                ],
            );
            match check_unique(updated, &definition)? {
                0 => Err(StateStoreError::Changed { id }),
                _ => Ok(revision.next()),
            }
        })
        .await
    }

    async fn remove(
        &self,
        id: SubscriptionId,
        revision: Revision,
        tombstone: Option<Tombstone>,
    ) -> Result<(), StateStoreError> {
        let sealer = Arc::clone(&self.sealer);
        self.transact(move |transaction| {
            let sql = "DELETE FROM subscriptions WHERE id = ?1 AND revision = ?2";
            if transaction.execute(sql, params![id.get(), columns::signed(revision.0)])? == 0 {
                return Err(StateStoreError::Changed { id });
            }
            for table in TABLES_OF_LANES {
                let sql = format!("DELETE FROM {table} WHERE subscription = ?1");
                transaction.execute(&sql, [id.get()])?;
            }
            if let Some(tombstone) = &tombstone {
                owners::insert_tombstone(transaction, &sealer, tombstone)?;
            }
            Ok(())
        })
        .await
    }

    async fn tombstones(&self) -> Result<Vec<Tombstone>, StateStoreError> {
        let sealer = Arc::clone(&self.sealer);
        self.transact(move |transaction| owners::tombstones(transaction, &sealer))
            .await
    }

    async fn remove_tombstones(&self, before: Timestamp) -> Result<(), StateStoreError> {
        self.transact(move |transaction| owners::remove_tombstones(transaction, before))
            .await
    }

    async fn insert_replay(
        &self,
        epoch: Epoch,
        id: SubscriptionId,
        spec: ReplaySpec,
        created_at: Timestamp,
    ) -> Result<StoredReplay, StateStoreError> {
        self.transact(move |transaction| {
            check_epoch(transaction, epoch)?;
            rows::insert_replay(transaction, id, spec, created_at)
        })
        .await
    }

    async fn remove_replay(&self, epoch: Epoch, lane: LaneId) -> Result<(), StateStoreError> {
        self.transact(move |transaction| {
            check_epoch(transaction, epoch)?;
            for table in TABLES_OF_LANES {
                let sql = format!("DELETE FROM {table} WHERE subscription = ?1 AND replay = ?2");
                transaction.execute(&sql, columns::lane_columns(lane))?;
            }
            Ok(())
        })
        .await
    }

    async fn dead_letters(
        &self,
        lane: LaneId,
        from: Offset,
        max_count: usize,
    ) -> Result<Vec<(Offset, DeadLetter)>, StateStoreError> {
        self.transact(move |transaction| deliveries::dead(transaction, lane, from, max_count))
            .await
    }

    async fn dead_before(
        &self,
        time: Timestamp,
        max_count: usize,
    ) -> Result<Vec<(LaneId, Offset, DeadLetter)>, StateStoreError> {
        self.transact(move |transaction| deliveries::dead_before(transaction, time, max_count))
            .await
    }

    async fn save_attempts(
        &self,
        epoch: Epoch,
        parts: Vec<AttemptPart>,
    ) -> Result<(), StateStoreError> {
        self.transact(move |transaction| {
            check_epoch(transaction, epoch)?;
            for part in &parts {
                attempts::save(transaction, epoch, part)?;
            }
            Ok(())
        })
        .await
    }

    async fn attempts_before(
        &self,
        epoch: Epoch,
        lane: LaneId,
    ) -> Result<Vec<LoggedAttempt>, StateStoreError> {
        self.transact(move |transaction| attempts::before(transaction, epoch, lane))
            .await
    }

    async fn save(
        &self,
        epoch: Epoch,
        journals: Vec<(LaneId, Journal)>,
        head: Offset,
    ) -> Result<(), StateStoreError> {
        self.transact(move |transaction| {
            check_epoch(transaction, epoch)?;
            for (lane, journal) in &journals {
                rows::save(transaction, *lane, journal)?;
            }
            easel_sqlite::raise_seen(transaction, head.get())?;
            Ok(())
        })
        .await
    }
}

/// Rejects a lease that is not the latest.
fn check_epoch(transaction: &Transaction<'_>, epoch: Epoch) -> Result<(), StateStoreError> {
    let mut latest = transaction.prepare_cached("SELECT epoch FROM lease")?;
    let latest: Option<i64> = latest.query_row([], |row| row.get(0)).optional()?;
    if latest == Some(columns::signed(epoch.0)) {
        Ok(())
    } else {
        Err(StateStoreError::Stale { epoch })
    }
}

/// Converts a violation of the unique constraint to [`StateStoreError::NameTaken`].
fn check_unique(
    changed: rusqlite::Result<usize>,
    definition: &Definition,
) -> Result<usize, StateStoreError> {
    match changed {
        Err(error)
            if error.sqlite_error().map(|error| error.extended_code)
                == Some(SQLITE_CONSTRAINT_UNIQUE) =>
        {
            Err(StateStoreError::NameTaken {
                name: definition.spec.name.clone(),
            })
        }
        other => Ok(other?),
    }
}

impl From<rusqlite::Error> for StateStoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed {
            reason: error.to_string(),
        }
    }
}

/// Returns the ids of the data keys that sealed the specs and documents in the file at `path`, while no process has the
/// file open. Returns an empty set if the file does not exist, or if it has format 4 or earlier.
pub fn sealing_keys(path: &Path) -> Result<BTreeSet<u32>, StoredStateError> {
    let Some(connection) = easel_sqlite::open_at_rest(path, &STATE_LAYOUT)? else {
        return Ok(BTreeSet::new());
    };
    if !migrations::has_sealed_specs(&connection)? {
        return Ok(BTreeSet::new());
    }
    let sql = "SELECT sealed FROM subscriptions WHERE sealed IS NOT NULL";
    let mut statement = connection.prepare(sql)?;
    let sealed = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let mut sealed = sealed.collect::<Result<Vec<_>, _>>()?;
    if migrations::has_owners(&connection)? {
        sealed.extend(owners::sealed(&connection)?);
    }
    Ok(sealed
        .iter()
        .filter_map(|bytes| Sealer::data_key_of(bytes))
        .collect())
}

/// The cursor of one subscription in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCursor {
    /// The subscription's name.
    pub name: String,
    /// The next offset to handle: the first offset that is owed or unmatched.
    pub cursor: Offset,
}

/// Reads the cursor of each subscription in the file at `path`, while no process has the file open.
/// Returns an empty list if the file does not exist.
pub fn stored_cursors(path: &Path) -> Result<Vec<StoredCursor>, StoredStateError> {
    let Some(connection) = easel_sqlite::open_at_rest(path, &STATE_LAYOUT)? else {
        return Ok(Vec::new());
    };
    let sql = if migrations::has_lanes(&connection)? {
        "SELECT name, cursor FROM subscriptions JOIN lanes ON subscription = id
             WHERE replay = 0 ORDER BY name"
    } else {
        "SELECT name, cursor FROM subscriptions ORDER BY name"
    };
    let mut statement = connection.prepare(sql)?;
    let cursors = statement.query_map([], |row| {
        let cursor: i64 = row.get(1)?;
        Ok(StoredCursor {
            name: row.get(0)?,
            cursor: Offset::new(u64::try_from(cursor).unwrap_or(0)),
        })
    })?;
    Ok(cursors.collect::<Result<_, _>>()?)
}

/// Why the subscriptions in a file could not be read.
#[derive(Debug, Error)]
pub enum StoredStateError {
    /// The file is invalid or cannot be opened.
    #[error(transparent)]
    Open(#[from] easel_sqlite::OpenError),
    /// SQLite could not read the file.
    #[error("read the file of subscriptions: {0}")]
    Read(#[from] rusqlite::Error),
}

#[cfg(test)]
mod tests;
