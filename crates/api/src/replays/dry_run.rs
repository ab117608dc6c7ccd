//! Counts the events that a replay would send.

use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::FilterFacts;
use easel_log::{Block, Found, Offset, Reader, Want};
use easel_subscriptions::{Filter, FilterVerdict, ReplaySpec, Subscription};
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
    /// Events in the range that are within the reach of the subscription.
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
        let mut reader = Reader::new(Arc::clone(&api.log), spec.from);
        if filter.may_skip_types() {
            reader = reader.wanting(want);
        }
        let deadline = Instant::now() + TIMEOUT;
        let mut counts = MatchCounts::default();
        while reader.position() < spec.to
            && Instant::now() < deadline
            && !api.stop.is_cancelled()
            && let Some(found) = reader.try_next().await?
        {
            if let Found::Block { block, from } = found {
                let (filter, to) = (Arc::clone(&filter), spec.to);
                let work = move || count(&filter, &block, from, to);
                let counted = tokio::task::spawn_blocking(work).await;
                counts += counted.map_err(|error| ApiError::bug(&error))?;
            }
        }
        Ok(Self {
            from: spec.from,
            to: spec.to,
            events: if filter.may_skip_types() {
                spec.to.since(spec.from)
            } else {
                counts.events
            },
            matches: counts.matches,
            counted_to: std::cmp::min(reader.position(), spec.to),
        })
    }
}

/// The events within the reach of the subscription, and those that match the filter.
#[derive(Clone, Copy, Debug, Default)]
struct MatchCounts {
    events: u64,
    matches: u64,
}

impl AddAssign for MatchCounts {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.matches += other.matches;
    }
}

/// Counts the events of a block.
fn count(filter: &Filter, block: &Block, from: Offset, to: Offset) -> MatchCounts {
    let records = block.records_from(from);
    let records = records.take_while(|record| record.offset < to);
    let mut counts = MatchCounts::default();
    for record in records {
        match filter.judge(&record, &FilterFacts::new(&record.bytes)) {
            FilterVerdict::OutOfReach => (),
            FilterVerdict::Unwanted | FilterVerdict::NoForm => counts.events += 1,
            FilterVerdict::Wanted => {
                counts.events += 1;
                counts.matches += 1;
            }
        }
    }
    counts
}
