//! Looks at every new event once, on behalf of all lanes that are up to date.
//!
//! A lane that follows the feed costs nothing while events pass that it does not want. One that
//! cannot keep up is dropped from the feed and looks for itself until it has caught up.
//!
//! Invariant: whoever follows is in the index, and events were matched for it as far as the feed's
//! position. An account begins to follow under the feed's lock only, so no block is matched twice
//! for a lane, and none is missed. It may stop any time; the index finds that out when it next
//! matches.

use std::cell::OnceCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use easel_catalog::Facts;
use easel_log::{Block, Offset, Read, SharedLog};
use easel_subscriptions::{FeedPosition, Index, Loss, Subscription};
use tokio::sync::watch;
use tracing::error;

/// Pause after the log could not be read.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// The shared look at new events.
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
        let level = account.matched() == self.position.get() && !subscription.is_retired();
        if level {
            account.follow(&self.position, max_owed);
            index.insert(subscription);
        }
        level
    }

    /// Takes a lane out, if it follows.
    pub(crate) fn detach(&self, subscription: &Subscription) {
        let mut index = self.index();
        subscription.live.account().unfollow();
        index.remove(subscription.id);
    }

    /// Word of every step of the feed.
    pub(crate) fn moved(&self) -> watch::Receiver<Offset> {
        self.moved.subscribe()
    }

    /// Looks at new events for ever; ends by being dropped.
    pub(crate) async fn run(&self) {
        let mut bounds = self.log.bounds();
        loop {
            let seen = self.position.get();
            if bounds.borrow_and_update().head <= seen {
                if bounds.changed().await.is_err() {
                    return;
                }
                continue;
            }
            match self.log.read(seen).await {
                Ok(Read::Block(block)) => {
                    self.lose(block.first(), Loss::Trimmed);
                    self.look_at(&block);
                }
                Ok(Read::Damaged(range)) => {
                    self.lose(range.start, Loss::Trimmed);
                    self.lose(range.end, Loss::Damaged);
                }
                Ok(Read::End) => tokio::time::sleep(READ_PAUSE).await,
                Err(error) => {
                    error!(%error, "feed cannot read the log");
                    tokio::time::sleep(READ_PAUSE).await;
                }
            }
        }
    }

    fn look_at(&self, block: &Block) {
        let mut index = self.index();
        let from = self.position.get();
        for record in block.records().filter(|record| record.offset >= from) {
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
    fn lose(&self, to: Offset, loss: Loss) {
        let index = self.index();
        if to <= self.position.get() {
            return;
        }
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
