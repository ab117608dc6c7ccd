//! The sink that writes events into tables, each exactly once.
//!
//! A batch is one transaction: it locks the lane's cursor, inserts the rows, moves the cursor and commits.
//! So rows and cursor never disagree, and two writers never mix. A transaction whose commit got no answer
//! is looked up: its cursor says whether it happened.
//!
//! Rows before the cursor are redelivered dead letters. They are inserted unless they exist, and the cursor
//! stays where it is. A replay inserts all its rows unless they exist, and moves a cursor of its own.
//!
//! A row that the database refuses is found by the lane: this sink rejects the whole batch, and the lane
//! sends its halves, until the culprit is alone. The server mostly says which row it refuses. This sink
//! remembers that row, so a half with the row is rejected at once.

mod batch_rows;
mod insert;
mod new_fields;
mod prepare;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use easel_log::Offset;
use easel_sinks::{Batch, Form, Order, Outcome, SendError, Sink, SinkLimits, StoredPosition};
use futures::TryStreamExt;
use futures::stream::FuturesOrdered;
use tokio::time::timeout;
use uuid::Uuid;

use crate::dialect::{PostgresDialect, Relation};
use crate::metrics::count_mismatches;
use crate::observed::ObservedFields;
use crate::postgres::{
    CursorKey, PgConnection, PgOptions, PreparedTable, SqlFailure, TableCursor, TableViews,
};
use crate::schema_plan::SchemaChange;
use crate::sql_column::SqlColumn;
use crate::sql_table::SqlTable;
use crate::sql_type::SqlType;
use crate::table_layout::EventTables;
use batch_rows::{BatchRows, decimal_fields};
pub use new_fields::PromoteFields;
use new_fields::new_columns;

/// How often a batch starts again, because the tables changed meanwhile.
const MAX_SCHEMA_CHANGES: u32 = 5;

/// How many statements a batch may take, each with the statement timeout, before it counts as timed out.
const TIMEOUT_FACTOR: u32 = 4;

/// Where and how a [`SqlSink`] writes.
#[derive(Clone, Debug)]
pub struct SqlSinkOptions {
    /// The database.
    pub database: PgOptions,
    /// The schema of the tables.
    pub schema: String,
    /// The tables.
    pub tables: Arc<EventTables>,
    /// Which views the schema gets.
    pub views: TableViews,
    /// The lane whose events are written.
    pub key: CursorKey,
    /// When a field that has no column gets one.
    pub promote: PromoteFields,
    /// True if other lanes may have inserted the rows already, as for a replay.
    pub rows_may_exist: bool,
    /// The epoch of the server's lease. A server with an older epoch cannot write any more.
    pub epoch: u64,
    /// The maximum number of events in one transaction.
    pub max_items: usize,
    /// How long a transaction may wait for more events.
    pub gather: Duration,
}

/// Writes events into tables.
#[derive(Debug)]
pub struct SqlSink {
    options: SqlSinkOptions,
    host: Option<String>,
    /// The tables that views use.
    all_tables: Vec<SqlTable>,
    /// The connection between two attempts.
    idle: std::sync::Mutex<Option<PgConnection>>,
    /// The offset of the cursor after the last commit, or when the lane asked for it last.
    known: std::sync::Mutex<Option<u64>>,
    /// The offsets of rows that the server refused, and its words.
    refused: std::sync::Mutex<HashMap<u64, String>>,
    /// The columns that this sink has tried to widen or to add, with their tables. It tries each once.
    tried_to_change: std::sync::Mutex<HashSet<(String, String)>>,
    mismatch_count: AtomicU64,
}

impl SqlSink {
    /// Creates the sink. It connects when it is used.
    pub fn new(options: SqlSinkOptions) -> Self {
        Self {
            host: options.database.host(),
            all_tables: options.tables.catalog_tables(),
            idle: std::sync::Mutex::new(None),
            known: std::sync::Mutex::new(None),
            refused: std::sync::Mutex::new(HashMap::new()),
            tried_to_change: std::sync::Mutex::new(HashSet::new()),
            mismatch_count: AtomicU64::new(0),
            options,
        }
    }

    /// Returns how many values did not fit into their columns, of all rows that this sink has committed.
    pub fn mismatch_count(&self) -> u64 {
        self.mismatch_count.load(Ordering::Relaxed)
    }

    /// Returns the cursor in the database. Batches are written from there on.
    pub async fn cursor(&self) -> Result<Option<TableCursor>, SqlFailure> {
        let connection = self.connection().await?;
        let SqlSinkOptions { schema, key, .. } = &self.options;
        let cursor = connection.read_cursor(schema, key).await?;
        if cursor.is_none() {
            connection.check_other_folders(schema, key).await?;
        }
        self.keep(connection);
        let next_offset = cursor.unwrap_or_default().next_offset;
        let mut known = self.known();
        check_kept(*known, next_offset)?;
        *known = cursor.map(|cursor| cursor.next_offset);
        Ok(cursor)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns an error if the cursor is not where this sink has left it. The lane then asks for the position
    /// again, and compares it with its log.
    fn check_known(&self, next_offset: u64) -> Result<(), SqlFailure> {
        let known = *self.known();
        check_kept(known, next_offset)?;
        match known {
            Some(known) if known != next_offset => Err(SqlFailure::Refused {
                reason: format!(
                    "another writer has moved the cursor from offset {known} to {next_offset}"
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Returns the connection of the last attempt, or a new one.
    async fn connection(&self) -> Result<PgConnection, SqlFailure> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        match idle.filter(|connection| !connection.is_closed()) {
            Some(connection) => Ok(connection),
            None => PgConnection::open(&self.options.database).await,
        }
    }

    /// Keeps a connection for the next attempt.
    fn keep(&self, connection: PgConnection) {
        let mut idle = self
            .idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *idle = Some(connection);
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, HashMap<u64, String>> {
        self.refused
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns an error if the batch has other items beside one that the server refused.
    fn check_refused(&self, batch: &Batch) -> Result<(), SqlFailure> {
        let refused = self.refused();
        if batch.items.len() == 1 {
            return Ok(());
        }
        match batch
            .offsets()
            .find_map(|offset| refused.get(&offset.get()))
        {
            Some(reason) => Err(SqlFailure::RowRefused {
                reason: reason.clone(),
                row_number: None,
            }),
            None => Ok(()),
        }
    }

    async fn attempt(&self, batch: &Batch) -> Result<(), SqlFailure> {
        self.check_refused(batch)?;
        let mut connection = self.connection().await?;
        let mut result = Err(SqlFailure::SchemaChanged);
        for _attempt in 0..MAX_SCHEMA_CHANGES {
            result = self.insert(&mut connection, batch).await;
            if result != Err(SqlFailure::SchemaChanged) {
                break;
            }
            connection.roll_back().await?;
            connection.tables.clear();
        }
        if let [single] = batch.items.as_slice() {
            self.refused().remove(&single.offset.get());
        }
        match &result {
            Ok(()) => self.keep(connection),
            Err(failure) if failure.leaves_connection_usable() => {
                if connection.roll_back().await.is_ok() {
                    self.keep(connection);
                }
            }
            Err(_) => (),
        }
        result
    }

    /// Inserts a batch in one transaction.
    async fn insert(&self, connection: &mut PgConnection, batch: &Batch) -> Result<(), SqlFailure> {
        let SqlSinkOptions {
            schema, key, epoch, ..
        } = &self.options;
        self.prepare_tables(connection, batch).await?;
        let (begun, cursor) = futures::join!(
            connection.execute("begin"),
            connection.lock_cursor(schema, key)
        );
        begun?;
        let cursor = match cursor? {
            Some(cursor) => cursor,
            None => {
                // Two folders must not both find no cursor of the other.
                connection.lock_schema(schema).await?;
                connection.check_other_folders(schema, key).await?;
                connection.create_cursor(schema, key, *epoch).await?;
                let created = connection.lock_cursor(schema, key).await?;
                created.ok_or(SqlFailure::SchemaChanged)?
            }
        };
        cursor.check_epoch(*epoch)?;
        self.check_known(cursor.next_offset)?;
        if cursor.migration_number != connection.migration_number {
            return Err(SqlFailure::SchemaChanged);
        }
        let mut rows = BatchRows::new(
            &connection.tables,
            batch,
            cursor.next_offset,
            self.options.rows_may_exist,
        )?;
        if let Some(register) = &connection.tables.register
            && rows.has_repeated()
        {
            let offsets = batch
                .offsets()
                .filter_map(|offset| i64::try_from(offset.get()).ok());
            let offsets: Vec<_> = offsets.collect();
            let registered = connection
                .registered_offsets(schema, &register.table, &offsets)
                .await?;
            rows.leave_out(&registered);
        }
        let decimals = decimal_fields(&self.options.tables, &rows);
        if self.widen_observed(connection, &decimals).await? {
            return Err(SqlFailure::SchemaChanged);
        }
        // The server gets the request for a table before it has answered for the table before.
        let mut inserting = FuturesOrdered::new();
        for table in rows.tables.values().filter(|table| !table.new.is_empty()) {
            inserting.push_back(self.insert_new(connection, table));
        }
        let mut mismatch_count = 0;
        let mut with_new_fields = Vec::new();
        while let Some(inserted) = inserting.try_next().await? {
            mismatch_count += inserted.mismatch_count;
            with_new_fields.extend(inserted.new_fields);
        }
        drop(inserting);
        if self.add_columns(connection, &with_new_fields).await? {
            return Err(SqlFailure::SchemaChanged);
        }
        // These share a temporary table, so they go one after the other.
        for table in rows
            .tables
            .values()
            .filter(|table| !table.repeated.is_empty())
        {
            mismatch_count += self.insert_repeated(connection, table).await?;
        }
        let next_offset = rows.next.map(|(next_offset, _id)| next_offset);
        if let Some(next) = rows.next {
            connection.move_cursor(schema, key, next, *epoch).await?;
        }
        match connection.execute("commit").await {
            Ok(()) => (),
            Err(failure @ SqlFailure::RowRefused { .. }) => return Err(failure),
            Err(failure) => self.look_up_commit(rows.next, failure).await?,
        }
        *self.known() = Some(next_offset.unwrap_or(cursor.next_offset));
        self.mismatch_count
            .fetch_add(mismatch_count, Ordering::Relaxed);
        count_mismatches(mismatch_count);
        Ok(())
    }

    /// Widens the integer columns of event types that the catalogue does not know, if decimal numbers arrive.
    /// The types of these columns are only a guess from the first events. Returns true if a column was widened;
    /// the transaction of the batch is then over.
    async fn widen_observed(
        &self,
        connection: &PgConnection,
        decimals: &[(&PreparedTable, BTreeSet<String>)],
    ) -> Result<bool, SqlFailure> {
        let mut changes = Vec::new();
        for (prepared, fields) in decimals {
            let table = &prepared.table;
            for field in fields {
                let column = table.body_column(field);
                let is_integer = |column: &&SqlColumn| column.sql_type == SqlType::BigInt;
                let Some(column) = column.filter(is_integer) else {
                    continue;
                };
                let name = (table.name.clone(), column.name.clone());
                if self.tried_to_change().insert(name) {
                    changes.push(SchemaChange::widen_observed(
                        &PostgresDialect,
                        Relation {
                            schema: &self.options.schema,
                            name: &table.name,
                        },
                        column,
                    ));
                }
            }
        }
        self.change_columns(connection, &changes).await
    }

    /// Adds columns for new fields, if the subscription asks for it. Returns true if a column was added; the
    /// transaction of the batch is then over.
    async fn add_columns(
        &self,
        connection: &PgConnection,
        with_new_fields: &[(&PreparedTable, ObservedFields)],
    ) -> Result<bool, SqlFailure> {
        let mut changes = Vec::new();
        for (prepared, observed) in with_new_fields {
            let table = &prepared.table.name;
            let should_try = |field: &str| {
                self.tried_to_change()
                    .insert((table.clone(), field.to_owned()))
            };
            let schema = &self.options.schema;
            changes.extend(new_columns(schema, prepared, observed, should_try));
        }
        self.change_columns(connection, &changes).await
    }

    /// Changes columns in a transaction of its own, after the transaction of the batch is rolled back. Returns false
    /// if there is nothing to change.
    async fn change_columns(
        &self,
        connection: &PgConnection,
        changes: &[SchemaChange],
    ) -> Result<bool, SqlFailure> {
        if changes.is_empty() {
            return Ok(false);
        }
        connection.roll_back().await?;
        connection
            .change_columns(&self.options.schema, changes)
            .await?;
        Ok(true)
    }

    fn tried_to_change(&self) -> std::sync::MutexGuard<'_, HashSet<(String, String)>> {
        self.tried_to_change
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Decides whether a transaction has happened whose commit got no answer. A new connection waits until the
    /// server has ended the transaction, because it locks the cursor.
    async fn look_up_commit(
        &self,
        next: Option<(u64, Uuid)>,
        failure: SqlFailure,
    ) -> Result<(), SqlFailure> {
        let Some((next_offset, last_event_id)) = next else {
            // Only redelivered rows, which can be inserted again.
            return Err(failure);
        };
        let connection = PgConnection::open(&self.options.database).await?;
        let cursor = connection
            .read_cursor(&self.options.schema, &self.options.key)
            .await?
            .unwrap_or_default();
        self.keep(connection);
        cursor.check_epoch(self.options.epoch)?;
        let expected = (next_offset, Some(last_event_id));
        if (cursor.next_offset, cursor.last_event_id) == expected {
            Ok(())
        } else {
            Err(failure)
        }
    }

    /// The longest time that an attempt may take.
    fn attempt_timeout(&self) -> Duration {
        TIMEOUT_FACTOR
            * (self.options.database.statement_timeout + self.options.database.lock_timeout)
    }
}

#[async_trait]
impl Sink for SqlSink {
    fn limits(&self) -> SinkLimits {
        let max_items = std::cmp::max(self.options.max_items, 1);
        SinkLimits {
            max_items,
            max_bytes: 8 << 20,
            gather: self.options.gather,
            max_in_flight: 1,
            order: Order::Offset,
            // The database has the position, so nothing is repeated.
            max_repeated: u64::try_from(max_items)
                .unwrap_or(u64::MAX)
                .saturating_mul(16),
        }
    }

    fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The note is the position after the batch. A database that was restored from a backup has an older one.
    fn note_after(&self, _batch: &Batch) -> Option<Bytes> {
        let known = *self.known();
        known.map(|next_offset| Bytes::copy_from_slice(&next_offset.to_be_bytes()))
    }

    async fn resume_at(&self, note: Option<&Bytes>) -> Result<Option<StoredPosition>, SendError> {
        let noted = note.and_then(|note| Some(u64::from_be_bytes(note.as_ref().try_into().ok()?)));
        {
            let mut known = self.known();
            *known = std::cmp::max(*known, noted);
        }
        let cursor = timeout(self.attempt_timeout(), self.cursor()).await;
        let cursor = cursor.unwrap_or(Err(SqlFailure::TimedOut))?;
        if let Some(cursor) = cursor {
            cursor.check_epoch(self.options.epoch)?;
        }
        Ok(cursor.map(|cursor| StoredPosition {
            next_offset: Offset::new(cursor.next_offset),
            last_event_id: cursor.last_event_id,
        }))
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        if batch
            .items
            .iter()
            .any(|item| !matches!(item.form, Form::Canvas(_)))
        {
            let reason = "tables need the format canvas".to_owned();
            return Outcome::all(Err(SendError::NotSent { reason }));
        }
        let result = timeout(self.attempt_timeout(), self.attempt(batch)).await;
        let result = result.unwrap_or(Err(SqlFailure::TimedOut));
        Outcome::all(result.map_err(SendError::from))
    }
}

/// Returns an error if the tables have lost rows that this sink has committed, as after a failover to a database
/// that did not have them yet.
fn check_kept(known: Option<u64>, next_offset: u64) -> Result<(), SqlFailure> {
    match known {
        Some(known) if next_offset < known => Err(SqlFailure::Superseded {
            reason: format!(
                "the tables had events up to offset {known}, but now only up to {next_offset}; resume the \
                 subscription and replay the events between"
            ),
        }),
        _ => Ok(()),
    }
}
