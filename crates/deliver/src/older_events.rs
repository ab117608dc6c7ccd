//! Counts the events within the reach of confined subscriptions that were there before the feed began to count.
//!
//! These are the unmatched events of a subscription that was behind when the server started, of a new subscription
//! with an old start, and of a replay. Each is counted once, in one pass over the log for all of them. Until then,
//! they are not a part of the pending events.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::FilterFacts;
use easel_log::{Block, Found, Offset, ReadError, Reader, Record};
use easel_subscriptions::{CountMarks, Subscription, UnmatchedOffsets};
use tokio::time::sleep;
use tracing::error;

use crate::lane_context::LaneContext;
use crate::offload::offload;

/// The pause after an error of the log.
const PAUSE: Duration = Duration::from_secs(30);

/// The events of one lane that are counted.
struct LaneCount {
    lane: Arc<Subscription>,
    offsets: UnmatchedOffsets,
    count: u64,
    marks: CountMarks,
}

/// The counts of one pass.
struct Pass {
    counts: Vec<LaneCount>,
    /// The indexes of the counts, by root account.
    by_account: HashMap<String, Vec<usize>>,
}

/// Counts whenever a lane needs it.
pub(crate) async fn count(context: &LaneContext) -> Infallible {
    loop {
        context.count_soon.notified().await;
        while let Some(pass) = Pass::new(context) {
            if let Err(error) = pass.run(context).await {
                error!(%error, "events of confined subscriptions not counted yet");
                sleep(PAUSE).await;
            }
        }
    }
}

impl Pass {
    /// Returns the pass for all lanes that need one; `None` if there are none.
    fn new(context: &LaneContext) -> Option<Self> {
        let mut counts = Vec::new();
        let mut by_account: HashMap<String, Vec<usize>> = HashMap::new();
        for lane in context.subscriptions.lanes() {
            let Some(root_account) = lane.reach.root_account() else {
                continue;
            };
            let Some(offsets) = lane.shared.account().uncounted_offsets() else {
                continue;
            };
            let indexes = by_account.entry(root_account.to_string()).or_default();
            indexes.push(counts.len());
            counts.push(LaneCount {
                lane,
                offsets,
                count: 0,
                marks: CountMarks::default(),
            });
        }
        (!counts.is_empty()).then_some(Self { counts, by_account })
    }

    async fn run(mut self, context: &LaneContext) -> Result<(), ReadError> {
        let starts = self.counts.iter().map(|lane| lane.offsets.offsets.start);
        let ends = self.counts.iter().map(|lane| lane.offsets.offsets.end);
        let start = starts.min().unwrap_or(Offset::ZERO);
        let end = ends.max().unwrap_or(Offset::ZERO);
        let mut reader = Reader::new(Arc::clone(&context.log), start);
        while reader.position() < end {
            let _permit = context.scans.acquire().await.ok();
            let Some(found) = reader.try_next().await? else {
                break;
            };
            if let Found::Block { block, from } = found {
                self = offload(block.len(), move || {
                    self.count_block(&block, from);
                    self
                })
                .await;
            }
        }
        for LaneCount {
            lane,
            offsets,
            marks,
            ..
        } in self.counts
        {
            lane.shared.account().set_counted(&offsets, &marks);
        }
        Ok(())
    }

    fn count_block(&mut self, block: &Block, from: Offset) {
        for record in block.records_from(from) {
            let facts = FilterFacts::new(&record.bytes);
            self.count_record(&record, &facts);
        }
        for lane in &mut self.counts {
            lane.marks.set(block.end(), lane.count);
        }
    }

    fn count_record(&mut self, record: &Record, facts: &FilterFacts<'_>) {
        let id = record.provenance.root_account_id.as_deref();
        let uuid = record.provenance.root_account_uuid.as_deref();
        if id.is_none() && uuid.is_none() {
            for lane in &mut self.counts {
                lane.add(record, facts);
            }
            return;
        }
        let second = uuid.filter(|uuid| id != Some(uuid));
        for account in [id, second].into_iter().flatten() {
            for index in self.by_account.get(account).into_iter().flatten() {
                if let Some(lane) = self.counts.get_mut(*index) {
                    lane.add(record, facts);
                }
            }
        }
    }
}

impl LaneCount {
    fn add(&mut self, record: &Record, facts: &FilterFacts<'_>) {
        let is_counted =
            self.offsets.contains(record.offset) && self.lane.filter.covers(record, facts);
        self.count += u64::from(is_counted);
    }
}
