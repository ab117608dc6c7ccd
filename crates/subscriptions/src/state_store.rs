//! The trait that every store of subscriptions implements, and what it promises.

use std::fmt::Debug;

use async_trait::async_trait;
use easel_catalog::Reach;
use easel_log::Offset;
use jiff::Timestamp;
use thiserror::Error;

use crate::{
    AttemptPart, DeadLetter, Journal, LaneId, LoggedAttempt, Name, Origin, Parked, ReplayEntry,
    ReplaySpec, Spec, State, SubscriptionId,
};

/// Subscriptions with the journals of their lanes, on stable storage.
///
/// Every backend promises, and the promises suite tests:
///
/// - what was answered with success is on stable storage, and is found by the next
///   [`take_over`](Self::take_over);
/// - a name is unique within a reach, and an id is never used again;
/// - an update or a removal whose revision is not the current one is refused and changes nothing;
/// - every `take_over` takes the next epoch, and from then on a save with an older one is refused,
///   all of it;
/// - a save is done whole or not at all, and a journal never takes the place of one with the same or
///   a greater number, nor do its rows;
/// - of each delivery there is one row at most, that of the latest journal which had one;
/// - a journal of a subscription or replay that was removed is ignored.
#[async_trait]
pub trait StateStore: Debug + Send + Sync + 'static {
    /// Takes over all lanes, and returns the epoch of that lease with everything there is, by id.
    async fn take_over(&self) -> Result<(Epoch, Vec<StoredSubscription>), StateStoreError>;

    /// Adds a subscription.
    async fn insert(
        &self,
        epoch: Epoch,
        new: NewEntry,
    ) -> Result<StoredSubscription, StateStoreError>;

    /// Replaces what a subscription is, if `revision` is the current one. Returns the new revision.
    /// That takes no lease: whoever knows the current revision may change a definition.
    async fn update(
        &self,
        id: SubscriptionId,
        revision: Revision,
        definition: Definition,
    ) -> Result<Revision, StateStoreError>;

    /// Forgets a subscription and the journals of its lanes, if `revision` is the current one.
    async fn remove(&self, id: SubscriptionId, revision: Revision) -> Result<(), StateStoreError>;

    /// Adds a replay of a subscription. Its number is greater than that of any replay which the
    /// subscription has or has had.
    async fn insert_replay(
        &self,
        epoch: Epoch,
        id: SubscriptionId,
        spec: ReplaySpec,
        created_at: Timestamp,
    ) -> Result<ReplayEntry, StateStoreError>;

    /// Forgets a replay with its journal and all of its rows.
    async fn remove_replay(&self, epoch: Epoch, lane: LaneId) -> Result<(), StateStoreError>;

    /// The dead letters of a lane from an offset on, by offset: so many at most.
    async fn dead_letters(
        &self,
        lane: LaneId,
        from: Offset,
        max_count: usize,
    ) -> Result<Vec<(Offset, DeadLetter)>, StateStoreError>;

    /// Dead letters of any lane that died before `time`: so many at most.
    async fn dead_before(
        &self,
        time: Timestamp,
        max_count: usize,
    ) -> Result<Vec<(LaneId, Offset, DeadLetter)>, StateStoreError>;

    /// Saves parts of the attempt logs of lanes.
    async fn save_attempts(
        &self,
        epoch: Epoch,
        parts: Vec<AttemptPart>,
    ) -> Result<(), StateStoreError>;

    /// The attempts of a lane that leases before `epoch` have saved, the oldest first; no more than
    /// an attempt log keeps.
    async fn attempts_before(
        &self,
        epoch: Epoch,
        lane: LaneId,
    ) -> Result<Vec<LoggedAttempt>, StateStoreError>;

    /// Saves journals, and that the log was seen to end at `head`.
    async fn save(
        &self,
        epoch: Epoch,
        journals: Vec<(LaneId, Journal)>,
        head: Offset,
    ) -> Result<(), StateStoreError>;
}

/// Which lease of the lanes it is. A later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// Which version of a subscription's definition it is, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a definition that was never changed.
    pub const FIRST: Self = Self(1);

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a subscription is, apart from what became of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Whose events it may have.
    pub reach: Reach,
    /// What was asked for.
    pub spec: Spec,
    /// Where it was declared.
    pub origin: Origin,
    /// Whether it is to be served.
    pub state: State,
}

/// A subscription that is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// What it is.
    pub definition: Definition,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first offset that it is owed.
    pub start: Offset,
}

/// A subscription as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSubscription {
    /// Its number.
    pub id: SubscriptionId,
    /// The version of its definition.
    pub revision: Revision,
    /// What it is.
    pub definition: Definition,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first offset that it is owed.
    pub start: Offset,
    /// The latest journal of its live lane.
    pub journal: Journal,
    /// The parked deliveries of its live lane.
    pub parked: Vec<(Offset, Parked)>,
    /// Its replays, by number.
    pub replays: Vec<ReplayEntry>,
}

/// Why subscriptions could not be read or saved.
#[derive(Debug, Error)]
pub enum StateStoreError {
    /// The storage failed.
    #[error("use the subscription store: {reason}")]
    Failed {
        /// What the storage said.
        reason: String,
    },
    /// What is stored is not what this program writes.
    #[error("read subscription {name} from the store: {what}")]
    Row {
        /// Whose row.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is one of that name.
    #[error("there is a subscription named {name} already")]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// Somebody else has changed or removed the subscription meanwhile.
    #[error("subscription {id} was changed meanwhile")]
    Changed {
        /// Which one.
        id: SubscriptionId,
    },
    /// Another process has taken over the lanes.
    #[error("the lease of epoch {} has ended: another process has taken over", epoch.0)]
    Stale {
        /// The epoch of the lease that has ended.
        epoch: Epoch,
    },
}
