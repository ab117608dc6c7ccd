//! Manages the tables of subscriptions for the API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use easel_api::{
    ManageTables, PromotedField, RebuildReport, RebuildState, TableChange, TableReport,
    TablesFault, TablesReport,
};
use easel_deliver::FormMaker;
use easel_log::{Offset, SharedLog};
use easel_sink_sql::{
    AppliedMigration, PostgresDialect, SchemaChange, SqlDialect, SqlFailure, TableAdmin, TableSize,
};
use easel_subscriptions::{Epoch, SqlSpec, Subscription, SubscriptionId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::rebuild::Rebuild;
use crate::tables::Tables;

/// Manages the tables of subscriptions.
pub(crate) struct TableManager {
    pub(crate) tables: Tables,
    pub(crate) epoch: Epoch,
    pub(crate) log: SharedLog,
    pub(crate) form_maker: FormMaker,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
    /// The latest rebuild of each subscription.
    pub(crate) rebuilds: Mutex<HashMap<SubscriptionId, RunningRebuild>>,
    /// The tasks of the rebuilds. They end with the server.
    pub(crate) tasks: Mutex<JoinSet<()>>,
}

/// A rebuild that runs or has ended.
#[derive(Clone)]
pub(crate) struct RunningRebuild {
    report: Arc<Mutex<RebuildReport>>,
    cancel: CancellationToken,
}

impl TableManager {
    fn admin(&self, subscription: &Subscription) -> Result<TableAdmin, TablesFault> {
        let sql = sql_of(subscription)?;
        self.tables.admin(sql).map_err(TablesFault::Refused)
    }

    fn latest(&self, subscription: &Subscription) -> Option<RunningRebuild> {
        let rebuilds = self.rebuilds.lock().unwrap_or_else(PoisonError::into_inner);
        rebuilds.get(&subscription.id).cloned()
    }
}

#[async_trait]
impl ManageTables for TableManager {
    async fn status(&self, subscription: &Subscription) -> Result<TablesReport, TablesFault> {
        let admin = self.admin(subscription)?;
        let key = self.tables.key(subscription.lane_id());
        let status = admin
            .status(&key)
            .await
            .map_err(|failure| fault(&failure))?;
        Ok(TablesReport {
            next_offset: status.next_offset.map(Offset::new),
            tables: status.tables.into_iter().map(report).collect(),
            migrations: status.migrations.into_iter().map(applied).collect(),
        })
    }

    async fn plan(&self, subscription: &Subscription) -> Result<Vec<TableChange>, TablesFault> {
        let plan = self
            .admin(subscription)?
            .plan()
            .await
            .map_err(|failure| fault(&failure))?;
        Ok(plan.changes.into_iter().map(planned).collect())
    }

    async fn apply(&self, subscription: &Subscription) -> Result<Vec<TableChange>, TablesFault> {
        let changes = self
            .admin(subscription)?
            .apply()
            .await
            .map_err(|failure| fault(&failure))?;
        Ok(changes.into_iter().map(planned).collect())
    }

    async fn promote(
        &self,
        subscription: &Subscription,
        event_type: &str,
        field: &str,
    ) -> Result<PromotedField, TablesFault> {
        let admin = self.admin(subscription)?;
        let promoted = admin
            .promote(event_type, field)
            .await
            .map_err(|failure| fault(&failure))?;
        Ok(PromotedField {
            column: promoted.column,
            sql_type: PostgresDialect.type_name(promoted.sql_type).into_owned(),
            row_count: promoted.row_count,
            remaining_count: promoted.remaining_count,
        })
    }

    async fn start_rebuild(
        &self,
        subscription: Arc<Subscription>,
    ) -> Result<RebuildReport, TablesFault> {
        if let Some(latest) = self.latest(&subscription)
            && latest.snapshot().state == RebuildState::Running
        {
            let reason = "start a rebuild: the tables are being rebuilt".to_owned();
            return Err(TablesFault::Refused(reason));
        }
        let id = subscription.id;
        let sql = sql_of(&subscription)?.clone();
        let rebuild = Rebuild {
            admin: self.admin(&subscription)?,
            key: self.tables.key(subscription.lane_id()),
            tables: self.tables.clone(),
            epoch: self.epoch,
            sql,
            subscription,
            log: Arc::clone(&self.log),
            form_maker: self.form_maker.clone(),
        };
        let range = rebuild.range().await.map_err(|failure| fault(&failure))?;
        let first = RebuildReport {
            from: range.start,
            to: range.end,
            position: range.start,
            state: RebuildState::Running,
        };
        let running = RunningRebuild {
            report: Arc::new(Mutex::new(first.clone())),
            cancel: self.stop.child_token(),
        };
        self.rebuilds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, running.clone());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let set_position = |position| running.change(|report| report.position = position);
            let state = tokio::select! {
                state = rebuild.run(range, &set_position) => state,
                () = running.cancel.cancelled() => {
                    RebuildState::Failed("the rebuild was cancelled".to_owned())
                }
            };
            running.change(|report| report.state = state);
        });
        Ok(first)
    }

    fn rebuild(&self, subscription: &Subscription) -> Option<RebuildReport> {
        Some(self.latest(subscription)?.snapshot())
    }

    fn cancel_rebuild(&self, subscription: &Subscription) {
        if let Some(running) = self.latest(subscription) {
            running.cancel.cancel();
        }
    }
}

impl RunningRebuild {
    fn snapshot(&self) -> RebuildReport {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.clone()
    }

    fn change(&self, change: impl FnOnce(&mut RebuildReport)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn sql_of(subscription: &Subscription) -> Result<&SqlSpec, TablesFault> {
    let no_tables = || TablesFault::Refused("find tables: the subscription has none".to_owned());
    subscription.spec.sink.sql().ok_or_else(no_tables)
}

fn fault(failure: &SqlFailure) -> TablesFault {
    let reason = failure.to_string();
    match failure {
        SqlFailure::Refused { .. }
        | SqlFailure::Superseded { .. }
        | SqlFailure::RowRefused { .. } => TablesFault::Refused(reason),
        SqlFailure::Unconnected { .. }
        | SqlFailure::Guarded { .. }
        | SqlFailure::Lost { .. }
        | SqlFailure::Busy { .. }
        | SqlFailure::TimedOut
        | SqlFailure::SchemaChanged => TablesFault::Unavailable(reason),
    }
}

fn report(table: TableSize) -> TableReport {
    TableReport {
        name: table.name,
        row_estimate: table.row_estimate,
        byte_count: table.byte_count,
    }
}

fn planned(change: SchemaChange) -> TableChange {
    TableChange {
        applied_at: None,
        what: change.what,
        why: change.why,
        sql: change.sql.join(";\n"),
    }
}

fn applied(migration: AppliedMigration) -> TableChange {
    TableChange {
        applied_at: Some(migration.applied_at),
        what: migration.what,
        why: migration.why,
        sql: migration.sql,
    }
}
