//! One subscription: what was asked for, and the live state its lane shares with the API.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use easel_catalog::{Catalog, Reach};
use easel_log::Offset;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::state_store::{Definition, Revision, StoredSubscription};
use crate::{
    Account, AttemptLog, Filter, LaneId, MaxRate, ReplayEntry, ReplayNumber, ReplaySpec, Spec,
    SubscriptionId,
};

/// One subscription as it stands; a change makes a new one that shares the [`Live`] part.
#[derive(Debug)]
pub struct Subscription {
    /// Its number, never used again.
    pub id: SubscriptionId,
    /// The version of its definition.
    pub revision: Revision,
    /// Whose events it may have.
    pub reach: Reach,
    /// What was asked for.
    pub spec: Spec,
    /// What that covers.
    pub filter: Filter,
    /// Where it was declared.
    pub origin: Origin,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it is to be served.
    pub state: State,
    /// Which replay of it this is; `None` for the subscription itself. A replay is served as a
    /// subscription of its own that shares the definition.
    pub replay: Option<Replay>,
    /// What its lane works on.
    pub live: Arc<Live>,
    retired: AtomicBool,
}

/// Which replay of a subscription it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Its number.
    pub number: ReplayNumber,
    /// What it serves.
    pub spec: ReplaySpec,
    /// When it was started.
    pub created_at: Timestamp,
}

impl Subscription {
    /// A subscription as it is stored.
    pub(crate) fn stored(entry: StoredSubscription, catalog: &Arc<Catalog>) -> Self {
        Self::new(
            (entry.id, entry.revision, entry.created_at),
            entry.definition,
            None,
            Live::new(Account::restore(entry.start, entry.journal, entry.parked)),
            catalog,
        )
    }

    /// A replay of this subscription, as it is stored.
    pub(crate) fn replay(&self, entry: ReplayEntry, catalog: &Arc<Catalog>) -> Self {
        let replay = Replay {
            number: entry.number,
            spec: entry.spec,
            created_at: entry.created_at,
        };
        let start = replay.spec.from;
        Self::new(
            (self.id, self.revision, self.created_at),
            self.definition(),
            Some(replay),
            Live::new(Account::restore(start, entry.journal, entry.parked)),
            catalog,
        )
    }

    /// What it is, apart from what became of its events.
    fn definition(&self) -> Definition {
        Definition {
            reach: self.reach.clone(),
            spec: self.spec.clone(),
            origin: self.origin,
            state: self.state.clone(),
        }
    }

    /// Which lane serves it.
    pub fn lane(&self) -> LaneId {
        LaneId {
            subscription: self.id,
            replay: self.replay.as_ref().map(|replay| replay.number),
        }
    }

    /// The offset after the last one that it may have, if it has an end.
    pub fn end(&self) -> Option<Offset> {
        self.replay.as_ref().map(|replay| replay.spec.to)
    }

    /// True for a replay of which nothing is open any more.
    pub fn has_ended(&self) -> bool {
        let Some(end) = self.end() else {
            return false;
        };
        let mut account = self.live.account();
        account.matched() >= end && account.owed_count() == 0 && account.parked_count() == 0
    }

    /// The filter that a replay of this subscription has.
    pub fn filter_of_replay(&self, spec: &ReplaySpec) -> Filter {
        self.filter.clone().narrowed(spec)
    }

    /// Events a second that are sent at most: what the replay says, or else the spec.
    pub fn max_rate(&self) -> Option<MaxRate> {
        match &self.replay {
            Some(replay) => replay.spec.max_rate,
            None => self.spec.max_rate,
        }
    }

    /// The same subscription after its definition was changed.
    pub(crate) fn changed(
        &self,
        revision: Revision,
        definition: Definition,
        catalog: &Arc<Catalog>,
    ) -> Self {
        Self::new(
            (self.id, revision, self.created_at),
            definition,
            self.replay.clone(),
            Arc::clone(&self.live),
            catalog,
        )
    }

    fn new(
        (id, revision, created_at): (SubscriptionId, Revision, Timestamp),
        definition: Definition,
        replay: Option<Replay>,
        live: Arc<Live>,
        catalog: &Arc<Catalog>,
    ) -> Self {
        let Definition {
            reach,
            spec,
            origin,
            state,
        } = definition;
        let filter = Filter::new(&spec, catalog);
        Self {
            id,
            revision,
            reach,
            filter: match &replay {
                Some(replay) => filter.narrowed(&replay.spec),
                None => filter,
            },
            replay,
            spec,
            origin,
            created_at,
            state,
            live,
            retired: AtomicBool::new(false),
        }
    }

    /// True once this version was replaced or removed: nothing new is owed because of it. Reliable
    /// only while holding the account.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// Retires this version. From here on neither the feed nor a lane matches events for it.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.live.account().unfollow();
    }
}

/// Where a subscription was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the configuration file, which alone may change it.
    File,
    /// Through the API.
    Api,
}

/// Whether a subscription is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is served; its lane may be on hold all the same.
    Active,
    /// It keeps its place until it is resumed.
    Paused {
        /// Why, when it was not an operator's wish.
        reason: Option<String>,
    },
    /// It is no longer served, and keeps its place.
    Deactivated {
        /// Why; `None` if the configuration file declared it once and no longer does.
        reason: Option<String>,
    },
}

impl State {
    /// The state of a subscription that the configuration file no longer declares.
    pub const UNDECLARED: Self = Self::Deactivated { reason: None };
}

/// What a subscription's lane works on, and others may look at.
#[derive(Debug)]
pub struct Live {
    account: Mutex<Account>,
    attempts: Mutex<AttemptLog>,
    hold: Mutex<Option<Hold>>,
    /// Held while a command reads rows of its deliveries and changes them.
    pub(crate) commands: tokio::sync::Mutex<()>,
    /// Rung when there may be something to do for the lane.
    pub work: Notify,
}

/// A lane's pause: it sends nothing but, from time to time, one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Since when it holds.
    pub since: Timestamp,
    /// When the next attempt is due; `None` when it waits for an operator.
    pub until: Option<Timestamp>,
    /// Why it holds.
    pub reason: String,
}

impl Live {
    pub(crate) fn new(account: Account) -> Arc<Self> {
        Arc::new(Self {
            account: Mutex::new(account),
            attempts: Mutex::default(),
            commands: tokio::sync::Mutex::default(),
            hold: Mutex::new(None),
            work: Notify::new(),
        })
    }

    /// The account. Never held across a wait.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest attempts. Never held across a wait.
    pub fn attempts(&self) -> MutexGuard<'_, AttemptLog> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pause the lane is in, if it is in one.
    pub fn hold(&self) -> Option<Hold> {
        self.hold
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Says that the lane pauses, or that it no longer does.
    pub fn set_hold(&self, hold: Option<Hold>) {
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = hold;
    }
}
