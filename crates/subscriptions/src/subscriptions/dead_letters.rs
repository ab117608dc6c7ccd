//! Lists, redelivers and discards dead letters and the parked deliveries that wait for an operator.
//!
//! A command reads rows in the store and changes them through the account. Commands on one lane run one
//! after another. Each command saves its changes, so the next command reads them.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

use easel_log::{Offset, RecordReader};
use jiff::Timestamp;
use uuid::Uuid;

use super::{ChangeError, Subscriptions};
use crate::{Attempt, DeadLetter, Due, Parked, StateStoreError, Subscription};

/// The number of dead letters in one read.
const PAGE: usize = 1_000;

/// The result of a redelivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redelivery {
    /// The number of deliveries that are now parked and due.
    pub redelivered_count: u64,
    /// The number of deliveries that stay dead, because the log no longer has their events.
    pub gone_count: u64,
    /// True if the lane has too many parked deliveries, so some dead letters were not redelivered.
    pub is_full: bool,
}

impl Subscriptions {
    /// The most parked deliveries of one lane. A lane at this limit takes no new events.
    pub const MAX_PARKED: usize = 100_000;

    /// Returns at most `max_count` dead letters of a lane from an offset on, by offset.
    pub async fn dead_letters(
        &self,
        lane: &Arc<Subscription>,
        from: Offset,
        max_count: usize,
    ) -> Result<Vec<(Offset, DeadLetter)>, StateStoreError> {
        let _turn = lane.shared.command_lock.lock().await;
        self.save_rows(lane).await?;
        self.store
            .dead_letters(lane.lane_id(), from, max_count)
            .await
    }

    /// Redelivers the dead letters of a lane at `offsets` that `is_selected` selects, and also the selected
    /// parked deliveries that wait for an operator.
    pub async fn redeliver(
        &self,
        lane: &Arc<Subscription>,
        offsets: impl RangeBounds<Offset> + Send + Sync,
        is_selected: impl Fn(Offset, &DeadLetter) -> bool + Send + Sync,
    ) -> Result<Redelivery, ChangeError> {
        let _turn = lane.shared.command_lock.lock().await;
        let mut redelivery = Redelivery::default();
        for (offset, letter) in self.waiting_for_operator(lane, &offsets).await? {
            if is_selected(offset, &letter) {
                let now = self.clock.now();
                let mut account = lane.shared.account();
                let due = account.clock().at(now);
                redelivery.redelivered_count += u64::from(account.make_due(offset, due));
            }
        }
        let tail = self.log.bounds().borrow().tail;
        self.for_each_dead(lane, &offsets, |offset, letter| {
            if letter.is_discarded || !is_selected(offset, letter) {
                return true;
            }
            if offset < tail {
                redelivery.gone_count += 1;
                return true;
            }
            let mut account = lane.shared.account();
            if account.parked_count() >= Self::MAX_PARKED {
                redelivery.is_full = true;
                return false;
            }
            let parked = Parked {
                batch_offset: offset,
                failure_count: 0,
                due: Due::At(account.clock().at(self.clock.now())),
                key: None,
                reason: Arc::from("redelivered by an operator"),
                attempts: letter.attempts.clone(),
                attempt_count: letter.attempt_count,
            };
            redelivery.redelivered_count += u64::from(account.redeliver(offset, parked));
            true
        })
        .await?;
        lane.shared.work.notify_one();
        // This also restarts the lane of a finished replay.
        self.change_number.send_modify(|number| *number += 1);
        Ok(redelivery)
    }

    /// Discards the dead letters of a lane at `offsets` that `is_selected` selects, and also the selected
    /// parked deliveries that wait for an operator. They are never redelivered. Returns their number.
    pub async fn discard(
        &self,
        lane: &Arc<Subscription>,
        offsets: impl RangeBounds<Offset> + Send + Sync,
        is_selected: impl Fn(Offset, &DeadLetter) -> bool + Send + Sync,
    ) -> Result<u64, ChangeError> {
        let _turn = lane.shared.command_lock.lock().await;
        let mut count = 0;
        for (offset, letter) in self.waiting_for_operator(lane, &offsets).await? {
            if is_selected(offset, &letter) {
                let letter = DeadLetter {
                    is_discarded: true,
                    ..letter
                };
                let mut account = lane.shared.account();
                if account.is_parked_and_waits(offset) {
                    count += u64::from(account.give_up(offset, letter));
                }
            }
        }
        self.for_each_dead(lane, &offsets, |offset, letter| {
            if is_selected(offset, letter) {
                count += u64::from(lane.shared.account().discard(offset, letter));
            }
            true
        })
        .await?;
        lane.shared.work.notify_one();
        Ok(count)
    }

    /// Deletes dead letters that are older than `retention`. They count as discarded from then on.
    /// Returns their number.
    pub async fn forget_dead(&self, retention: Duration) -> Result<u64, StateStoreError> {
        let mut count = 0;
        loop {
            let before = self.clock.now() - retention;
            let page = self.store.dead_before(before, PAGE).await?;
            let mut forgotten = 0;
            for lane in self.lanes() {
                let letters = page.iter().filter(|(id, _, _)| *id == lane.lane_id());
                let letters: Vec<_> = letters.collect();
                if letters.is_empty() {
                    continue;
                }
                let _turn = lane.shared.command_lock.lock().await;
                self.save_rows(&lane).await?;
                for (_, offset, letter) in letters {
                    // Another command may have changed the letter before this one got the lock.
                    let stored = self.store.dead_letters(lane.lane_id(), *offset, 1).await?;
                    let is_same = stored.first() == Some(&(*offset, letter.clone()));
                    if is_same {
                        forgotten += u64::from(lane.shared.account().forget(*offset, letter));
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

    /// Calls `work` for each dead letter of a lane at `offsets` until `work` returns `false`. Saves all
    /// changes.
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
            let page = self.store.dead_letters(lane.lane_id(), from, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            from = last.next();
            let continues = page
                .iter()
                .all(|(offset, letter)| offsets.contains(offset) && work(*offset, letter));
            self.save_rows(lane).await?;
            if !continues {
                return Ok(());
            }
        }
    }

    /// Returns the parked deliveries at `offsets` that wait for an operator, as dead letters.
    pub async fn waiting_for_operator(
        &self,
        lane: &Arc<Subscription>,
        offsets: &(impl RangeBounds<Offset> + Sync),
    ) -> Result<Vec<(Offset, DeadLetter)>, ChangeError> {
        let waiting: Vec<_> = {
            let account = lane.shared.account();
            let parked = account.all_parked(Offset::ZERO);
            let waiting = parked.filter(|(offset, parked)| {
                parked.due == Due::OnCommand && offsets.contains(offset)
            });
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
        if lane.shared.account().unsaved_row_count() > 0 {
            self.save_one(lane).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
