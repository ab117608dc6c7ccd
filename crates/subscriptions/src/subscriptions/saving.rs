//! Saves the state of events, and reports losses.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use easel_catalog::OperatorEvent;
use easel_log::Offset;
use tracing::warn;

use super::Subscriptions;
use crate::{Account, Journal, StateStoreError, Subscription, TrimmedEvents, metrics};

impl Subscriptions {
    /// Saves the journals of the lanes with new delivered, parked or dead events.
    pub async fn save(&self) -> Result<(), StateStoreError> {
        let is_due = |account: &mut Account| {
            account.unsaved_delivered_count() > 0 || account.unsaved_row_count() > 0
        };
        self.save_where(is_due, |_head| false).await
    }

    /// Saves the journal of one subscription's lane, even without changes.
    pub async fn save_one(&self, subscription: &Arc<Subscription>) -> Result<(), StateStoreError> {
        let journal = subscription.shared.account().journal();
        self.save_journals(vec![(Arc::clone(subscription), journal)])
            .await
    }

    /// Saves all changed journals, and the head of the log.
    ///
    /// If a crash loses a cursor that only moved over filtered events, the events are matched again. So
    /// this save may be rare.
    pub async fn save_all(&self) -> Result<(), StateStoreError> {
        let is_head_due = |head: Offset| head.get() > self.saved_head.load(Ordering::Relaxed);
        self.save_where(Account::is_unsaved, is_head_due).await
    }

    /// Saves the attempt logs of all lanes.
    pub async fn save_attempts(&self) -> Result<(), StateStoreError> {
        let (mut parts, mut counts) = (Vec::new(), Vec::new());
        for lane in self.lanes() {
            let attempts = lane.shared.attempts();
            let unsaved = attempts.unsaved_parts(lane.lane_id());
            let count = attempts.count();
            drop(attempts);
            if !unsaved.is_empty() {
                parts.extend(unsaved);
                counts.push((lane, count));
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        self.store.save_attempts(self.epoch, parts).await?;
        for (lane, count) in counts {
            lane.shared.attempts().mark_saved(count);
        }
        Ok(())
    }

    /// Loads the attempts of a lane from earlier runs of the server, unless they are loaded already.
    pub async fn restore_attempts(&self, lane: &Subscription) -> Result<(), StateStoreError> {
        if !lane.shared.attempts().is_restored() {
            let older = self
                .store
                .attempts_before(self.epoch, lane.lane_id())
                .await?;
            lane.shared.attempts().restore(older);
        }
        Ok(())
    }

    /// Counts trimmed events as expired for every subscription that still owes them, active or not.
    /// Must be called after each trim.
    ///
    /// An event that is being sent does not expire: the answer of the endpoint decides.
    pub fn expire_trimmed(&self) {
        let tail = self.log.bounds().borrow().tail;
        for subscription in self.lanes() {
            let end = subscription.end().unwrap_or(tail);
            let tail = std::cmp::min(tail, end);
            subscription.shared.account().expire_to(tail);
            self.report_losses(&subscription);
            subscription.shared.work.notify_one();
        }
    }

    /// Reports to operators the losses since the last report. Must be called after all lanes have ended.
    pub fn report_remaining_losses(&self) {
        for subscription in self.list() {
            let trim = subscription.shared.account().take_trim(self.clock.now());
            self.report_trim(&subscription, trim);
        }
    }

    /// Returns true if the latest save succeeded, for the health check.
    pub fn is_healthy(&self) -> bool {
        !self.save_failed.load(Ordering::Relaxed)
    }

    async fn save_where(
        &self,
        is_due: impl Fn(&mut Account) -> bool + Send,
        is_head_due: impl Fn(Offset) -> bool + Send,
    ) -> Result<(), StateStoreError> {
        let mut due = Vec::new();
        for subscription in self.lanes() {
            self.report_losses(&subscription);
            let mut account = subscription.shared.account();
            if is_due(&mut account) {
                let journal = account.journal();
                drop(account);
                due.push((subscription, journal));
            }
        }
        if due.is_empty() && !is_head_due(self.log.bounds().borrow().head) {
            return Ok(());
        }
        self.save_journals(due).await
    }

    async fn save_journals(
        &self,
        due: Vec<(Arc<Subscription>, Journal)>,
    ) -> Result<(), StateStoreError> {
        // The head is read after the cursors, so no cursor is beyond the head.
        let head = self.log.bounds().borrow().head;
        let journals = due.iter();
        let journals =
            journals.map(|(subscription, journal)| (subscription.lane_id(), journal.clone()));
        let saved = self.store.save(self.epoch, journals.collect(), head).await;
        self.save_failed.store(saved.is_err(), Ordering::Relaxed);
        saved?;
        self.saved_head.fetch_max(head.get(), Ordering::Relaxed);
        for (subscription, journal) in due {
            subscription.shared.account().mark_saved(&journal);
            subscription.shared.work.notify_one();
        }
        Ok(())
    }

    /// Logs and counts the events that a subscription lost since the last call, and reports them to
    /// operators.
    fn report_losses(&self, subscription: &Subscription) {
        let (lost, trim) = {
            let mut account = subscription.shared.account();
            (
                account.take_losses(),
                account.take_due_trim(self.clock.now()),
            )
        };
        if lost > 0 {
            metrics::expired(lost);
            let name = subscription.full_name();
            warn!(subscription = %name, event_count = lost, "events expired undelivered");
        }
        self.report_trim(subscription, trim);
    }

    fn report_trim(&self, subscription: &Subscription, trim: Option<TrimmedEvents>) {
        if let Some(trim) = trim
            && !subscription.spec.wants_operator_events()
        {
            self.tell_operator.tell(OperatorEvent::TrimmedPastCursor {
                subscription: subscription.spec.name.to_string(),
                reach: subscription.reach.clone(),
                event_count: trim.event_count,
                offsets: trim.offsets.start.get()..trim.offsets.end.get(),
            });
        }
    }
}
