//! Rebuilds the tables of a subscription from the log.
//!
//! Fresh tables get the events of the log, beside the tables in use. Then the rows that the log does not have
//! any more are copied, and the fresh tables replace the others. The lane goes on meanwhile.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use easel_api::RebuildState;
use easel_catalog::{Facts, FilterFacts};
use easel_deliver::{FormKind, FormMaker};
use easel_log::{Block, Found, Offset, Reader, SharedLog, run_blocking};
use easel_sink_sql::{CursorKey, RebuildRange, RebuildSchemas, SqlFailure, SqlSink, TableAdmin};
use easel_sinks::{Batch, Item, SendError, Sink};
use easel_subscriptions::{Epoch, FilterVerdict, SqlSpec, Subscription};

use crate::tables::Tables;

/// A rebuild of the tables of a subscription.
pub(crate) struct Rebuild {
    pub(crate) admin: TableAdmin,
    pub(crate) key: CursorKey,
    pub(crate) tables: Tables,
    pub(crate) epoch: Epoch,
    pub(crate) sql: SqlSpec,
    pub(crate) subscription: Arc<Subscription>,
    pub(crate) log: SharedLog,
    pub(crate) form_maker: FormMaker,
}

impl Rebuild {
    /// Returns the events that come from the log: from its tail to the position of the lane.
    pub(crate) async fn range(&self) -> Result<Range<Offset>, SqlFailure> {
        let position = self.admin.position(&self.key).await?;
        let tail = self.log.bounds().borrow().tail;
        let end = position.map_or(tail, Offset::new);
        Ok(tail..std::cmp::max(tail, end))
    }

    /// Rebuilds the tables. Tells `set_position` how far it has come.
    pub(crate) async fn run(
        &self,
        range: Range<Offset>,
        set_position: &(dyn Fn(Offset) + Sync),
    ) -> RebuildState {
        match self.rebuild(range, set_position).await {
            Ok(state) => state,
            Err(reason) => RebuildState::Failed(reason),
        }
    }

    async fn rebuild(
        &self,
        range: Range<Offset>,
        set_position: &(dyn Fn(Offset) + Sync),
    ) -> Result<RebuildState, String> {
        let begun = self.admin.begin_rebuild().await;
        let schemas = begun.map_err(|failure| failure.to_string())?;
        let replayed_count = self.replay(&schemas, range.clone(), set_position).await?;
        let range = RebuildRange {
            from: range.start.get(),
            to: range.end.get(),
        };
        let finished = self.admin.finish_rebuild(&self.key, range).await;
        Ok(RebuildState::Ended {
            replayed_count,
            copied_count: finished.map_err(|failure| failure.to_string())?,
            old_schema: schemas.before,
        })
    }

    /// Writes the events of the log into the fresh tables. Returns how many.
    async fn replay(
        &self,
        schemas: &RebuildSchemas,
        range: Range<Offset>,
        set_position: &(dyn Fn(Offset) + Sync),
    ) -> Result<u64, String> {
        let sql = SqlSpec {
            schema: schemas.fresh.clone(),
            ..self.sql.clone()
        };
        let lane = self.subscription.lane_id();
        let sink = self.tables.sink(lane, &sql, self.epoch)?;
        let mut reader = Reader::new(Arc::clone(&self.log), range.start);
        let mut items = Vec::new();
        let mut count = 0;
        let mut position = range.start;
        while position < range.end {
            let found = reader.try_next().await.map_err(|error| error.to_string())?;
            let Some(found) = found else {
                return Err(format!("the log ends at {position}"));
            };
            position = std::cmp::min(found.range().end, range.end);
            if let Found::Block { block, from } = found {
                items.extend(self.items(block, from, position).await);
            }
            let is_full = items.len() >= sink.limits().max_items;
            if is_full || position == range.end {
                count += self.write(&sink, std::mem::take(&mut items)).await?;
                set_position(position);
            }
        }
        Ok(count)
    }

    /// Returns the items of a block that the subscription wants.
    async fn items(&self, block: Arc<Block>, from: Offset, end: Offset) -> Vec<Arc<Item>> {
        let (subscription, form_maker) = (Arc::clone(&self.subscription), self.form_maker.clone());
        run_blocking(move || {
            let kind = FormKind::of_spec(&subscription.spec);
            let records = block.records_from(from);
            let records = records.take_while(|record| record.offset < end);
            let wanted = records.filter(|record| {
                let verdict = subscription
                    .filter
                    .judge(record, &FilterFacts::new(&record.bytes));
                verdict == FilterVerdict::Wanted
            });
            let items = wanted.filter_map(|record| {
                let form = form_maker.make((&record).into(), kind);
                let facts = Facts::from_event(&record.bytes);
                Some(Arc::new(Item {
                    offset: record.offset,
                    id: record.id,
                    event_type: Arc::clone(&record.event_type),
                    occurred_at: record.occurred_at,
                    appended_at: Some(record.appended_at),
                    event_time: facts.event_time.unwrap_or_default().into_owned(),
                    // Only a Caliper format could be without a form, and tables have none.
                    form: form.ok()?,
                    jwt: None,
                }))
            });
            items.collect()
        })
        .await
    }

    /// Writes items in batches. Leaves out a row that the database refuses, because it is a dead letter of the
    /// lane too. Returns the number of rows.
    async fn write(&self, sink: &SqlSink, items: Vec<Arc<Item>>) -> Result<u64, String> {
        let mut count = 0;
        let mut parts: Vec<Vec<Arc<Item>>> = items
            .chunks(sink.limits().max_items)
            .rev()
            .map(<[_]>::to_vec)
            .collect();
        while let Some(mut items) = parts.pop() {
            let written = u64::try_from(items.len()).unwrap_or(u64::MAX);
            let batch = Batch {
                subscription: self.subscription.spec.name.as_str().into(),
                attempt: NonZeroU32::MIN,
                replay: None,
                keys: Vec::new(),
                items: items.clone(),
            };
            match sink.send(&batch).await.first_failure(items.len()) {
                None => count += written,
                Some(SendError::Rejected { .. }) if items.len() == 1 => (),
                Some(SendError::Rejected { .. }) => {
                    let second_half = items.split_off(items.len() / 2);
                    parts.push(second_half);
                    parts.push(items);
                }
                Some(failure) => return Err(failure.to_string()),
            }
        }
        Ok(count)
    }
}
