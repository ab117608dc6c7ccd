//! The state of every offset since a subscription began.
//!
//! Deliveries may end in any order. An offset is unmatched, owed, parked, or ended. Each ended offset is
//! counted under one term, so the balance always adds up. A [`Journal`] is the part of an account that
//! is saved. After a crash, exactly the deliveries that no saved journal contains are repeated.
//!
//! Parked and dead deliveries have rows in the store. The account keeps all parked deliveries in memory.
//! It keeps a dead letter only until its row is saved, because there may be millions of dead letters.
//!
//! Invariants: `start <= cursor <= matched_to`. Every owed offset is in `[cursor, matched_to)`. All
//! other offsets in `[start, matched_to)` are parked or ended, and counted. The offsets in
//! `ended_ahead` are counted too, and all are beyond `matched_to`. No offset is both owed and parked.
//! The account does not decide what is sent next, and when: `deliver` does.

mod attempt;
mod count_marks;
mod coverage;
mod dead_letter;
mod feed_position;
mod journal;
mod lane_clock;
mod losses;
mod parked;
mod parking;
mod reach_tally;
mod trims;
mod unsaved_rows;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use easel_log::{Bounds, Offset};
use jiff::Timestamp;

pub use attempt::Attempt;
pub use count_marks::CountMarks;
use coverage::Coverage;
pub use coverage::UnmatchedOffsets;
pub use dead_letter::DeadLetter;
pub use feed_position::FeedPosition;
pub use journal::{DeliveryRow, Journal, JournalError};
pub use lane_clock::{LaneClock, LaneTime};
pub use losses::Loss;
pub use parked::{Due, Parked, ParkedChange};
pub use reach_tally::ReachTally;
pub use trims::TrimmedEvents;
use trims::Trims;
use unsaved_rows::UnsavedRows;

use crate::{Balance, Counts, Term};

/// The state of every offset since a subscription began.
#[derive(Debug)]
pub struct Account {
    start: Offset,
    /// Every offset before this is owed, parked or ended.
    matched_to: Offset,
    owed: BTreeMap<Offset, DeliveryStage>,
    parked: BTreeMap<Offset, (DeliveryStage, Parked)>,
    /// Changes of parked deliveries that the lane has not read yet.
    parked_changes: Vec<ParkedChange>,
    unsaved_rows: UnsavedRows,
    /// Spans beyond `matched_to` that an earlier process ended or parked: ascending, with gaps between.
    ended_ahead: VecDeque<Range<Offset>>,
    counts: Counts,
    /// Every ended offset from this one on was filtered, so a journal does not need it.
    last_end: Offset,
    /// The feed that matches events for this account, if there is one.
    feed: Option<FollowedFeed>,
    /// The state that the sink needs after a crash.
    note: Option<Bytes>,
    clock: LaneClock,
    held_since: Option<Timestamp>,
    /// The number of the latest journal.
    journal_number: u64,
    saved: Saved,
    unreported_losses: u64,
    trims: Trims,
    /// For a confined account, what it knows about the events within its reach.
    coverage: Option<Coverage>,
}

/// Whether an owed or parked offset is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeliveryStage {
    /// The delivery waits.
    Waiting,
    /// The delivery is being sent.
    UnderWay,
}

/// A feed that matches events for an account.
#[derive(Debug)]
struct FollowedFeed {
    position: Arc<FeedPosition>,
    max_owed: usize,
}

/// The latest state that is known to be in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Saved {
    number: u64,
    cursor: Offset,
    counts: Counts,
    note: Option<Bytes>,
    clock: LaneClock,
    held_since: Option<Timestamp>,
}

impl Account {
    /// Creates the account of a subscription that begins at `start`.
    pub fn new(start: Offset) -> Self {
        Self::restore(start, Journal::new(start), Vec::new())
    }

    /// Restores an account from its saved journal and the rows of all its parked deliveries.
    pub fn restore(start: Offset, journal: Journal, parked: Vec<(Offset, Parked)>) -> Self {
        let Journal {
            number,
            cursor,
            counts,
            spans,
            note,
            clock,
            held_since,
            rows: _,
        } = journal;
        let parked = parked.into_iter();
        Self {
            start,
            matched_to: cursor,
            owed: BTreeMap::new(),
            parked: parked
                .map(|(offset, parked)| (offset, (DeliveryStage::Waiting, parked)))
                .collect(),
            parked_changes: Vec::new(),
            unsaved_rows: UnsavedRows::default(),
            ended_ahead: spans.into(),
            counts,
            last_end: cursor,
            feed: None,
            note: note.clone(),
            clock,
            held_since,
            journal_number: number,
            saved: Saved {
                number,
                cursor,
                counts,
                note,
                clock,
                held_since,
            },
            unreported_losses: 0,
            trims: Trims::default(),
            coverage: None,
        }
    }

    /// Returns the offset at which the subscription began.
    pub const fn start(&self) -> Offset {
        self.start
    }

    /// Returns the next offset to handle: the first offset that is owed or unmatched.
    pub fn cursor(&self) -> Offset {
        self.owed.keys().next().copied().unwrap_or(self.matched_to)
    }

    /// Returns the first unmatched offset.
    pub fn first_unmatched(&mut self) -> Offset {
        self.catch_up();
        self.matched_to
    }

    /// Returns the number of owed offsets: queued, being sent, or waiting for another attempt.
    pub fn owed_count(&self) -> usize {
        self.owed.len()
    }

    /// Returns true if this offset is owed.
    pub fn is_owed(&self, offset: Offset) -> bool {
        self.owed.contains_key(&offset)
    }

    /// Iterates in order over the owed offsets from `from` on that are not being sent.
    pub fn waiting_from(&self, from: Offset) -> impl Iterator<Item = Offset> + '_ {
        let waiting = self.owed.range(from..);
        let waiting = waiting.filter(|(_, stage)| **stage == DeliveryStage::Waiting);
        waiting.map(|(offset, _)| *offset)
    }

    /// Marks `offset` as owed, and the unmatched offsets before it as filtered. Returns `false`,
    /// and changes nothing, if `offset` was matched before.
    pub fn owe(&mut self, offset: Offset) -> bool {
        self.match_to(offset);
        if offset < self.matched_to {
            return false;
        }
        self.owed.insert(offset, DeliveryStage::Waiting);
        self.matched_to = offset.next();
        self.pass_ended();
        self.pass_covered(1);
        true
    }

    /// Marks all unmatched offsets before `to` as filtered.
    pub fn match_to(&mut self, to: Offset) {
        self.catch_up();
        self.end_to(to, Term::Filtered);
    }

    /// Marks all unmatched offsets before `to` as out of the subscription's reach.
    pub fn leave_out_to(&mut self, to: Offset) {
        self.catch_up();
        if self.end_to(to, Term::OutOfReach) > 0 {
            // Matching these offsets again needs to read every event, so the journal includes them.
            self.last_end = std::cmp::max(self.last_end, to);
        }
    }

    /// Marks `offset`, which the filter wants, as without a form in this format, and the unmatched offsets before it
    /// as filtered. Does nothing if `offset` was matched before.
    pub fn pass_over(&mut self, offset: Offset) {
        self.match_to(offset);
        if self.end_to(offset.next(), Term::OtherFormat) > 0 {
            // A journal knows only the number of these offsets, so it includes them.
            self.last_end = std::cmp::max(self.last_end, offset.next());
        }
    }

    /// Marks an owed or parked offset as being sent. Until the attempt ends, the offset does not
    /// expire. Returns `false` if the offset is neither owed nor parked and must not be sent.
    pub fn begin_attempt(&mut self, offset: Offset) -> bool {
        self.set_stage(offset, DeliveryStage::UnderWay)
    }

    /// Marks an offset as waiting again after a failed attempt. The offset stays owed or parked.
    pub fn fail_attempt(&mut self, offset: Offset) {
        self.set_stage(offset, DeliveryStage::Waiting);
    }

    /// Marks every offset that is being sent as waiting again, because the lane has ended.
    pub fn cancel_attempts(&mut self) {
        let parked = self.parked.values_mut().map(|(stage, _)| stage);
        for stage in self.owed.values_mut().chain(parked) {
            *stage = DeliveryStage::Waiting;
        }
    }

    fn set_stage(&mut self, offset: Offset, stage: DeliveryStage) -> bool {
        let owed = self.owed.get_mut(&offset);
        let current = owed.or_else(|| self.parked.get_mut(&offset).map(|(stage, _)| stage));
        current.map(|current| *current = stage).is_some()
    }

    /// Marks an owed or parked offset as delivered. Returns `false` if the offset is neither.
    pub fn deliver(&mut self, offset: Offset) -> bool {
        self.end(offset, Term::Delivered)
    }

    /// Returns the lane's clock.
    pub const fn clock(&self) -> &LaneClock {
        &self.clock
    }

    /// Stops the lane's clock, because the lane sends nothing.
    pub fn stop_clock(&mut self, now: Timestamp) {
        self.clock.stop(now);
    }

    /// Starts the lane's clock again.
    pub fn start_clock(&mut self, now: Timestamp) {
        self.clock.start(now);
    }

    /// Returns since when the lane is on hold, or `None`. The time survives a restart. A hold that the
    /// endpoint asked for, or that the log or the store caused, is not recorded here.
    pub const fn held_since(&self) -> Option<Timestamp> {
        self.held_since
    }

    /// Sets since when the lane is on hold; `None` ends the hold.
    pub const fn set_held_since(&mut self, since: Option<Timestamp>) {
        self.held_since = since;
    }

    /// Marks an owed or parked offset as filtered, because its event has no form in this format.
    pub fn filter_out(&mut self, offset: Offset) {
        self.end(offset, Term::OtherFormat);
    }

    /// Lets a feed match events for this account from now on, while at most `max_owed` offsets are
    /// owed. The feed must [owe](Self::owe) or [pass over](Self::pass_over) each wanted event before its position
    /// passes the event.
    pub fn follow(&mut self, position: &Arc<FeedPosition>, max_owed: usize) {
        self.feed = Some(FollowedFeed {
            position: Arc::clone(position),
            max_owed,
        });
        self.agree_with_feed();
    }

    /// Returns true if the account follows a feed and may owe one more event.
    pub fn may_owe_from_feed(&self) -> bool {
        let feed = self.feed.as_ref();
        feed.is_some_and(|feed| self.owed.len() < feed.max_owed)
    }

    /// Stops the matching by the feed.
    pub fn unfollow(&mut self) {
        self.catch_up();
        self.feed = None;
    }

    /// Returns true if a feed matches events for this account.
    pub const fn is_following(&self) -> bool {
        self.feed.is_some()
    }

    /// Returns the state that the sink needs after a crash.
    pub const fn note(&self) -> Option<&Bytes> {
        self.note.as_ref()
    }

    /// Sets the state that the sink needs after a crash. The next journal contains it.
    pub fn set_note(&mut self, note: Bytes) {
        self.note = Some(note);
    }

    /// Forgets the state that the sink needs after a crash. The next journal has none.
    pub fn clear_note(&mut self) {
        self.note = None;
    }

    /// Returns the number of delivered events that no saved journal contains. A crash now would repeat
    /// their deliveries.
    pub fn unsaved_delivered_count(&self) -> u64 {
        self.counts[Term::Delivered] - self.saved.counts[Term::Delivered]
    }

    /// Returns the number of changed rows that no saved journal contains.
    pub fn unsaved_row_count(&self) -> usize {
        self.unsaved_rows.len()
    }

    /// Returns true if a new journal would differ from the saved one. A journal does not contain the
    /// filtered offsets at its end, because matching them again costs less than a save.
    pub fn is_unsaved(&mut self) -> bool {
        self.catch_up();
        let counts = self.journal_counts(self.journal_end());
        (self.cursor(), counts) != (self.saved.cursor, self.saved.counts)
            || self.note != self.saved.note
            || (self.clock, self.held_since) != (self.saved.clock, self.saved.held_since)
            || !self.unsaved_rows.is_empty()
    }

    /// Creates the journal to save now.
    pub fn journal(&mut self) -> Journal {
        self.catch_up();
        self.journal_number += 1;
        let end = self.journal_end();
        Journal {
            number: self.journal_number,
            cursor: self.cursor(),
            counts: self.journal_counts(end),
            spans: self.spans_to(end),
            note: self.note.clone(),
            clock: self.clock,
            held_since: self.held_since,
            rows: self.unsaved_rows.rows(|offset| self.parked(offset)),
        }
    }

    /// Records that a journal is on stable storage.
    pub fn mark_saved(&mut self, journal: &Journal) {
        if journal.number > self.saved.number {
            self.saved = Saved {
                number: journal.number,
                cursor: journal.cursor,
                counts: journal.counts,
                note: journal.note.clone(),
                clock: journal.clock,
                held_since: journal.held_since,
            };
            self.unsaved_rows.mark_saved(journal.number);
        }
    }

    /// Returns the balance. Calls `bounds` for the bounds of the log only after the account has caught
    /// up with its feed, so that the account is never ahead of the log's head.
    pub fn balance(&mut self, bounds: impl FnOnce() -> Bounds) -> Balance {
        self.catch_up();
        let log = bounds();
        let mut counts = self.counts;
        let first_unmatched = std::cmp::max(self.matched_to, self.start);
        let unmatched_before = |to: Offset| {
            let ended = self.ended_ahead.iter();
            let ended = ended.map(|span| std::cmp::min(span.end, to).since(span.start));
            to.since(first_unmatched).saturating_sub(ended.sum())
        };
        let (all, gone) = (unmatched_before(log.head), unmatched_before(log.tail));
        // Offsets that were trimmed before they were matched can only expire.
        let trimmed = self.known_covered(log.tail, gone);
        let unmatched = self.unmatched_covered(all - gone + trimmed);
        let unmatched = std::cmp::max(unmatched, trimmed);
        counts.add(Term::Expired, trimmed);
        counts.add(Term::OutOfReach, all - unmatched);
        counts[Term::Pending] = unmatched - trimmed + self.owed.len() as u64;
        let oldest_pending = (counts[Term::Pending] > 0).then(|| self.oldest_pending());
        Balance {
            accepted: log.head.since(self.start),
            counts,
            cursor: self.cursor(),
            oldest_pending: oldest_pending.flatten(),
        }
    }

    /// Counts as filtered the unmatched offsets that the feed has passed. The feed marks each wanted event
    /// as owed before it passes the event.
    fn catch_up(&mut self) {
        let Some(feed) = &self.feed else {
            return;
        };
        let position = Arc::clone(&feed.position);
        if !self.catch_up_confined(&position) {
            self.end_to(position.get(), Term::Filtered);
        }
    }

    /// Ends all unmatched offsets before `to` and returns their number.
    fn end_to(&mut self, to: Offset, term: Term) -> u64 {
        let count = self.pass_to(to);
        self.counts.add(term, count);
        self.pass_covered(match term {
            Term::OutOfReach => 0,
            _ => count,
        });
        count
    }

    /// Ends all unmatched offsets before `to`: those that are known to be within the reach under `term`, and the rest
    /// as out of reach. Returns the number of the first.
    fn end_known(&mut self, to: Offset, term: Term) -> u64 {
        let covered = self.known_covered(to, u64::MAX);
        let (covered, left_out) = self.end_part(to, term, covered);
        if covered + left_out > 0 {
            self.last_end = std::cmp::max(self.last_end, to);
        }
        covered
    }

    /// Moves past all unmatched offsets before `to` and returns their number.
    fn pass_to(&mut self, to: Offset) -> u64 {
        let mut count = 0;
        while self.matched_to < to {
            let ended = self.ended_ahead.front();
            let stop = ended.map_or(to, |span| std::cmp::min(span.start, to));
            count += stop.since(self.matched_to);
            self.matched_to = stop;
            self.pass_ended();
        }
        count
    }

    /// Moves past the offsets that an earlier process ended or parked.
    fn pass_ended(&mut self) {
        let matched_to = self.matched_to;
        if let Some(span) = self
            .ended_ahead
            .pop_front_if(|span| span.start <= matched_to)
        {
            self.matched_to = span.end;
            self.last_end = std::cmp::max(self.last_end, span.end);
        }
    }

    /// Ends an owed or parked offset. Returns `false` if the offset is neither.
    fn end(&mut self, offset: Offset, term: Term) -> bool {
        if self.owed.remove(&offset).is_some() {
            self.last_end = std::cmp::max(self.last_end, offset.next());
        } else if let Some((_, parked)) = self.parked.remove(&offset) {
            self.counts[Term::Parked] -= 1;
            self.record_row_change(offset, None);
            if let Some(key) = parked.key {
                self.parked_changes.push(ParkedChange::Left { offset, key });
            }
        } else {
            return false;
        }
        self.counts.add(term, 1);
        true
    }

    /// Returns the end of a journal. All offsets from the end on are owed, filtered or unmatched. A
    /// restart matches them again, so a long queue does not cause a long journal.
    fn journal_end(&self) -> Offset {
        let ahead = self
            .ended_ahead
            .back()
            .map_or(self.last_end, |span| span.end);
        std::cmp::max(self.cursor(), std::cmp::max(ahead, self.last_end))
    }

    /// Returns the counts of the offsets before `end`, the end of a journal.
    fn journal_counts(&self, end: Offset) -> Counts {
        let mut counts = self.counts;
        let owed_beyond = self.owed.range(end..).count() as u64;
        counts[Term::Filtered] -= self.matched_to.since(end).saturating_sub(owed_beyond);
        counts
    }

    /// Returns the spans of ended and parked offsets between the cursor and `end`, the end of a
    /// journal.
    fn spans_to(&self, end: Offset) -> Vec<Range<Offset>> {
        let mut spans = Vec::new();
        let mut from = self.cursor();
        let matched_to = std::cmp::min(end, self.matched_to);
        let owed = self.owed.range(..matched_to).map(|(offset, _)| *offset);
        for owed in owed.chain([matched_to]) {
            if from < owed {
                spans.push(from..owed);
            }
            from = owed.next();
        }
        spans.extend(self.ended_ahead.iter().cloned());
        spans
    }
}

#[cfg(test)]
mod tests;
