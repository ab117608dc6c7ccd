//! Matches every new event once, on behalf of all lanes that are up to date.
//!
//! A lane that follows the feed costs nothing while events pass that it does not want. One that
//! cannot keep up is dropped from the feed and matches for itself until it has caught up.
//!
//! Invariant: whoever follows is in the index, and events were matched for it as far as the feed's
//! position. An account begins to follow under the lock of the index only, so no block is matched
//! twice for a lane, and none is missed. It may stop any time; the index finds that out when it next
//! matches.

use std::cell::OnceCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use easel_catalog::Facts;
use easel_log::{Block, Found, Offset, Reader, SharedLog};
use easel_subscriptions::{FeedPosition, Index, Loss, Subscription};
use tokio::sync::watch;
use tracing::error;

use crate::offload::offload;

/// The shared match of new events.
#[derive(Debug)]
pub(crate) struct Feed {
    log: SharedLog,
    /// Everything before this was matched. It moves under the lock of the index only.
    position: Arc<FeedPosition>,
    index: Mutex<Index>,
    moved: watch::Sender<Offset>,
}

impl Feed {
    /// A feed that begins at the log's head.
    pub(crate) fn new(log: SharedLog) -> Self {
        let head = log.bounds().borrow().head;
        Self {
            log,
            position: Arc::new(FeedPosition::new(head)),
            index: Mutex::default(),
            moved: watch::Sender::new(head),
        }
    }

    /// Lets a lane follow from here on, as long as it is owed no more than `max_owed`; `false` when
    /// it has not matched exactly as much as the feed has, or when its subscription is no longer the
    /// current one.
    pub(crate) fn attach(&self, subscription: &Arc<Subscription>, max_owed: usize) -> bool {
        let mut index = self.index();
        let mut account = subscription.live.account();
        let is_level = account.matched() == self.position.get() && !subscription.is_retired();
        if is_level {
            account.follow(&self.position, max_owed);
            index.insert(subscription);
        }
        is_level
    }

    /// Takes a lane out, if it follows. A replay never does, and shares its id with one that may.
    pub(crate) fn detach(&self, subscription: &Subscription) {
        if subscription.replay.is_some() {
            return;
        }
        let mut index = self.index();
        subscription.live.account().unfollow();
        index.remove(subscription.id);
    }

    /// Word of every step of the feed.
    pub(crate) fn moved(&self) -> watch::Receiver<Offset> {
        self.moved.subscribe()
    }

    /// Matches new events for ever; ends when the log is closed.
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
                Ok(Some(Found::Skipped(range))) => self.move_to(self.index(), range.end),
                Ok(None) => return,
                Err(error) => error!(%error, "feed cannot read the log"),
            }
        }
    }

    fn match_block(&self, block: &Block, from: Offset) {
        let mut index = self.index();
        for record in block.records_from(from) {
            let facts = OnceCell::new();
            let facts = || facts.get_or_init(|| Facts::of(&record.bytes)).clone();
            let mut no_longer = Vec::new();
            index.visit(&record.event_type, facts, |subscription| {
                let mut account = subscription.live.account();
                if account.may_follow() {
                    account.owe(record.offset);
                } else {
                    if account.is_following() {
                        // It is owed too much. Its lane matches from this event on.
                        account.match_to(record.offset);
                        account.unfollow();
                    }
                    no_longer.push(subscription.id);
                }
                drop(account);
                subscription.live.work.notify_one();
            });
            for id in no_longer {
                index.remove(id);
            }
        }
        self.move_to(index, block.next());
    }

    /// Records for all that follow that what lies before `to` is lost.
    fn lose_to(&self, to: Offset, loss: Loss) {
        let index = self.index();
        for subscription in index.members() {
            let mut account = subscription.live.account();
            if account.is_following() {
                account.lose_to(to, loss);
            }
        }
        self.move_to(index, to);
    }

    fn move_to(&self, index: MutexGuard<'_, Index>, to: Offset) {
        self.position.set(to);
        drop(index);
        self.moved.send_replace(to);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
