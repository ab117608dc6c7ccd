//! Saves what became of events, and reports what was lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use easel_catalog::OperatorEvent;
use easel_log::Offset;
use tracing::warn;

use super::Subscriptions;
use crate::{Account, Journal, StateStoreError, Subscription, TrimmedEvents, metrics};

impl Subscriptions {
    /// Saves the journals of the lanes that delivered, parked or gave up something.
    pub async fn save(&self) -> Result<(), StateStoreError> {
        let is_due =
            |account: &mut Account| account.unsaved() > 0 || account.unsaved_row_count() > 0;
        self.save_where(is_due, |_head| false).await
    }

    /// Saves the journal of one subscription's lane, whatever has changed.
    pub async fn save_one(&self, subscription: &Arc<Subscription>) -> Result<(), StateStoreError> {
        let journal = subscription.live.account().journal();
        self.save_journals(vec![(Arc::clone(subscription), journal)])
            .await
    }

    /// Saves the journals of all lanes, and how far the log has come.
    ///
    /// One that moved past events nobody wanted costs only another look at them when it is lost,
    /// so this need not happen often.
    pub async fn save_all(&self) -> Result<(), StateStoreError> {
        let is_head_due = |head: Offset| head.get() > self.saved_head.load(Ordering::Relaxed);
        self.save_where(Account::is_unsaved, is_head_due).await
    }

    /// Saves the attempt logs of all lanes.
    pub async fn save_attempts(&self) -> Result<(), StateStoreError> {
        let (mut parts, mut counts) = (Vec::new(), Vec::new());
        for lane in self.lanes() {
            let attempts = lane.live.attempts();
            let unsaved = attempts.unsaved(lane.lane());
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
            lane.live.attempts().saved(count);
        }
        Ok(())
    }

    /// Reads the attempts of a lane that were made before this start, once.
    pub async fn restore_attempts(&self, lane: &Subscription) -> Result<(), StateStoreError> {
        if !lane.live.attempts().is_restored() {
            let older = self.store.attempts_before(self.epoch, lane.lane()).await?;
            lane.live.attempts().restore(older);
        }
        Ok(())
    }

    /// Counts what the log no longer keeps as expired for every subscription that has not had it,
    /// whether or not it is being served. To be called after each trim.
    ///
    /// What is being sent at this moment is left to the answer of its endpoint.
    pub fn expire_trimmed(&self) {
        let tail = self.log.bounds().borrow().tail;
        for subscription in self.lanes() {
            let end = subscription.end().unwrap_or(tail);
            let tail = std::cmp::min(tail, end);
            subscription.live.account().expire_to(tail);
            self.report_losses(&subscription);
            subscription.live.work.notify_one();
        }
    }

    /// Reports to operators the losses that came less than a minute after the last report. To be called
    /// when no lane runs any more.
    pub fn tell_remaining_losses(&self) {
        for subscription in self.list() {
            let trim = subscription.live.account().take_trim(self.clock.now());
            self.tell_trim(&subscription, trim);
        }
    }

    /// Whether the latest save succeeded; for a health check.
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
            let mut account = subscription.live.account();
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
        // Read after the cursors: none of them is beyond it.
        let head = self.log.bounds().borrow().head;
        let journals = due.iter();
        let journals = journals.map(|(it, journal)| (it.lane(), journal.clone()));
        let saved = self.store.save(self.epoch, journals.collect(), head).await;
        self.save_failed.store(saved.is_err(), Ordering::Relaxed);
        saved?;
        self.saved_head.fetch_max(head.get(), Ordering::Relaxed);
        for (subscription, journal) in due {
            subscription.live.account().saved(&journal);
            subscription.live.work.notify_one();
        }
        Ok(())
    }

    /// Logs and counts what a subscription has lost since the last call, and reports it to operators.
    fn report_losses(&self, subscription: &Subscription) {
        let (lost, trim) = {
            let mut account = subscription.live.account();
            (
                account.take_losses(),
                account.take_due_trim(self.clock.now()),
            )
        };
        if lost > 0 {
            metrics::expired(lost);
            let name = &subscription.spec.name;
            warn!(subscription = %name, event_count = lost, "events expired undelivered");
        }
        self.tell_trim(subscription, trim);
    }

    fn tell_trim(&self, subscription: &Subscription, trim: Option<TrimmedEvents>) {
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
