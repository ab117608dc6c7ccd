//! Counts the unmatched events within the reach of a confined subscription.

use std::sync::Arc;

use easel_catalog::FilterFacts;
use easel_log::{Found, Offset, ReadError, Reader, run_blocking};

use super::Subscriptions;
use crate::Subscription;

impl Subscriptions {
    /// Returns how many unmatched events of a confined subscription are before `to` and within its reach. Reads all
    /// of them. Returns 0 for a subscription to everything.
    pub(super) async fn count_unmatched(
        &self,
        subscription: &Arc<Subscription>,
        to: Offset,
    ) -> Result<u64, ReadError> {
        if subscription.filter.may_skip_types() {
            return Ok(0);
        }
        let unmatched = Arc::new(subscription.shared.account().unmatched_offsets(to));
        let mut reader = Reader::new(Arc::clone(&self.log), unmatched.offsets.start);
        let mut count = 0;
        while reader.position() < to
            && let Some(found) = reader.try_next().await?
        {
            if let Found::Block { block, from } = found {
                let (subscription, unmatched) = (Arc::clone(subscription), Arc::clone(&unmatched));
                let work = move || {
                    let records = block.records_from(from);
                    let covered = records.filter(|record| {
                        let facts = FilterFacts::new(&record.bytes);
                        unmatched.contains(record.offset)
                            && subscription.filter.covers(record, &facts)
                    });
                    covered.count() as u64
                };
                count += run_blocking(work).await;
            }
        }
        Ok(count)
    }
}
