//! What became of every offset since a subscription began.
//!
//! The ledger's counts speak of what lies before the cursor, so they change only when the cursor
//! moves and always add up. Deliveries may settle in any order: what is settled beyond the cursor
//! waits in `ahead` until everything before it is.
//!
//! Invariants: `start <= cursor <= scanned`; `ahead` is ascending, without overlaps, within
//! `[cursor, scanned)`; what lies there between two spans is filtered; the first span is owed.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use easel_log::{Bounds, Offset};

use crate::Balance;

/// What became of every offset since a subscription began.
#[derive(Debug)]
pub struct Ledger {
    start: Offset,
    scanned: Offset,
    settled: Settled,
    ahead: VecDeque<Span>,
    unsent: VecDeque<Offset>,
    /// Owed offsets that are being sent at this moment.
    under_way: BTreeSet<Offset>,
    following: bool,
    /// Deliveries settled ever, those beyond the cursor included.
    delivered_ever: u64,
    /// What the store knows.
    saved: Settled,
    /// Events lost that nobody was told about yet.
    losses: u64,
}

/// The cursor and the counts of what lies before it: the part of a ledger that outlives a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The next offset owed.
    pub cursor: Offset,
    /// Delivered.
    pub delivered: u64,
    /// Not wanted.
    pub filtered: u64,
    /// Gone before they were delivered.
    pub expired: u64,
    /// The part of `expired` that could not be read.
    pub damaged: u64,
}

/// Why an event can no longer be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The log no longer keeps it.
    Trimmed,
    /// The log cannot read it back.
    Damaged,
}

#[derive(Debug)]
struct Span {
    range: Range<Offset>,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Owed,
    Delivered,
    Filtered,
    Expired,
    Damaged,
}

impl From<Loss> for Fate {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Trimmed => Self::Expired,
            Loss::Damaged => Self::Damaged,
        }
    }
}

impl Ledger {
    /// The ledger of a subscription that owes everything from `start` on.
    pub fn new(start: Offset) -> Self {
        Self::restore(
            start,
            Settled {
                cursor: start,
                ..Settled::default()
            },
        )
    }

    /// The ledger as it was saved.
    pub const fn restore(start: Offset, settled: Settled) -> Self {
        Self {
            start,
            scanned: settled.cursor,
            settled,
            ahead: VecDeque::new(),
            unsent: VecDeque::new(),
            under_way: BTreeSet::new(),
            following: false,
            delivered_ever: settled.delivered,
            saved: settled,
            losses: 0,
        }
    }

    /// The first offset that was owed.
    pub const fn start(&self) -> Offset {
        self.start
    }

    /// What is to be saved.
    pub const fn settled(&self) -> Settled {
        self.settled
    }

    /// The first offset that has not been looked at.
    pub const fn scanned(&self) -> Offset {
        self.scanned
    }

    /// Offsets owed, wherever they are: unsent, under way, or waiting for another attempt.
    pub fn owed_count(&self) -> usize {
        self.ahead.len()
    }

    /// Deliveries that would be repeated if the process died now.
    pub const fn unsaved(&self) -> u64 {
        self.delivered_ever - self.saved.delivered
    }

    /// The part of them that would not be, were the ledger saved now.
    pub const fn unsaved_before_cursor(&self) -> u64 {
        self.settled.delivered - self.saved.delivered
    }

    /// Whether saving would make a difference.
    pub fn is_unsaved(&self) -> bool {
        self.settled != self.saved
    }

    /// Whether the feed looks at new events on this subscription's behalf.
    pub const fn is_following(&self) -> bool {
        self.following
    }

    /// Hands the looking over to the feed, or takes it back.
    pub const fn set_following(&mut self, following: bool) {
        self.following = following;
    }

    /// Notes that `offset` is wanted and everything unseen before it is not.
    pub fn owe(&mut self, offset: Offset) {
        if self.push(offset..offset.next(), Fate::Owed) {
            self.unsent.push_back(offset);
        }
    }

    /// Notes that everything unseen before `to` is not wanted.
    pub fn scan_to(&mut self, to: Offset) {
        self.scanned = std::cmp::max(self.scanned, to);
        self.advance();
    }

    /// Notes that everything unseen before `to` is lost to this subscription.
    pub fn lose_to(&mut self, to: Offset, loss: Loss) {
        self.push(self.scanned..to, loss.into());
    }

    /// The next offset to send; it stays owed.
    pub fn take_unsent(&mut self) -> Option<Offset> {
        self.unsent.pop_front()
    }

    /// The next offset to send, without taking it.
    pub fn first_unsent(&self) -> Option<Offset> {
        self.unsent.front().copied()
    }

    /// Takes back what [`Self::take_unsent`] gave, the latest first.
    pub fn untake(&mut self, offset: Offset) {
        self.unsent.push_front(offset);
    }

    /// Makes everything owed unsent again; for a lane that has ended.
    pub fn recall(&mut self) {
        self.under_way.clear();
        let owed = self.ahead.iter().filter(|span| span.fate == Fate::Owed);
        self.unsent = owed.map(|span| span.range.start).collect();
    }

    /// Notes that an owed offset is being sent: until that has ended it does not expire.
    pub fn begin_attempt(&mut self, offset: Offset) {
        self.under_way.insert(offset);
    }

    /// Notes that an attempt to send an owed offset failed.
    pub fn fail_attempt(&mut self, offset: Offset) {
        self.under_way.remove(&offset);
    }

    /// Whether this offset is owed, neither delivered nor lost.
    pub fn is_owed(&self, offset: Offset) -> bool {
        let place = self.ahead.partition_point(|span| span.range.start < offset);
        let span = self.ahead.get(place);
        span.is_some_and(|span| span.range.start == offset && span.fate == Fate::Owed)
    }

    /// Ends everything before `tail`, the oldest offset that the log keeps: what is owed and not
    /// being sent, and what nobody has looked at, has expired.
    pub fn expire_to(&mut self, tail: Offset) {
        for span in &mut self.ahead {
            if span.range.start >= tail {
                break;
            }
            if span.fate == Fate::Owed && !self.under_way.contains(&span.range.start) {
                span.fate = Fate::Expired;
                self.losses += 1;
            }
        }
        self.unsent.retain(|offset| *offset >= tail);
        self.lose_to(tail, Loss::Trimmed);
        self.advance();
    }

    /// How many events were lost since this was last asked.
    pub const fn take_losses(&mut self) -> u64 {
        std::mem::replace(&mut self.losses, 0)
    }

    /// Records that an owed offset was delivered.
    pub fn deliver(&mut self, offset: Offset) {
        if self.end(offset, Fate::Delivered) {
            self.delivered_ever += 1;
        }
        self.advance();
    }

    /// Records that an owed offset was lost by the time it was to be sent.
    pub fn lose(&mut self, offset: Offset, loss: Loss) {
        self.end(offset, loss.into());
        self.advance();
    }

    /// Records that an owed offset turned out not to be covered: it has no form to be sent in.
    pub fn skip(&mut self, offset: Offset) {
        self.end(offset, Fate::Filtered);
        self.advance();
    }

    /// Notes what the store knows.
    pub const fn saved(&mut self, settled: Settled) {
        self.saved = settled;
    }

    /// The balance against a log with these bounds.
    pub fn balance(&self, log: Bounds) -> Balance {
        let settled = self.settled;
        // What was trimmed before anybody looked at it will never be anything but expired.
        let trimmed = log.tail.since(std::cmp::max(self.scanned, self.start));
        Balance {
            accepted: log.head.since(self.start),
            delivered: settled.delivered,
            filtered: settled.filtered,
            pending: log.head.since(settled.cursor).saturating_sub(trimmed),
            expired: settled.expired + trimmed,
            damaged: settled.damaged,
            cursor: settled.cursor,
        }
    }

    /// Adds what comes after all that was seen; `false` when it does not.
    fn push(&mut self, range: Range<Offset>, fate: Fate) -> bool {
        let is_new = range.start >= self.scanned && !range.is_empty();
        if is_new {
            self.scanned = range.end;
            if matches!(fate, Fate::Expired | Fate::Damaged) {
                self.losses += range.end.since(range.start);
            }
            self.ahead.push_back(Span { range, fate });
            self.advance();
        }
        is_new
    }

    /// Gives an owed offset its end; `false` when it was not owed.
    fn end(&mut self, offset: Offset, fate: Fate) -> bool {
        self.under_way.remove(&offset);
        let place = self.ahead.partition_point(|span| span.range.start < offset);
        match self.ahead.get_mut(place) {
            Some(span) if span.range.start == offset && span.fate == Fate::Owed => {
                span.fate = fate;
                if matches!(fate, Fate::Expired | Fate::Damaged) {
                    self.losses += 1;
                }
                true
            }
            _ => false,
        }
    }

    fn advance(&mut self) {
        while let Some(span) = self.ahead.front() {
            let settled = &mut self.settled;
            settled.filtered += span.range.start.since(settled.cursor);
            settled.cursor = span.range.start;
            let count = span.range.end.since(span.range.start);
            match span.fate {
                Fate::Owed => return,
                Fate::Delivered => settled.delivered += count,
                Fate::Filtered => settled.filtered += count,
                Fate::Expired => settled.expired += count,
                Fate::Damaged => {
                    settled.expired += count;
                    settled.damaged += count;
                }
            }
            settled.cursor = span.range.end;
            self.ahead.pop_front();
        }
        self.settled.filtered += self.scanned.since(self.settled.cursor);
        self.settled.cursor = self.scanned;
    }
}

#[cfg(test)]
mod tests;
