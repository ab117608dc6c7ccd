//! One subscription: what was asked for, and the live state its lane shares with the API.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use easel_catalog::Catalog;
use easel_log::Offset;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::store::Kept;
use crate::{Filter, Ledger, Spec};

/// One subscription as it stands; a change makes a new one that shares the [`Live`] part.
#[derive(Debug)]
pub struct Subscription {
    /// Its number, never reused.
    pub id: i64,
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
    pub(crate) fn new(kept: Kept, live: Arc<Live>, catalog: &Arc<Catalog>) -> Self {
        Self {
            id: kept.id,
            filter: Filter::new(&kept.spec, catalog),
            spec: kept.spec,
            origin: kept.origin,
            created_at: kept.created_at,
            state: kept.state,
            live,
            retired: AtomicBool::new(false),
        }
    }

    /// Whether another version has taken its place, or none: nothing new is owed by this one.
    ///
    /// Said with certainty only to whoever holds the ledger.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// Retires this version. From here on it neither follows the feed nor is looked for.
    pub(crate) fn retire(&self, fed: Offset) {
        self.retired.store(true, Ordering::SeqCst);
        let mut ledger = self.live.ledger();
        if ledger.is_following() {
            ledger.scan_to(fed);
            ledger.set_following(false);
        }
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
    ledger: Mutex<Ledger>,
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
    pub(crate) fn new(ledger: Ledger) -> Arc<Self> {
        Arc::new(Self {
            ledger: Mutex::new(ledger),
            hold: Mutex::new(None),
            work: Notify::new(),
        })
    }

    /// The ledger. Never held across a wait.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
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
