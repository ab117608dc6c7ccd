//! Damaged records: each range is logged and counted once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tracing::error;

use crate::{Offset, metrics};

/// A range of the log that cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The damaged records.
    pub range: Range<Offset>,
    /// The damaged part of the block: `header` or `records`.
    pub part: &'static str,
    /// When the block was committed. If its header is damaged, this is the commit time of the next
    /// block or, without one, the newest commit time of the log.
    pub appended_at: Timestamp,
}

/// The damage found since the log was opened.
#[derive(Debug, Default)]
pub struct DamageReport {
    record_count: AtomicU64,
    /// The start of each reported range by its end. The end identifies a range: it is the offset of
    /// the next good block, wherever in the range a reader starts.
    reported: Mutex<BTreeMap<Offset, Offset>>,
}

impl DamageReport {
    /// Maximum number of ranges in `reported`. Beyond it, the range with the lowest offsets is
    /// forgotten. A range that is found again after that is reported again.
    const MAX_RANGES: usize = 65_536;

    /// Logs and counts the damaged records that are not reported yet.
    pub fn note(&self, damage: &Damage) {
        let Range { start, end } = damage.range;
        let new_count = {
            let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
            let new_count = match reported.entry(end) {
                Entry::Vacant(entry) => {
                    entry.insert(start);
                    end.since(start)
                }
                Entry::Occupied(mut entry) => {
                    let new_count = entry.get().since(start);
                    entry.insert(std::cmp::min(start, *entry.get()));
                    new_count
                }
            };
            if reported.len() > Self::MAX_RANGES {
                reported.pop_first();
            }
            new_count
        };
        if new_count > 0 {
            self.record_count.fetch_add(new_count, Ordering::Relaxed);
            metrics::count_damaged(new_count);
            error!(from = %start, to = %end, part = damage.part, "damaged records are skipped");
        }
    }

    /// Returns the number of records found damaged.
    pub fn record_count(&self) -> u64 {
        self.record_count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_counted_once_however_often_it_is_found() {
        let report = DamageReport::default();
        for (start, end, wanted) in [(5, 9, 4), (5, 9, 4), (7, 9, 4), (3, 9, 6), (10, 11, 7)] {
            let range = Offset::new(start)..Offset::new(end);
            report.note(&Damage {
                range,
                part: "records",
                appended_at: Timestamp::MIN,
            });
            assert_eq!(report.record_count(), wanted);
        }
    }
}
