//! What became of every offset since a subscription began.
//!
//! Deliveries may end in any order. An offset is not matched yet, or owed, or parked, or it has ended
//! and is counted under the term that says how. So the balance adds up at every moment. What is saved
//! is a [`Journal`]: after a crash, exactly those deliveries are repeated that no saved journal holds.
//!
//! A parked delivery has a row in the store, and so has a dead one. The account keeps the parked ones
//! in memory, and of the dead ones only those that are not saved yet: there may be millions.
//!
//! Invariants: `start <= cursor <= matched`; every owed offset lies in `[cursor, matched)`; whatever
//! else lies in `[start, matched)` is parked or has ended, and is counted; so is what lies in
//! `ended_ahead`, all of it beyond `matched`. No offset is both owed and parked.
//! Not here: what is to be sent next, and when, which is `deliver`'s.

mod attempt;
mod dead_letter;
mod feed_position;
mod journal;
mod lane_clock;
mod parked;
mod parking;
mod trims;
mod unsaved_rows;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use easel_log::{Bounds, Offset};
use jiff::Timestamp;

pub use attempt::Attempt;
pub use dead_letter::DeadLetter;
pub use feed_position::FeedPosition;
pub use journal::{DeliveryRow, Journal, JournalError};
pub use lane_clock::{LaneClock, LaneTime};
pub use parked::{Due, Parked, ParkedNews};
pub use trims::TrimmedEvents;
use trims::Trims;
use unsaved_rows::UnsavedRows;

use crate::{Balance, Counts, Term};

/// What became of every offset since a subscription began.
#[derive(Debug)]
pub struct Account {
    start: Offset,
    /// Everything before this is owed or has ended.
    matched: Offset,
    owed: BTreeMap<Offset, DeliveryStage>,
    parked: BTreeMap<Offset, (DeliveryStage, Parked)>,
    /// What has happened to parked deliveries that the lane does not know of yet.
    news: Vec<ParkedNews>,
    unsaved_rows: UnsavedRows,
    /// What ended in an earlier process and lies beyond `matched`: ascending, with gaps between.
    ended_ahead: VecDeque<Range<Offset>>,
    counts: Counts,
    /// Every offset from here on that has ended was filtered.
    last_end: Offset,
    /// The feed that matches events for this account, if one does.
    feed: Option<Following>,
    /// What the sink wants to find again after a crash.
    note: Option<Bytes>,
    clock: LaneClock,
    held_since: Option<Timestamp>,
    /// The number of the latest journal.
    journal_number: u64,
    saved: Saved,
    unreported_losses: u64,
    trims: Trims,
}

/// How far an owed or parked offset has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeliveryStage {
    /// It waits.
    Waiting,
    /// It is being sent at this moment.
    UnderWay,
}

/// A feed that matches events for an account.
#[derive(Debug)]
struct Following {
    position: Arc<FeedPosition>,
    max_owed: usize,
}

/// What the store has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Saved {
    number: u64,
    cursor: Offset,
    counts: Counts,
    note: Option<Bytes>,
    clock: LaneClock,
    held_since: Option<Timestamp>,
}

/// Why an event can no longer be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The log no longer keeps it.
    Trimmed,
    /// The log cannot read it back.
    Damaged,
}

impl From<Loss> for Term {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Trimmed => Self::Expired,
            Loss::Damaged => Self::Damaged,
        }
    }
}

impl Account {
    /// The account of a subscription that is owed everything from `start` on.
    pub fn new(start: Offset) -> Self {
        Self::restore(start, Journal::new(start), Vec::new())
    }

    /// The account as it was saved, with the rows of all its parked deliveries.
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
            matched: cursor,
            owed: BTreeMap::new(),
            parked: parked
                .map(|(offset, parked)| (offset, (DeliveryStage::Waiting, parked)))
                .collect(),
            news: Vec::new(),
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
        }
    }

    /// The first offset that was owed.
    pub const fn start(&self) -> Offset {
        self.start
    }

    /// The next offset owed: everything before it has ended.
    pub fn cursor(&self) -> Offset {
        self.owed.keys().next().copied().unwrap_or(self.matched)
    }

    /// The first offset that has not been matched.
    pub fn matched(&mut self) -> Offset {
        self.catch_up();
        self.matched
    }

    /// How many offsets are owed, wherever they are: queued, under way, or waiting for another
    /// attempt.
    pub fn owed_count(&self) -> usize {
        self.owed.len()
    }

    /// Whether this offset is owed.
    pub fn is_owed(&self, offset: Offset) -> bool {
        self.owed.contains_key(&offset)
    }

    /// What is owed at `from` or later and not being sent, in order.
    pub fn waiting_from(&self, from: Offset) -> impl Iterator<Item = Offset> + '_ {
        let waiting = self.owed.range(from..);
        let waiting = waiting.filter(|(_, stage)| **stage == DeliveryStage::Waiting);
        waiting.map(|(offset, _)| *offset)
    }

    /// Records that `offset` is wanted and that whatever lies unmatched before it is not. `false`
    /// when it was matched before, so that it is not owed because of this.
    pub fn owe(&mut self, offset: Offset) -> bool {
        self.match_to(offset);
        if offset < self.matched {
            return false;
        }
        self.owed.insert(offset, DeliveryStage::Waiting);
        self.matched = offset.next();
        self.skip_ended();
        true
    }

    /// Records that nothing unmatched before `to` is wanted.
    pub fn match_to(&mut self, to: Offset) {
        self.catch_up();
        self.end_to(to, Term::Filtered);
    }

    /// Records that everything unmatched before `to` is out of the subscription's reach.
    pub fn leave_out_to(&mut self, to: Offset) {
        self.catch_up();
        if self.end_to(to, Term::OutOfReach) > 0 {
            // It is found again only by reading every event, so a restart keeps it.
            self.last_end = std::cmp::max(self.last_end, to);
        }
    }

    /// Records that everything unmatched before `to` is lost to this subscription.
    pub fn lose_to(&mut self, to: Offset, loss: Loss) {
        self.catch_up();
        let from = self.matched;
        let lost = self.end_to(to, loss.into());
        if lost > 0 {
            self.note_loss(lost, from..to, loss);
            self.last_end = std::cmp::max(self.last_end, to);
        }
    }

    /// Records that an owed or parked offset is being sent: until that has ended, it does not
    /// expire. `false` when it is neither, and so must not be sent.
    pub fn begin_attempt(&mut self, offset: Offset) -> bool {
        self.set_stage(offset, DeliveryStage::UnderWay)
    }

    /// Records that an attempt to send an offset failed, and leaves it where it is.
    pub fn fail_attempt(&mut self, offset: Offset) {
        self.set_stage(offset, DeliveryStage::Waiting);
    }

    /// Records that nothing is being sent: the lane has ended.
    pub fn give_up_attempts(&mut self) {
        let parked = self.parked.values_mut().map(|(stage, _)| stage);
        for stage in self.owed.values_mut().chain(parked) {
            *stage = DeliveryStage::Waiting;
        }
    }

    fn set_stage(&mut self, offset: Offset, stage: DeliveryStage) -> bool {
        let owed = self.owed.get_mut(&offset);
        let known = owed.or_else(|| self.parked.get_mut(&offset).map(|(stage, _)| stage));
        known.map(|known| *known = stage).is_some()
    }

    /// Records that an owed or parked offset was delivered; `false` when it was neither.
    pub fn deliver(&mut self, offset: Offset) -> bool {
        self.end(offset, Term::Delivered)
    }

    /// Skips everything before `to` that has not ended: an operator does not want it any more. What
    /// is being sent is left to its answer.
    pub fn skip_to(&mut self, to: Offset) {
        for offset in self.waiting_before(to) {
            self.end(offset, Term::Skipped);
        }
        self.catch_up();
        if self.end_to(to, Term::Skipped) > 0 {
            self.last_end = std::cmp::max(self.last_end, to);
        }
    }

    /// What is owed or parked before `to` and not being sent.
    fn waiting_before(&self, to: Offset) -> Vec<Offset> {
        let waits = |stage| stage == DeliveryStage::Waiting;
        let owed = self
            .owed
            .range(..to)
            .map(|(offset, stage)| (*offset, *stage));
        let parked = self.parked.range(..to);
        let parked = parked.map(|(offset, (stage, _))| (*offset, *stage));
        let all = owed.chain(parked).filter(|(_, stage)| waits(*stage));
        all.map(|(offset, _)| offset).collect()
    }

    /// The lane's clock.
    pub const fn clock(&self) -> &LaneClock {
        &self.clock
    }

    /// Stops the lane's clock: it sends nothing.
    pub fn stop_clock(&mut self, now: Timestamp) {
        self.clock.stop(now);
    }

    /// Lets the lane's clock go on.
    pub fn start_clock(&mut self, now: Timestamp) {
        self.clock.start(now);
    }

    /// Since when the lane holds, if it does. A restart does not forget that.
    pub const fn held_since(&self) -> Option<Timestamp> {
        self.held_since
    }

    /// Records since when the lane holds, or that it does not.
    pub const fn set_held_since(&mut self, since: Option<Timestamp>) {
        self.held_since = since;
    }

    /// Records that an owed or parked offset was lost by the time it was to be sent.
    pub fn lose(&mut self, offset: Offset, loss: Loss) {
        if self.end(offset, loss.into()) {
            self.note_loss(1, offset..offset.next(), loss);
        }
    }

    fn note_loss(&mut self, event_count: u64, offsets: Range<Offset>, loss: Loss) {
        self.unreported_losses += event_count;
        if loss == Loss::Trimmed {
            self.trims.add(event_count, offsets);
        }
    }

    /// Records that an offset is not covered after all: it has no form to be sent in.
    pub fn skip(&mut self, offset: Offset) {
        self.end(offset, Term::Filtered);
    }

    /// Ends everything before `tail`, the oldest offset that the log keeps: what is owed or parked
    /// and not being sent, and what was never matched, has expired.
    pub fn expire_to(&mut self, tail: Offset) {
        for offset in self.waiting_before(tail) {
            self.lose(offset, Loss::Trimmed);
        }
        self.lose_to(tail, Loss::Trimmed);
    }

    /// How many events were lost since this was last asked.
    pub const fn take_losses(&mut self) -> u64 {
        std::mem::replace(&mut self.unreported_losses, 0)
    }

    /// What the log dropped, to be reported to operators at `now`: at most once a minute.
    pub fn take_due_trim(&mut self, now: Timestamp) -> Option<TrimmedEvents> {
        self.trims.take_due(now)
    }

    /// What the log dropped and was not reported to operators yet.
    pub fn take_trim(&mut self, now: Timestamp) -> Option<TrimmedEvents> {
        self.trims.take(now)
    }

    /// Lets a feed match events for this account from here on, as long as it is owed no more than
    /// `max_owed`. Every event that is wanted is [owed](Self::owe) before the position passes it.
    pub fn follow(&mut self, position: &Arc<FeedPosition>, max_owed: usize) {
        self.feed = Some(Following {
            position: Arc::clone(position),
            max_owed,
        });
    }

    /// Whether a feed may have one more event owed.
    pub fn may_follow(&self) -> bool {
        let feed = self.feed.as_ref();
        feed.is_some_and(|feed| self.owed.len() < feed.max_owed)
    }

    /// Takes the matching back from the feed.
    pub fn unfollow(&mut self) {
        self.catch_up();
        self.feed = None;
    }

    /// Whether a feed matches events for this account.
    pub const fn is_following(&self) -> bool {
        self.feed.is_some()
    }

    /// What the sink wanted to find again after a crash.
    pub const fn note(&self) -> Option<&Bytes> {
        self.note.as_ref()
    }

    /// Sets what the sink wants to find again after a crash. The next journal holds it.
    pub fn set_note(&mut self, note: Bytes) {
        self.note = Some(note);
    }

    /// Deliveries that would be repeated if the process died now.
    pub fn unsaved(&self) -> u64 {
        self.counts[Term::Delivered] - self.saved.counts[Term::Delivered]
    }

    /// Changes of parked and dead deliveries that no saved journal holds.
    pub fn unsaved_row_count(&self) -> usize {
        self.unsaved_rows.len()
    }

    /// Whether a journal would say anything new. What was filtered beyond the last other end is
    /// found again at no cost worth a save, so it does not count.
    pub fn is_unsaved(&mut self) -> bool {
        self.catch_up();
        let counts = self.journal_counts(self.journal_end());
        (self.cursor(), counts) != (self.saved.cursor, self.saved.counts)
            || self.note != self.saved.note
            || (self.clock, self.held_since) != (self.saved.clock, self.saved.held_since)
            || !self.unsaved_rows.is_empty()
    }

    /// What is to be saved now.
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
    pub fn saved(&mut self, journal: &Journal) {
        if journal.number > self.saved.number {
            self.saved = Saved {
                number: journal.number,
                cursor: journal.cursor,
                counts: journal.counts,
                note: journal.note.clone(),
                clock: journal.clock,
                held_since: journal.held_since,
            };
            self.unsaved_rows.saved(journal.number);
        }
    }

    /// The balance against a log. Its bounds are read here: after the account has caught up with its
    /// feed, so that it is not ahead of the log's head.
    pub fn balance(&mut self, bounds: impl FnOnce() -> Bounds) -> Balance {
        self.catch_up();
        let log = bounds();
        let mut counts = self.counts;
        let unmatched = std::cmp::max(self.matched, self.start);
        let open_to = |to: Offset| {
            let ended = self.ended_ahead.iter();
            let ended = ended.map(|span| std::cmp::min(span.end, to).since(span.start));
            to.since(unmatched).saturating_sub(ended.sum())
        };
        // What was trimmed before anybody matched it will never be anything but expired.
        let trimmed = open_to(log.tail);
        counts.add(Term::Expired, trimmed);
        counts[Term::Pending] = open_to(log.head) - trimmed + self.owed.len() as u64;
        Balance {
            accepted: log.head.since(self.start),
            counts,
            cursor: self.cursor(),
        }
    }

    /// Counts what the feed has passed as filtered: a wanted event is owed before the feed passes it.
    fn catch_up(&mut self) {
        if let Some(position) = self.feed.as_ref().map(|feed| feed.position.get()) {
            self.end_to(position, Term::Filtered);
        }
    }

    /// Counts all that is unmatched before `to` and had not ended. Returns how many that were.
    fn end_to(&mut self, to: Offset, term: Term) -> u64 {
        let mut count = 0;
        while self.matched < to {
            let ended = self.ended_ahead.front();
            let stop = ended.map_or(to, |span| std::cmp::min(span.start, to));
            count += stop.since(self.matched);
            self.matched = stop;
            self.skip_ended();
        }
        self.counts.add(term, count);
        count
    }

    /// Moves past what ended in an earlier process.
    fn skip_ended(&mut self) {
        let matched = self.matched;
        if let Some(span) = self.ended_ahead.pop_front_if(|span| span.start <= matched) {
            self.matched = span.end;
            self.last_end = std::cmp::max(self.last_end, span.end);
        }
    }

    /// Ends an owed or parked offset; `false` when it was neither.
    fn end(&mut self, offset: Offset, term: Term) -> bool {
        if self.owed.remove(&offset).is_some() {
            if term != Term::Filtered {
                self.last_end = std::cmp::max(self.last_end, offset.next());
            }
        } else if let Some((_, parked)) = self.parked.remove(&offset) {
            self.counts[Term::Parked] -= 1;
            self.row_changed(offset, None);
            if let Some(key) = parked.key {
                self.news.push(ParkedNews::Left { offset, key });
            }
        } else {
            return false;
        }
        self.counts.add(term, 1);
        true
    }

    /// How far a journal reaches. Beyond it lies only what is owed, filtered or not matched, and
    /// matching finds that again: so a long queue makes no long journal.
    fn journal_end(&self) -> Offset {
        let ahead = self
            .ended_ahead
            .back()
            .map_or(self.last_end, |span| span.end);
        std::cmp::max(self.cursor(), std::cmp::max(ahead, self.last_end))
    }

    /// The counts of what ended before `end`, the end of a journal.
    fn journal_counts(&self, end: Offset) -> Counts {
        let mut counts = self.counts;
        let owed_beyond = self.owed.range(end..).count() as u64;
        counts[Term::Filtered] -= self.matched.since(end).saturating_sub(owed_beyond);
        counts
    }

    /// What has ended between the cursor and `end`, the end of a journal.
    fn spans_to(&self, end: Offset) -> Vec<Range<Offset>> {
        let mut spans = Vec::new();
        let mut from = self.cursor();
        let matched = std::cmp::min(end, self.matched);
        let owed = self.owed.range(..matched).map(|(offset, _)| *offset);
        for owed in owed.chain([matched]) {
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
