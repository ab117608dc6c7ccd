//! Creates the tables of subscriptions.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::Catalog;
use easel_keys::SecretUrl;
use easel_sink_sql::{
    CursorKey, DatabaseUrlError, EventTables, GuardSource, PgOptions, PromoteFields, SqlSink,
    SqlSinkOptions, TableAdmin, TableLayout, TableViews, describe_metrics,
};
use easel_sinks::{Guard, SystemResolver};
use easel_sqlite::Identity;
use easel_subscriptions::{Epoch, LaneId, Promote, SqlLayout, SqlSpec, Subscription};

/// The maximum number of rows in one transaction.
const MAX_ROWS: usize = 4_000;

/// How long a transaction waits for more rows. It also bounds how old the tables are.
const GATHER: Duration = Duration::from_millis(250);

/// Creates the tables of subscriptions.
#[derive(Clone)]
pub(crate) struct Tables {
    catalog: Arc<Catalog>,
    /// The identity of the data folder. A schema with the cursor of another folder is refused.
    folder: String,
    guard: GuardSource,
}

impl Tables {
    pub(crate) fn new(catalog: Arc<Catalog>, folder: Identity, guard: GuardSource) -> Self {
        describe_metrics();
        Self {
            catalog,
            folder: folder.to_string(),
            guard,
        }
    }

    /// Creates the sink of a subscription or of one of its replays.
    pub(crate) fn make_sink(
        &self,
        subscription: &Subscription,
        sql: &SqlSpec,
        epoch: Epoch,
    ) -> Result<SqlSink, String> {
        self.sink(subscription.lane_id(), sql, epoch)
    }

    /// Creates the sink of a lane.
    pub(crate) fn sink(
        &self,
        lane: LaneId,
        sql: &SqlSpec,
        epoch: Epoch,
    ) -> Result<SqlSink, String> {
        Ok(SqlSink::new(SqlSinkOptions {
            database: self.database(sql)?,
            schema: sql.schema.clone(),
            tables: self.event_tables(sql),
            views: TableViews::All,
            key: self.key(lane),
            promote: match sql.promote {
                Promote::Manual => PromoteFields::Manual,
                Promote::Auto => PromoteFields::Auto,
            },
            rows_may_exist: lane.replay.is_some(),
            epoch: epoch.0,
            max_items: MAX_ROWS,
            gather: GATHER,
        }))
    }

    /// Returns the tables of a subscription, for an operator.
    pub(crate) fn admin(&self, sql: &SqlSpec) -> Result<TableAdmin, String> {
        Ok(TableAdmin {
            database: self.database(sql)?,
            schema: sql.schema.clone(),
            tables: self.event_tables(sql),
            views: TableViews::All,
        })
    }

    /// Returns the key of the lane's position in the database.
    pub(crate) fn key(&self, lane: LaneId) -> CursorKey {
        CursorKey {
            folder: self.folder.clone(),
            subscription: lane.subscription.to_string(),
            replay: lane.replay.map_or(0, NonZeroU32::get),
        }
    }

    /// Validates everything that needs no network, except the address.
    pub(crate) fn check(sql: &SqlSpec) -> Result<(), String> {
        database(sql, Arc::new(Guard::default)).map(drop)
    }

    /// Rejects a URL with an address that the guard refuses.
    pub(crate) fn check_address(&self, sql: &SqlSpec) -> Result<(), String> {
        let (database, guard) = (self.database(sql)?, (self.guard)());
        let mut hosts = database.host_names();
        hosts
            .try_for_each(|host| guard.check_host(host))
            .map_err(|refused| format!("sql.url: {refused}"))
    }

    /// Rejects a URL whose names resolve to an address that the guard refuses.
    pub(crate) async fn check_resolved(&self, sql: &SqlSpec) -> Result<(), String> {
        let (database, guard) = (self.database(sql)?, (self.guard)());
        for host in database.host_names() {
            guard
                .resolve_and_check(host, &SystemResolver)
                .await
                .map_err(|refused| format!("sql.url: {refused}"))?;
        }
        Ok(())
    }

    fn database(&self, sql: &SqlSpec) -> Result<PgOptions, String> {
        database(sql, Arc::clone(&self.guard))
    }

    fn event_tables(&self, sql: &SqlSpec) -> Arc<EventTables> {
        let layout = match sql.layout {
            SqlLayout::Typed => TableLayout::Typed,
            SqlLayout::Wide => TableLayout::Wide,
            SqlLayout::Ledbelly => TableLayout::Ledbelly,
        };
        let tables = EventTables::new(Arc::clone(&self.catalog), layout, sql.excluded.clone());
        Arc::new(tables)
    }
}

/// Validates the URL of a database, without its certificates and its address.
///
/// # Errors
///
/// Returns what is invalid, without a part of the URL.
pub fn check_database_url(url: &str) -> Result<(), String> {
    PgOptions::new(&SecretUrl::new(url), None, Arc::new(Guard::default))
        .map(drop)
        .map_err(|error| error.to_string())
}

fn database(sql: &SqlSpec, guard: GuardSource) -> Result<PgOptions, String> {
    let options = PgOptions::new(&sql.url, sql.ca.as_deref(), guard);
    options.map_err(|error| match error {
        DatabaseUrlError::Certificates { .. } => format!("sql.ca: {error}"),
        DatabaseUrlError::Scheme | DatabaseUrlError::Invalid { .. } => format!("sql.url: {error}"),
    })
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}
