//! Dead letters, and the parked deliveries that wait for an operator: listed, redelivered, discarded.
//!
//! A command reads rows in the store and changes them through the account. Commands of one lane come
//! one after another, and each saves what it has changed, so that the next one reads it.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

use easel_log::{Offset, RecordReader};
use jiff::Timestamp;
use uuid::Uuid;

use super::{ChangeError, Subscriptions};
use crate::{Attempt, DeadLetter, Due, Parked, StateStoreError, Subscription};

/// Dead letters that are read at once.
const PAGE: usize = 1_000;

/// What a redelivery came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redelivery {
    /// Deliveries that are parked now, and due.
    pub redelivered_count: u64,
    /// Deliveries that stay dead, since the log no longer has their events.
    pub gone_count: u64,
    /// True if the lane has no room for more parked deliveries, so that some are still to be
    /// redelivered.
    pub is_full: bool,
}

impl Subscriptions {
    /// Parked deliveries of one lane, at most. A lane that has so many takes no new events.
    pub const MAX_PARKED: usize = 100_000;

    /// The dead letters of a lane from an offset on, by offset: so many at most.
    pub async fn dead_letters(
        &self,
        lane: &Arc<Subscription>,
        from: Offset,
        max_count: usize,
    ) -> Result<Vec<(Offset, DeadLetter)>, StateStoreError> {
        let _turn = lane.live.commands.lock().await;
        self.save_rows(lane).await?;
        self.store.dead_letters(lane.lane(), from, max_count).await
    }

    /// Redelivers those dead letters of a lane at `offsets` that `which` chooses, and those parked
    /// deliveries that wait for an operator.
    pub async fn redeliver(
        &self,
        lane: &Arc<Subscription>,
        offsets: impl RangeBounds<Offset> + Send + Sync,
        which: impl Fn(Offset, &DeadLetter) -> bool + Send + Sync,
    ) -> Result<Redelivery, ChangeError> {
        let _turn = lane.live.commands.lock().await;
        let mut done = Redelivery::default();
        for (offset, letter) in self.waiting_for_operator(lane, &offsets).await? {
            if which(offset, &letter) {
                let now = self.clock.now();
                let mut account = lane.live.account();
                let due = account.clock().at(now);
                done.redelivered_count += u64::from(account.make_due(offset, due));
            }
        }
        let tail = self.log.bounds().borrow().tail;
        self.for_each_dead(lane, &offsets, |offset, letter| {
            if letter.is_discarded || !which(offset, letter) {
                return true;
            }
            if offset < tail {
                done.gone_count += 1;
                return true;
            }
            let mut account = lane.live.account();
            if account.parked_count() >= Self::MAX_PARKED {
                done.is_full = true;
                return false;
            }
            let parked = Parked {
                batch: offset,
                failure_count: 0,
                due: Due::At(account.clock().at(self.clock.now())),
                key: None,
                reason: Arc::from("it is redelivered"),
                attempts: letter.attempts.clone(),
                attempt_count: letter.attempt_count,
            };
            done.redelivered_count += u64::from(account.redeliver(offset, parked));
            true
        })
        .await?;
        lane.live.work.notify_one();
        // The lane of a replay that had ended starts again.
        self.change_number.send_modify(|number| *number += 1);
        Ok(done)
    }

    /// Discards those dead letters of a lane at `offsets` that `which` chooses, and those parked
    /// deliveries that wait for an operator: nobody will redeliver them. Returns how many these were.
    pub async fn discard(
        &self,
        lane: &Arc<Subscription>,
        offsets: impl RangeBounds<Offset> + Send + Sync,
        which: impl Fn(Offset, &DeadLetter) -> bool + Send + Sync,
    ) -> Result<u64, ChangeError> {
        let _turn = lane.live.commands.lock().await;
        let mut count = 0;
        for (offset, letter) in self.waiting_for_operator(lane, &offsets).await? {
            if which(offset, &letter) {
                let letter = DeadLetter {
                    is_discarded: true,
                    ..letter
                };
                let mut account = lane.live.account();
                if account.is_parked_and_waits(offset) {
                    count += u64::from(account.give_up(offset, letter));
                }
            }
        }
        self.for_each_dead(lane, &offsets, |offset, letter| {
            if which(offset, letter) {
                count += u64::from(lane.live.account().discard(offset, letter));
            }
            true
        })
        .await?;
        lane.live.work.notify_one();
        Ok(count)
    }

    /// Forgets dead letters that are older than `retention`. What was not discarded counts as
    /// discarded from then on.
    pub async fn forget_dead(&self, retention: Duration) -> Result<u64, StateStoreError> {
        let mut count = 0;
        loop {
            let before = self.clock.now() - retention;
            let page = self.store.dead_before(before, PAGE).await?;
            let mut forgotten = 0;
            for lane in self.lanes() {
                let of_lane = page.iter().filter(|(id, _, _)| *id == lane.lane());
                let of_lane: Vec<_> = of_lane.collect();
                if of_lane.is_empty() {
                    continue;
                }
                let _turn = lane.live.commands.lock().await;
                self.save_rows(&lane).await?;
                for (_, offset, letter) in of_lane {
                    // Another command may have changed it before this one got its turn.
                    let stored = self.store.dead_letters(lane.lane(), *offset, 1).await?;
                    let is_same = stored.first() == Some(&(*offset, letter.clone()));
                    if is_same {
                        forgotten += u64::from(lane.live.account().forget(*offset, letter));
                    }
                }
                self.save_rows(&lane).await?;
            }
            count += forgotten;
            if forgotten == 0 {
                return Ok(count);
            }
        }
    }

    /// Calls `work` for each dead letter of a lane at `offsets` until it returns `false`, and saves what
    /// it has changed.
    async fn for_each_dead(
        &self,
        lane: &Arc<Subscription>,
        offsets: &(impl RangeBounds<Offset> + Sync),
        mut work: impl FnMut(Offset, &DeadLetter) -> bool + Send,
    ) -> Result<(), StateStoreError> {
        let mut from = match offsets.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.next(),
            Bound::Unbounded => Offset::ZERO,
        };
        loop {
            self.save_rows(lane).await?;
            let page = self.store.dead_letters(lane.lane(), from, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            from = last.next();
            let goes_on = page
                .iter()
                .all(|(offset, letter)| offsets.contains(offset) && work(*offset, letter));
            self.save_rows(lane).await?;
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// The parked deliveries at `offsets` that wait for an operator, in the form of dead letters.
    pub async fn waiting_for_operator(
        &self,
        lane: &Arc<Subscription>,
        offsets: &(impl RangeBounds<Offset> + Sync),
    ) -> Result<Vec<(Offset, DeadLetter)>, ChangeError> {
        let waiting: Vec<_> = {
            let account = lane.live.account();
            let parked = account.all_parked(Offset::ZERO);
            let waiting = parked
                .filter(|(offset, parked)| parked.due == Due::Never && offsets.contains(offset));
            waiting
                .map(|(offset, parked)| (offset, parked.clone()))
                .collect()
        };
        let mut letters = Vec::new();
        let mut records = RecordReader::new(&*self.log);
        for (offset, parked) in waiting {
            let record = records.read(offset).await?;
            let letter = DeadLetter {
                event_id: record.as_ref().map_or(Uuid::nil(), |record| record.id),
                event_type: record.map_or_else(|| Arc::from(""), |record| record.event_type),
                reason: parked.reason.to_string(),
                died_at: parked
                    .attempts
                    .last()
                    .map_or(Timestamp::UNIX_EPOCH, Attempt::at),
                attempts: parked.attempts,
                attempt_count: parked.attempt_count,
                answer: None,
                is_discarded: false,
            };
            letters.push((offset, letter));
        }
        Ok(letters)
    }

    async fn save_rows(&self, lane: &Arc<Subscription>) -> Result<(), StateStoreError> {
        if lane.live.account().unsaved_row_count() > 0 {
            self.save_one(lane).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
