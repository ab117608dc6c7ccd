//! Counts the events that a replay would send.

use std::sync::Arc;
use std::time::Duration;

use easel_catalog::FilterFacts;
use easel_log::{Block, Found, Offset, Reader, Want};
use easel_subscriptions::{Filter, ReplaySpec, Subscription};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::Api;
use crate::api_error::ApiError;

/// The time limit of one count.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Limits the number of counts that run at the same time. Each count uses one thread.
static COUNTS: Semaphore = Semaphore::const_new(2);

/// The result of a dry run.
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
    /// Events before this offset were counted. It is `to`, unless the count took longer than 30 s.
    #[schema(value_type = u64)]
    counted_to: Offset,
}

impl DryRunJson {
    /// Counts events with the filter that the replay would have.
    pub(super) async fn count(
        api: &Api,
        live: &Subscription,
        spec: &ReplaySpec,
    ) -> Result<Self, ApiError> {
        // The semaphore is never closed.
        let _permit = COUNTS.acquire().await.ok();
        let filter = Arc::new(live.replay_filter(spec));
        let type_filter = Arc::clone(&filter);
        let want = Want::event_types(move |event_type| type_filter.wants_type(event_type));
        let mut reader = Reader::new(Arc::clone(&api.log), spec.from).wanting(want);
        let deadline = Instant::now() + TIMEOUT;
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

/// Counts the events of a block that match the filter.
fn count(filter: &Filter, block: &Block, from: Offset, to: Offset) -> u64 {
    let records = block.records_from(from);
    let records = records.take_while(|record| record.offset < to);
    let matching = records.filter(|record| {
        filter.wants_type(&record.event_type)
            && filter.has_form(&record.event_type, record.provenance.shape)
            && filter.wants(&record.event_type, &FilterFacts::new(&record.bytes))
    });
    matching.count() as u64
}
