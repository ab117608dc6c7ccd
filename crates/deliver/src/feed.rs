//! Matches every new event once, for all lanes that are up to date.
//!
//! A lane that follows the feed costs nothing while the feed sees only events that the lane does not
//! want. A lane that cannot keep up leaves the feed, and matches events itself until it has caught up.
//!
//! Invariant: every following account is in the index, and its events are matched up to the feed's
//! position. An account starts to follow only under the lock of the index, so each block is matched
//! exactly once for a lane. An account may stop following at any time. The feed removes it from the
//! index at the next match.
//!
//! The feed also counts the events within the reach of each confined subscription, also of those that do not
//! follow it. So a balance never tells how many events others have, and an event costs the same however many
//! reaches there are.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use easel_catalog::{FilterFacts, ReachRules, RootAccount};
use easel_log::{Block, Found, Offset, Reader, SharedLog};
use easel_subscriptions::{FeedPosition, FilterVerdict, Index, Loss, ReachTally, Subscription};
use tokio::sync::watch;
use tracing::error;

use crate::offload::offload;

/// The shared matcher of new events.
#[derive(Debug)]
pub(crate) struct Feed {
    log: SharedLog,
    /// Everything before this offset was matched. Changed only under the lock of the state.
    position: Arc<FeedPosition>,
    state: Mutex<FeedState>,
    /// Sends the position to lanes that wait for the feed.
    published_position: watch::Sender<Offset>,
}

/// What the feed needs for a match.
#[derive(Debug)]
struct FeedState {
    index: Index,
    tally: ReachTally,
    /// The confined subscriptions that are ahead of the feed, so their accounts cannot join it yet.
    joining: Vec<Arc<Subscription>>,
}

impl Feed {
    /// Creates a feed that starts at the log's head.
    pub(crate) fn new(log: SharedLog, rules: ReachRules) -> Self {
        let head = log.bounds().borrow().head;
        Self {
            log,
            position: Arc::new(FeedPosition::new(head)),
            state: Mutex::new(FeedState {
                index: Index::default(),
                tally: ReachTally::new(rules),
                joining: Vec::new(),
            }),
            published_position: watch::Sender::new(head),
        }
    }

    /// Lets a lane follow the feed, while its account owes at most `max_owed` events. Returns `false` if the lane has
    /// not matched exactly up to the feed's position, or if its subscription is retired.
    pub(crate) fn attach(&self, subscription: &Arc<Subscription>, max_owed: usize) -> bool {
        let mut state = self.state();
        let mut account = subscription.shared.account();
        let may_follow =
            account.first_unmatched() == self.position.get() && !subscription.is_retired();
        if may_follow {
            if let Some(root_account) = subscription.reach.root_account() {
                state.tally.count_reach(root_account);
                account.join(&self.position);
            }
            account.follow(&self.position, max_owed);
            state.index.insert(subscription);
        }
        may_follow
    }

    /// Counts the reaches of these subscriptions and replays from now on, and no other reach.
    pub(crate) fn count_reaches(&self, subscriptions: &[Arc<Subscription>]) {
        let accounts = subscriptions
            .iter()
            .filter_map(|subscription| subscription.reach.root_account());
        let accounts: HashSet<_> = accounts.map(RootAccount::as_str).collect();
        let mut state = self.state();
        state
            .tally
            .retain_reaches(|account| accounts.contains(account));
        self.position
            .retain_reaches(|account| accounts.contains(account));
        state.joining.clear();
        for subscription in subscriptions {
            let Some(root_account) = subscription.reach.root_account() else {
                continue;
            };
            let mut account = subscription.shared.account();
            if let Some(end) = subscription.end() {
                account.join_range(end);
                continue;
            }
            state.tally.count_reach(root_account);
            if !account.join(&self.position) {
                state.joining.push(Arc::clone(subscription));
            }
        }
    }

    /// Removes a lane from the feed. Ignores replays: they never follow the feed, but have the same id as their
    /// subscription.
    pub(crate) fn detach(&self, subscription: &Subscription) {
        if subscription.replay.is_some() {
            return;
        }
        let mut state = self.state();
        subscription.shared.account().unfollow();
        state.index.remove(subscription.id);
    }

    /// Returns a receiver of the feed's position.
    pub(crate) fn watch_position(&self) -> watch::Receiver<Offset> {
        self.published_position.subscribe()
    }

    /// Matches new events until the log is closed.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut reader = Reader::new(Arc::clone(&self.log), self.position.get());
        loop {
            match reader.next().await {
                Ok(Some(Found::Block { block, from })) => {
                    let feed = Arc::clone(&self);
                    offload(block.len(), move || feed.match_block(&block, from)).await;
                }
                Ok(Some(Found::Trimmed(range))) => self.lose_to(range.end, Loss::Trimmed),
                Ok(Some(Found::Damaged(range))) => self.lose_to(range.end, Loss::Damaged),
                Ok(Some(Found::Skipped(range))) => self.move_to(self.state(), range.end),
                Ok(None) => return,
                Err(error) => error!(%error, "feed cannot read the log"),
            }
        }
    }

    fn match_block(&self, block: &Block, from: Offset) {
        let mut state = self.state();
        let FeedState { index, tally, .. } = &mut *state;
        for record in block.records_from(from) {
            let facts = FilterFacts::new(&record.bytes);
            let mut unfollowed = Vec::new();
            index.visit(&record, &facts, |subscription, verdict| {
                let mut account = subscription.shared.account();
                if account.is_following()
                    && let Some(root_account) = subscription.reach.root_account()
                {
                    account.match_from_feed(record.offset, tally.count(root_account));
                }
                if verdict == FilterVerdict::NoForm {
                    if account.is_following() {
                        account.pass_over(record.offset);
                    } else {
                        unfollowed.push(subscription.id);
                    }
                    return;
                }
                if account.may_owe_from_feed() {
                    account.owe(record.offset);
                } else {
                    if account.is_following() {
                        // The account owes too many events. From now on, the lane matches events itself.
                        account.match_to(record.offset);
                        account.unfollow();
                    }
                    unfollowed.push(subscription.id);
                }
                drop(account);
                subscription.shared.work.notify_one();
            });
            tally.add(&record, &facts);
            for id in unfollowed {
                index.remove(id);
            }
        }
        self.move_to(state, block.end());
    }

    /// Records for all following accounts that the events before `to` are lost.
    fn lose_to(&self, to: Offset, loss: Loss) {
        let state = self.state();
        for subscription in state.index.members() {
            let mut account = subscription.shared.account();
            if account.is_following() {
                account.lose_to(to, loss);
            }
        }
        self.move_to(state, to);
    }

    fn move_to(&self, mut state: MutexGuard<'_, FeedState>, to: Offset) {
        self.position.publish(to, &mut state.tally);
        state
            .joining
            .retain(|subscription| !subscription.shared.account().join(&self.position));
        drop(state);
        self.published_position.send_replace(to);
    }

    fn state(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
