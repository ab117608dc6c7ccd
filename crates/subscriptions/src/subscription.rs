//! One subscription: what was asked for, and the live state its lane shares with the API.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use easel_catalog::{Catalog, Reach};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::state_store::{Definition, Entry, Revision};
use crate::{Account, Filter, Spec, SubscriptionId};

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
    /// What its lane works on.
    pub live: Arc<Live>,
    retired: AtomicBool,
}

impl Subscription {
    /// A subscription as it is stored.
    pub(crate) fn stored(entry: Entry, catalog: &Arc<Catalog>) -> Self {
        Self::new(
            (entry.id, entry.revision, entry.created_at),
            entry.definition,
            Live::new(Account::restore(entry.start, entry.journal)),
            catalog,
        )
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
            Arc::clone(&self.live),
            catalog,
        )
    }

    fn new(
        (id, revision, created_at): (SubscriptionId, Revision, Timestamp),
        definition: Definition,
        live: Arc<Live>,
        catalog: &Arc<Catalog>,
    ) -> Self {
        let Definition {
            reach,
            spec,
            origin,
            state,
        } = definition;
        Self {
            id,
            revision,
            reach,
            filter: Filter::new(&spec, catalog),
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
    /// It was declared in the configuration file once and no longer is; it keeps its place in
    /// case it comes back.
    Deactivated,
}

/// What a subscription's lane works on, and others may look at.
#[derive(Debug)]
pub struct Live {
    account: Mutex<Account>,
    hold: Mutex<Option<Hold>>,
    /// Rung when there may be something to do for the lane.
    pub work: Notify,
}

/// A lane's pause after a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// When the next attempt is due.
    pub until: Timestamp,
    /// What the last attempt failed with.
    pub reason: String,
}

impl Live {
    pub(crate) fn new(account: Account) -> Arc<Self> {
        Arc::new(Self {
            account: Mutex::new(account),
            hold: Mutex::new(None),
            work: Notify::new(),
        })
    }

    /// The account. Never held across a wait.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
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
