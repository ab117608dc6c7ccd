//! One subscription: its definition, and the state that its lane shares with the API.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use easel_catalog::Reach;
use easel_log::Offset;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::definition::Definition;
use crate::state_store::{Revision, StoredSubscription};
use crate::{
    Account, AttemptLog, Filter, FullName, GuardState, LaneId, MatchContext, MaxRate, Origin,
    Owner, ReplayNumber, ReplaySpec, Spec, State, StoredReplay, SubscriptionId,
};

/// One version of a subscription. A change creates a new version with the same [`SharedState`].
#[derive(Debug)]
pub struct Subscription {
    /// The number of the subscription, never reused.
    pub id: SubscriptionId,
    /// The version of the definition.
    pub revision: Revision,
    /// Whose events the subscription may receive.
    pub reach: Reach,
    /// The subscriber's request.
    pub spec: Spec,
    /// The filter of the spec.
    pub filter: Filter,
    /// Where the subscription was declared.
    pub origin: Origin,
    /// When the subscription was created.
    pub created_at: Timestamp,
    /// Whether the subscription is active.
    pub state: State,
    /// Whether the address guard applies.
    pub guard: GuardState,
    /// The system that manages the subscription through a protocol of its own; `None` for all others.
    pub owner: Option<Arc<Owner>>,
    /// The replay that this value stands for; `None` for the subscription itself. Each replay has a
    /// `Subscription` value of its own, with the same definition.
    pub replay: Option<Replay>,
    /// The state shared with the lane.
    pub shared: Arc<SharedState>,
    retired: AtomicBool,
}

/// A replay of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The number of the replay.
    pub number: ReplayNumber,
    /// The events to send again.
    pub spec: ReplaySpec,
    /// When the replay was started.
    pub created_at: Timestamp,
}

impl Subscription {
    /// Creates a subscription from the store.
    pub(crate) fn from_stored(entry: StoredSubscription, context: &MatchContext) -> Self {
        let account = Account::restore(entry.start, entry.journal, entry.parked);
        let account = account.within(&entry.definition.reach);
        Self::new(
            (entry.id, entry.revision, entry.created_at),
            entry.definition,
            None,
            SharedState::new(account),
            context,
        )
    }

    /// Creates a replay of this subscription from the store.
    pub(crate) fn with_replay(&self, entry: StoredReplay, context: &MatchContext) -> Self {
        let replay = Replay {
            number: entry.number,
            spec: entry.spec,
            created_at: entry.created_at,
        };
        let account = Account::restore(replay.spec.from, entry.journal, entry.parked);
        Self::new(
            (self.id, self.revision, self.created_at),
            self.definition(),
            Some(replay),
            SharedState::new(account.within(&self.reach)),
            context,
        )
    }

    /// Returns the definition.
    pub(crate) fn definition(&self) -> Definition {
        Definition {
            reach: self.reach.clone(),
            spec: self.spec.clone(),
            origin: self.origin,
            state: self.state.clone(),
            guard: self.guard,
            owner: self.owner.clone(),
        }
    }

    /// Returns the full name.
    pub fn full_name(&self) -> FullName {
        FullName {
            name: self.spec.name.clone(),
            reach: self.reach.clone(),
        }
    }

    /// Returns the id of the lane that serves this subscription.
    pub fn lane_id(&self) -> LaneId {
        LaneId {
            subscription: self.id,
            replay: self.replay.as_ref().map(|replay| replay.number),
        }
    }

    /// Returns the end of a replay's range; `None` for a live subscription.
    pub fn end(&self) -> Option<Offset> {
        self.replay.as_ref().map(|replay| replay.spec.to)
    }

    /// Returns true for a replay that has nothing left to match, send or retry.
    pub fn has_ended(&self) -> bool {
        let Some(end) = self.end() else {
            return false;
        };
        let mut account = self.shared.account();
        account.first_unmatched() >= end && account.owed_count() == 0 && account.parked_count() == 0
    }

    /// Returns the filter of a replay of this subscription.
    pub fn replay_filter(&self, spec: &ReplaySpec) -> Filter {
        self.filter.clone().narrowed(spec)
    }

    /// Returns the most events sent per second. A replay has its own limit, or none.
    pub fn max_rate(&self) -> Option<MaxRate> {
        match &self.replay {
            Some(replay) => replay.spec.max_rate,
            None => self.spec.max_rate,
        }
    }

    /// Creates the next version, with a changed definition.
    pub(crate) fn next_version(
        &self,
        revision: Revision,
        definition: Definition,
        context: &MatchContext,
    ) -> Self {
        Self::new(
            (self.id, revision, self.created_at),
            definition,
            self.replay.clone(),
            Arc::clone(&self.shared),
            context,
        )
    }

    fn new(
        (id, revision, created_at): (SubscriptionId, Revision, Timestamp),
        definition: Definition,
        replay: Option<Replay>,
        shared: Arc<SharedState>,
        context: &MatchContext,
    ) -> Self {
        let Definition {
            reach,
            spec,
            origin,
            state,
            guard,
            owner,
        } = definition;
        let filter = Filter::new(&reach, &spec, context);
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
            guard,
            owner,
            created_at,
            state,
            shared,
            retired: AtomicBool::new(false),
        }
    }

    /// Returns true once this version was replaced or removed. A retired version must owe no new events.
    /// The result is reliable only while the caller holds the lock of the account.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// Retires this version. From now on, neither the feed nor a lane matches events for this version.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.shared.account().unfollow();
    }
}

/// The state of a subscription that its lane shares with other tasks.
#[derive(Debug)]
pub struct SharedState {
    account: Mutex<Account>,
    attempts: Mutex<AttemptLog>,
    hold: Mutex<Option<Hold>>,
    /// Locked while a command reads and changes rows of deliveries.
    pub(crate) command_lock: tokio::sync::Mutex<()>,
    /// Notified when there may be work for the lane.
    pub work: Notify,
}

/// A hold of a lane: until the hold ends, the lane sends nothing but single probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Since when the lane is on hold.
    pub since: Timestamp,
    /// When the next probe is due; `None` if the lane waits for an operator.
    pub until: Option<Timestamp>,
    /// Why the lane is on hold.
    pub reason: String,
}

impl SharedState {
    pub(crate) fn new(account: Account) -> Arc<Self> {
        Arc::new(Self {
            account: Mutex::new(account),
            attempts: Mutex::default(),
            command_lock: tokio::sync::Mutex::default(),
            hold: Mutex::new(None),
            work: Notify::new(),
        })
    }

    /// Locks the account. The lock must not be held across an await.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the attempt log. The lock must not be held across an await.
    pub fn attempts(&self) -> MutexGuard<'_, AttemptLog> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the hold of the lane, if the lane is on hold.
    pub fn hold(&self) -> Option<Hold> {
        self.hold
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Starts a hold of the lane, or ends it with `None`.
    pub fn set_hold(&self, hold: Option<Hold>) {
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = hold;
    }
}
