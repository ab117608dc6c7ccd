//! Events that the log dropped before delivery, until an operator event reports them.
//!
//! Each subscription causes at most one report a minute. A report covers all events since the report
//! before.

use std::ops::Range;

use easel_log::Offset;
use jiff::{SignedDuration, Timestamp};

/// The shortest time between two reports.
const REPORT_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// The events that the log dropped before delivery, since the last report.
#[derive(Debug, Default)]
pub(super) struct Trims {
    unreported: Option<TrimmedEvents>,
    reported_at: Option<Timestamp>,
}

/// Events that the log dropped before they were delivered to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrimmedEvents {
    /// The number of events.
    pub event_count: u64,
    /// The range of their offsets. It may also contain events that were not lost.
    pub offsets: Range<Offset>,
}

impl Trims {
    /// Adds `event_count` events that were dropped from `offsets`.
    pub(super) fn add(&mut self, event_count: u64, offsets: Range<Offset>) {
        let trim = self.unreported.get_or_insert_with(|| TrimmedEvents {
            event_count: 0,
            offsets: offsets.clone(),
        });
        trim.event_count += event_count;
        trim.offsets.start = std::cmp::min(trim.offsets.start, offsets.start);
        trim.offsets.end = std::cmp::max(trim.offsets.end, offsets.end);
    }

    /// Returns the events to report at `now`. `None` if there are no events, or if the last report is
    /// less than a minute old.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<TrimmedEvents> {
        // If the clock was set back, the last report lies in the future and does not count.
        let is_early = self.reported_at.is_some_and(|reported_at| {
            reported_at <= now && now.duration_since(reported_at) < REPORT_EVERY
        });
        if is_early { None } else { self.take(now) }
    }

    /// Returns the unreported events, however recent the last report is.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<TrimmedEvents> {
        let trim = self.unreported.take()?;
        self.reported_at = Some(now);
        Some(trim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(start: u64, end: u64) -> Range<Offset> {
        Offset::new(start)..Offset::new(end)
    }

    #[test]
    fn events_are_added_up_until_a_minute_has_passed() {
        let mut trims = Trims::default();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let trim = |event_count, offsets| {
            Some(TrimmedEvents {
                event_count,
                offsets,
            })
        };
        assert_eq!(trims.take_due(at(0)), None);
        trims.add(2, offsets(5, 7));
        assert_eq!(trims.take_due(at(0)), trim(2, offsets(5, 7)));
        trims.add(1, offsets(9, 10));
        trims.add(1, offsets(7, 8));
        assert_eq!(trims.take_due(at(59)), None);
        assert_eq!(trims.take_due(at(60)), trim(2, offsets(7, 10)));
        assert_eq!(trims.take_due(at(200)), None);
        trims.add(1, offsets(10, 11));
        assert_eq!(trims.take(at(61)), trim(1, offsets(10, 11)));
        trims.add(1, offsets(11, 12));
        assert_eq!(trims.take_due(at(-5)), trim(1, offsets(11, 12)));
    }
}
