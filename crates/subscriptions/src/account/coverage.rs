//! What a confined account knows about the events within its reach.
//!
//! The balance of a confined subscription must not tell how many events others have. So it counts as pending and
//! as expired only events within the reach, and every other offset as out of reach.
//!
//! A lane that matches events itself reads each event, and so counts exactly. For a lane that follows a feed, the
//! feed counts. For an account that does neither, such as a paused one, three numbers say how many unmatched
//! events are within the reach: those that the account has passed, those that the feed has counted since the
//! account joined it, and the older ones between the first unmatched offset and that point. The older ones are
//! counted once, in the background. Until then, they count as out of reach.
//!
//! Events that the log dropped before they were matched cannot be counted any more. The marks of the counts say
//! how many of them were within the reach at least. The rest counts as out of reach.

use std::ops::Range;
use std::sync::Arc;

use easel_catalog::{Reach, RootAccount};
use easel_log::Offset;

use super::count_marks::CountMarks;
use super::feed_position::FeedMark;
use super::{Account, FeedPosition};
use crate::Term;

/// What a confined account knows about the events within its reach.
#[derive(Debug)]
pub(super) struct Coverage {
    account: RootAccount,
    /// How many events within the reach the account has passed since this value was created.
    passed: u64,
    joined: Option<Joined>,
}

/// The point from which on a feed counts for an account.
#[derive(Debug)]
struct Joined {
    /// The feed; `None` for the account of a replay, which ends at the point.
    position: Option<Arc<FeedPosition>>,
    mark: FeedMark,
    /// How many events within the reach were unmatched before the point, plus those passed before; `None` until
    /// they are counted.
    old: Option<u64>,
    /// The same at some offsets before the point.
    old_marks: CountMarks,
}

/// The unmatched offsets of an account at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedOffsets {
    /// All unmatched offsets.
    pub offsets: Range<Offset>,
    /// The spans in between that are matched.
    matched: Vec<Range<Offset>>,
    /// How many events within the reach the account had passed.
    passed: u64,
}

impl UnmatchedOffsets {
    /// Returns true if an offset is one of them.
    pub fn contains(&self, offset: Offset) -> bool {
        let next = self.matched.partition_point(|span| span.end <= offset);
        self.offsets.contains(&offset)
            && self
                .matched
                .get(next)
                .is_none_or(|span| offset < span.start)
    }
}

impl Coverage {
    /// Returns the coverage of an account with this reach; `None` for everything.
    pub(super) fn new(reach: &Reach) -> Option<Self> {
        Some(Self {
            account: reach.root_account()?.clone(),
            passed: 0,
            joined: None,
        })
    }

    /// Counts passed events. `matched_to` is the first unmatched offset after them.
    fn pass(&mut self, count: u64, matched_to: Offset) {
        if let Some(joined) = &mut self.joined
            && joined.old.is_none()
            && matched_to >= joined.mark.offset
        {
            // Nothing older is unmatched any more.
            let new = joined.counted_before(&self.account, matched_to);
            joined.old = Some(self.passed + count.saturating_sub(new));
        }
        self.passed += count;
    }

    /// Returns how many events within the reach are known to be unmatched.
    fn unmatched_count(&self) -> u64 {
        let Some(joined) = &self.joined else {
            return 0;
        };
        let position = joined.position.as_ref();
        let now = position.map_or(joined.mark, |position| position.mark(&self.account));
        self.unmatched_before_count(joined, now.covered_count)
    }

    /// Returns how many events within the reach were unmatched when the feed had counted `feed_count`.
    fn unmatched_before_count(&self, joined: &Joined, feed_count: u64) -> u64 {
        let old = joined.old.unwrap_or(self.passed);
        let new = feed_count.saturating_sub(joined.mark.covered_count);
        (old + new).saturating_sub(self.passed)
    }

    /// Returns how many unmatched events within the reach are known to be before `to`.
    fn known_before(&self, to: Offset) -> u64 {
        let Some(joined) = &self.joined else {
            return 0;
        };
        if to < joined.mark.offset {
            let old = joined.old.map(|_| joined.old_marks.count_before(to));
            return old.unwrap_or(0).saturating_sub(self.passed);
        }
        let old = joined.old.unwrap_or(self.passed);
        (old + joined.counted_before(&self.account, to)).saturating_sub(self.passed)
    }

    /// Returns an offset in the block of the first unmatched event within the reach, if that block is known.
    fn first_unmatched(&self) -> Option<Offset> {
        let joined = self.joined.as_ref()?;
        let old = joined.old.unwrap_or(self.passed);
        if self.passed < old {
            return joined.old_marks.offset_after(self.passed);
        }
        let counted = self.passed - old + joined.mark.covered_count;
        joined
            .position
            .as_ref()?
            .offset_after(&self.account, counted)
    }
}

impl Joined {
    /// Returns true if this feed counts.
    fn is_of(&self, position: &Arc<FeedPosition>) -> bool {
        let own = self.position.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, position))
    }

    /// Returns how many events between the point and `to` are known to be within the reach of `account`.
    fn counted_before(&self, account: &RootAccount, to: Offset) -> u64 {
        let position = self.position.as_ref();
        let counted = position.map_or(0, |position| position.count_before(account, to));
        counted.saturating_sub(self.mark.covered_count)
    }
}

impl Account {
    /// Returns the account of a subscription with this reach. Its reach never changes.
    #[must_use]
    pub fn within(self, reach: &Reach) -> Self {
        Self {
            coverage: Coverage::new(reach),
            ..self
        }
    }

    /// Lets a feed count the events within the reach from its position on. The feed must count the reach already, and
    /// its position must not change meanwhile. Returns `false` if the account is ahead of the feed; the call must then
    /// be repeated after the feed has moved. Has no effect if the account is not confined, or has joined this feed
    /// before. The counts of another feed, which has ended, are forgotten.
    pub fn join(&mut self, position: &Arc<FeedPosition>) -> bool {
        let Some(coverage) = &mut self.coverage else {
            return true;
        };
        let mark = position.mark(&coverage.account);
        if coverage
            .joined
            .as_ref()
            .is_some_and(|joined| !joined.is_of(position))
        {
            coverage.joined = None;
        }
        let may_join = coverage.joined.is_some() || self.matched_to <= mark.offset;
        if may_join {
            self.join_at(Some(Arc::clone(position)), mark);
        }
        may_join
    }

    /// Lets no feed count, because the account is the one of a replay that ends at `end`.
    pub fn join_range(&mut self, end: Offset) {
        let mark = FeedMark {
            offset: end,
            covered_count: 0,
        };
        self.join_at(None, mark);
    }

    fn join_at(&mut self, position: Option<Arc<FeedPosition>>, mark: FeedMark) {
        let matched_to = self.matched_to;
        if let Some(coverage) = &mut self.coverage
            && coverage.joined.is_none()
        {
            coverage.joined = Some(Joined {
                position,
                mark,
                old: None,
                old_marks: CountMarks::default(),
            });
            coverage.pass(0, matched_to);
        }
    }

    /// Returns the offsets whose events within the reach must be counted once; `None` if there are none.
    pub fn uncounted_offsets(&self) -> Option<UnmatchedOffsets> {
        let joined = self.coverage.as_ref()?.joined.as_ref()?;
        let end = joined.mark.offset;
        let offsets = (joined.old.is_none()).then(|| self.unmatched_offsets(end))?;
        (!offsets.offsets.is_empty()).then_some(offsets)
    }

    /// Returns the unmatched offsets before `end`.
    pub fn unmatched_offsets(&self, end: Offset) -> UnmatchedOffsets {
        UnmatchedOffsets {
            offsets: self.matched_to..end,
            matched: self.ended_ahead.iter().cloned().collect(),
            passed: self.coverage.as_ref().map_or(0, |coverage| coverage.passed),
        }
    }

    /// Sets the number of events within the reach at offsets that [`uncounted_offsets`](Self::uncounted_offsets)
    /// returned, with its values on the way.
    pub fn set_counted(&mut self, offsets: &UnmatchedOffsets, counted: &CountMarks) {
        let Some(joined) = self
            .coverage
            .as_mut()
            .and_then(|coverage| coverage.joined.as_mut())
        else {
            return;
        };
        if joined.old.is_none() {
            joined.old = Some(offsets.passed + counted.count());
            joined.old_marks = counted.plus(offsets.passed);
        }
    }

    /// Matches the events before `to` for an account that follows a feed: those that the feed wanted are owed or
    /// passed over. `feed_count` is the count of the feed before `to`.
    pub fn match_from_feed(&mut self, to: Offset, feed_count: u64) {
        self.catch_up();
        if let Some(coverage) = &self.coverage
            && let Some(joined) = &coverage.joined
        {
            let covered = coverage.unmatched_before_count(joined, feed_count);
            self.end_part(to, Term::Filtered, covered);
        }
    }

    /// Counts passed events within the reach.
    pub(super) fn pass_covered(&mut self, count: u64) {
        let matched_to = self.matched_to;
        if let Some(coverage) = &mut self.coverage {
            coverage.pass(count, matched_to);
        }
    }

    /// Sets the number of passed events to the one of the feed, at whose position the account is.
    pub(super) fn agree_with_feed(&mut self) {
        if let Some(coverage) = &mut self.coverage
            && let Some(joined) = &coverage.joined
            && let Some(position) = &joined.position
        {
            let now = position.mark(&coverage.account).covered_count;
            let new = now.saturating_sub(joined.mark.covered_count);
            coverage.passed = joined.old.unwrap_or(coverage.passed) + new;
        }
    }

    /// Ends the unmatched offsets before the position of the feed of a confined account. Returns `false` if the
    /// account is not confined.
    pub(super) fn catch_up_confined(&mut self, position: &FeedPosition) -> bool {
        let Some(coverage) = &self.coverage else {
            return false;
        };
        let mark = position.mark(&coverage.account);
        let covered = coverage.joined.as_ref().map_or(0, |joined| {
            coverage.unmatched_before_count(joined, mark.covered_count)
        });
        self.end_part(mark.offset, Term::Filtered, covered);
        true
    }

    /// Returns how many of `raw_count` unmatched offsets before `to` are known to be within the reach.
    pub(super) fn known_covered(&self, to: Offset, raw_count: u64) -> u64 {
        let known = self.coverage.as_ref();
        known.map_or(raw_count, |known| {
            std::cmp::min(known.known_before(to), raw_count)
        })
    }

    /// Returns how many of `raw_count` unmatched offsets are known to be within the reach.
    pub(super) fn unmatched_covered(&self, raw_count: u64) -> u64 {
        let known = self.coverage.as_ref();
        known.map_or(raw_count, |known| {
            std::cmp::min(known.unmatched_count(), raw_count)
        })
    }

    /// Returns the offset of the oldest pending event. For a confined account, it is an offset in the same block.
    pub(super) fn oldest_pending(&self) -> Option<Offset> {
        match (&self.coverage, self.owed.keys().next()) {
            (_, Some(owed)) => Some(*owed),
            (None, None) => Some(self.matched_to),
            (Some(coverage), None) => coverage.first_unmatched(),
        }
    }

    /// Ends all unmatched offsets before `to`: `covered` of them under `term`, and the rest as out of reach. Returns
    /// the numbers of both.
    pub(super) fn end_part(&mut self, to: Offset, term: Term, covered: u64) -> (u64, u64) {
        let count = self.pass_to(to);
        let covered = std::cmp::min(covered, count);
        self.counts.add(term, covered);
        self.counts.add(Term::OutOfReach, count - covered);
        self.pass_covered(covered);
        if count > covered {
            // Matching these offsets again needs to read every event, so the journal includes them.
            self.last_end = std::cmp::max(self.last_end, to);
        }
        (covered, count - covered)
    }
}
