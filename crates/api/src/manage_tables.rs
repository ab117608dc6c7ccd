//! The trait that manages the tables of subscriptions. The server implements it.

use std::sync::Arc;

use async_trait::async_trait;
use easel_log::Offset;
use easel_subscriptions::Subscription;
use jiff::Timestamp;

/// Manages the tables of subscriptions. Every subscription that is passed must have tables.
#[async_trait]
pub trait ManageTables: Send + Sync {
    /// Returns the position of the subscription in its database, its tables and their latest changes.
    async fn status(&self, subscription: &Subscription) -> Result<TablesReport, TablesFault>;

    /// Returns the changes that [`apply`](Self::apply) would make.
    async fn plan(&self, subscription: &Subscription) -> Result<Vec<TableChange>, TablesFault>;

    /// Creates the tables of all event types of the catalogue, and changes those that differ. Returns the
    /// changes.
    async fn apply(&self, subscription: &Subscription) -> Result<Vec<TableChange>, TablesFault>;

    /// Gives a field of the body a column, and moves its values there.
    async fn promote(
        &self,
        subscription: &Subscription,
        event_type: &str,
        field: &str,
    ) -> Result<PromotedField, TablesFault>;

    /// Starts to rebuild the tables from the log.
    async fn start_rebuild(
        &self,
        subscription: Arc<Subscription>,
    ) -> Result<RebuildReport, TablesFault>;

    /// Returns the latest rebuild since the start of the server; `None` if there was none.
    fn rebuild(&self, subscription: &Subscription) -> Option<RebuildReport>;

    /// Stops the rebuild, if it runs. The tables stay as they are.
    fn cancel_rebuild(&self, subscription: &Subscription);
}

/// Why tables cannot be managed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TablesFault {
    /// The request is refused, for this reason.
    Refused(String),
    /// The database cannot be used now, for this reason.
    Unavailable(String),
}

/// The tables of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablesReport {
    /// The first offset that the tables do not have; `None` if nothing was written yet.
    pub next_offset: Option<Offset>,
    /// The tables, by name.
    pub tables: Vec<TableReport>,
    /// The latest changes, the newest first.
    pub migrations: Vec<TableChange>,
}

/// A table and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReport {
    /// The name.
    pub name: String,
    /// The number of rows as the database estimates it.
    pub row_estimate: u64,
    /// The size with indexes, in bytes.
    pub byte_count: u64,
}

/// A change of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChange {
    /// When it was made; `None` if it was not made yet.
    pub applied_at: Option<Timestamp>,
    /// What changes, in words.
    pub what: String,
    /// The reason.
    pub why: String,
    /// The statements.
    pub sql: String,
}

/// A field that has a column now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromotedField {
    /// The column.
    pub column: String,
    /// The type of the column, as the database calls it.
    pub sql_type: String,
    /// How many rows got a value.
    pub row_count: u64,
    /// How many rows keep a value in the column `extra`, because the value does not fit.
    pub remaining_count: u64,
}

/// A rebuild of tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildReport {
    /// The first offset that is read from the log.
    pub from: Offset,
    /// The offset after the last one.
    pub to: Offset,
    /// The next offset to read.
    pub position: Offset,
    /// Whether the rebuild still runs.
    pub state: RebuildState,
}

/// The state of a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebuildState {
    /// The rebuild runs.
    Running,
    /// The fresh tables are in use.
    Ended {
        /// How many rows came from the log.
        replayed_count: u64,
        /// How many rows were copied from the old tables.
        copied_count: u64,
        /// The schema with the old tables.
        old_schema: String,
    },
    /// The tables stay as they are, for this reason.
    Failed(String),
}
