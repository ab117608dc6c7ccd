//! Counts what a replay would send.

use std::sync::Arc;
use std::time::Duration;

use easel_catalog::Facts;
use easel_log::{Block, Found, Offset, Reader, Want};
use easel_subscriptions::{Filter, ReplaySpec, Subscription};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::Api;
use crate::api_error::ApiError;

/// How long one count may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts that run at once. Each keeps a thread busy.
static COUNTS: Semaphore = Semaphore::const_new(2);

/// What a replay would send.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayDryRun)]
pub(crate) struct DryRunJson {
    /// The first offset.
    #[schema(value_type = u64)]
    from: Offset,
    /// The offset after the last one.
    #[schema(value_type = u64)]
    to: Offset,
    /// Events in the range.
    events: u64,
    /// Events that would be sent.
    matches: u64,
    /// Events before this offset were counted. It is `to`, unless a count takes longer than 30 s.
    #[schema(value_type = u64)]
    counted_to: Offset,
}

impl DryRunJson {
    /// Counts with the filter that the replay itself would have.
    pub(super) async fn count(
        api: &Api,
        live: &Subscription,
        spec: &ReplaySpec,
    ) -> Result<Self, ApiError> {
        // It is never closed.
        let _turn = COUNTS.acquire().await.ok();
        let filter = Arc::new(live.filter_of_replay(spec));
        let wants = Arc::clone(&filter);
        let want = Want::event_types(move |event_type| wants.wants_type(event_type));
        let mut reader = Reader::new(Arc::clone(&api.log), spec.from).wanting(want);
        let deadline = Instant::now() + PATIENCE;
        let mut matches = 0;
        while reader.position() < spec.to
            && Instant::now() < deadline
            && !api.stop.is_cancelled()
            && let Some(found) = reader.try_next().await?
        {
            if let Found::Block { block, from } = found {
                let (filter, to) = (Arc::clone(&filter), spec.to);
                let work = move || count(&filter, &block, from, to);
                let counted = tokio::task::spawn_blocking(work).await;
                matches += counted.map_err(|error| ApiError::bug(&error))?;
            }
        }
        Ok(Self {
            from: spec.from,
            to: spec.to,
            events: spec.to.since(spec.from),
            matches,
            counted_to: std::cmp::min(reader.position(), spec.to),
        })
    }
}

/// How many events of a block are covered.
fn count(filter: &Filter, block: &Block, from: Offset, to: Offset) -> u64 {
    let records = block.records_from(from);
    let records = records.take_while(|record| record.offset < to);
    let covered = records.filter(|record| {
        filter.wants_type(&record.event_type) && filter.wants(|| Facts::of(&record.bytes))
    });
    covered.count() as u64
}
