//! Looks at every new event once, on behalf of all lanes that are up to date.
//!
//! A lane that follows the feed costs nothing while events pass that it does not want. One that
//! cannot keep up is dropped from the feed and looks for itself until it has caught up.
//!
//! Invariant: whoever follows is in the index and has been looked for as far as the feed has seen.
//! A ledger begins to follow under the feed's lock only, so no block is looked at twice for a lane,
//! and none is missed. It may stop any time; the index finds that out when it next matches.

use std::cell::OnceCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use easel_catalog::Facts;
use easel_log::{Block, Offset, Read, SharedLog};
use easel_subscriptions::{Index, Loss, Subscription, Subscriptions};
use tokio::sync::watch;
use tracing::error;

/// Offsets owed to one lane at most; with more than that it is behind.
pub(crate) const MAX_OWED: usize = 1000;

/// Pause after the log could not be read.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// The shared look at new events.
#[derive(Debug)]
pub(crate) struct Feed {
    log: SharedLog,
    subscriptions: Arc<Subscriptions>,
    state: Mutex<State>,
    moved: watch::Sender<Offset>,
}

#[derive(Debug)]
struct State {
    /// Everything before this has been looked at.
    seen: Offset,
    index: Index,
}

impl Feed {
    /// A feed that begins at the log's head.
    pub(crate) fn new(log: SharedLog, subscriptions: Arc<Subscriptions>) -> Self {
        let head = log.bounds().borrow().head;
        subscriptions.set_fed(head);
        Self {
            log,
            subscriptions,
            state: Mutex::new(State {
                seen: head,
                index: Index::default(),
            }),
            moved: watch::Sender::new(head),
        }
    }

    /// Lets a lane follow from here on; `false` when it has not looked at exactly as much as the
    /// feed has, or when its subscription is no longer the current one.
    pub(crate) fn attach(&self, subscription: &Arc<Subscription>) -> bool {
        let mut state = self.state();
        let mut ledger = subscription.live.ledger();
        let level = ledger.scanned() == state.seen && !subscription.is_retired();
        if level {
            ledger.set_following(true);
            state.index.insert(subscription);
        }
        level
    }

    /// Takes a lane out, if it follows.
    pub(crate) fn detach(&self, subscription: &Subscription) {
        let mut state = self.state();
        let mut ledger = subscription.live.ledger();
        if ledger.is_following() {
            ledger.scan_to(state.seen);
            ledger.set_following(false);
        }
        drop(ledger);
        state.index.remove(subscription.id);
    }

    /// Word of every step of the feed.
    pub(crate) fn moved(&self) -> watch::Receiver<Offset> {
        self.moved.subscribe()
    }

    /// Looks at new events for ever; ends by being dropped.
    pub(crate) async fn run(&self) {
        let mut bounds = self.log.bounds();
        loop {
            let seen = self.state().seen;
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
        let mut guard = self.state();
        let state = &mut *guard;
        let from = state.seen;
        for record in block.records().filter(|record| record.offset >= from) {
            let facts = OnceCell::new();
            let facts = || facts.get_or_init(|| Facts::of(&record.bytes)).clone();
            let mut no_longer = Vec::new();
            state
                .index
                .visit(&record.event_type, facts, |subscription| {
                    let mut ledger = subscription.live.ledger();
                    if !ledger.is_following() {
                        // It was changed since, and is looked for with another filter.
                        no_longer.push(subscription.id);
                    } else if ledger.owed_count() >= MAX_OWED {
                        ledger.scan_to(record.offset);
                        ledger.set_following(false);
                        no_longer.push(subscription.id);
                    } else {
                        ledger.owe(record.offset);
                    }
                    drop(ledger);
                    subscription.live.work.notify_one();
                });
            for id in no_longer {
                state.index.remove(id);
            }
        }
        self.saw(guard, block.next());
    }

    /// Notes for all that follow that what lies before `to` is lost.
    fn lose(&self, to: Offset, loss: Loss) {
        let state = self.state();
        if to <= state.seen {
            return;
        }
        for subscription in state.index.members() {
            let mut ledger = subscription.live.ledger();
            if ledger.is_following() {
                ledger.scan_to(state.seen);
                ledger.lose_to(to, loss);
            }
        }
        self.saw(state, to);
    }

    fn saw(&self, mut state: MutexGuard<'_, State>, to: Offset) {
        state.seen = to;
        self.subscriptions.set_fed(to);
        drop(state);
        self.moved.send_replace(to);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
