//! The trait of every store of subscriptions, and its promises.

use std::fmt::Debug;

use async_trait::async_trait;
use easel_log::Offset;
use jiff::Timestamp;
use thiserror::Error;

use crate::{
    AttemptPart, DeadLetter, Definition, Journal, LaneId, LoggedAttempt, Name, Parked, ReplaySpec,
    StoredReplay, SubscriptionId, Tombstone,
};

/// A store of subscriptions and the journals of their lanes, on stable storage.
///
/// Every backend makes these promises, and the promises suite tests them:
///
/// - after a call succeeds, its change is on stable storage, and the next
///   [`take_over`](Self::take_over) finds it;
/// - a name is unique within a reach, and an id is never reused;
/// - an update or a removal with an outdated revision is rejected and changes nothing;
/// - every `take_over` starts the next epoch; after it, a save with an older epoch is rejected and
///   changes nothing;
/// - a save is atomic; a journal and its rows never replace a journal with the same or a greater
///   number;
/// - each delivery has at most one row; a row of a later journal replaces it;
/// - a journal of a removed subscription or replay is ignored;
/// - a subscription with an owner exists, or its tombstone does, never both.
#[async_trait]
pub trait StateStore: Debug + Send + Sync + 'static {
    /// Takes over all lanes. Returns the epoch of the new lease and all subscriptions, by id.
    async fn take_over(&self) -> Result<(Epoch, Vec<StoredSubscription>), StateStoreError>;

    /// Adds a subscription. Removes the tombstone of its owner's id, if there is one.
    async fn insert(
        &self,
        epoch: Epoch,
        new: NewSubscription,
    ) -> Result<StoredSubscription, StateStoreError>;

    /// Replaces the definition of a subscription if `revision` is the current one. Returns the new
    /// revision. The call requires no lease, only the current revision.
    async fn update(
        &self,
        id: SubscriptionId,
        revision: Revision,
        definition: Definition,
    ) -> Result<Revision, StateStoreError>;

    /// Deletes a subscription and the journals of its lanes, if `revision` is the current one. Adds the
    /// tombstone in the same transaction.
    async fn remove(
        &self,
        id: SubscriptionId,
        revision: Revision,
        tombstone: Option<Tombstone>,
    ) -> Result<(), StateStoreError>;

    /// Returns all tombstones, by id.
    async fn tombstones(&self) -> Result<Vec<Tombstone>, StateStoreError>;

    /// Deletes the tombstones of subscriptions that were removed before `before`.
    async fn remove_tombstones(&self, before: Timestamp) -> Result<(), StateStoreError>;

    /// Adds a replay of a subscription. Its number is greater than the number of every earlier replay,
    /// including deleted ones.
    async fn insert_replay(
        &self,
        epoch: Epoch,
        id: SubscriptionId,
        spec: ReplaySpec,
        created_at: Timestamp,
    ) -> Result<StoredReplay, StateStoreError>;

    /// Deletes a replay with its journal and all its rows.
    async fn remove_replay(&self, epoch: Epoch, lane: LaneId) -> Result<(), StateStoreError>;

    /// Returns at most `max_count` dead letters of a lane from an offset on, by offset.
    async fn dead_letters(
        &self,
        lane: LaneId,
        from: Offset,
        max_count: usize,
    ) -> Result<Vec<(Offset, DeadLetter)>, StateStoreError>;

    /// Returns at most `max_count` dead letters of all lanes that died before `time`.
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

    /// Returns the attempts of a lane that leases before `epoch` saved, the oldest first: at most
    /// [`AttemptLog::MAX`](crate::AttemptLog::MAX).
    async fn attempts_before(
        &self,
        epoch: Epoch,
        lane: LaneId,
    ) -> Result<Vec<LoggedAttempt>, StateStoreError>;

    /// Saves journals and the head of the log.
    async fn save(
        &self,
        epoch: Epoch,
        journals: Vec<(LaneId, Journal)>,
        head: Offset,
    ) -> Result<(), StateStoreError>;
}

/// The number of a lease of the lanes. A later lease has a greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// The version of a subscription's definition, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a definition that was never changed.
    pub const FIRST: Self = Self(1);

    /// Returns the next revision.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A new subscription to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubscription {
    /// The definition.
    pub definition: Definition,
    /// When the subscription was created.
    pub created_at: Timestamp,
    /// The offset at which the subscription begins.
    pub start: Offset,
}

/// A stored subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSubscription {
    /// The number of the subscription.
    pub id: SubscriptionId,
    /// The version of the definition.
    pub revision: Revision,
    /// The definition.
    pub definition: Definition,
    /// When the subscription was created.
    pub created_at: Timestamp,
    /// The offset at which the subscription begins.
    pub start: Offset,
    /// The latest journal of the live lane.
    pub journal: Journal,
    /// The parked deliveries of the live lane.
    pub parked: Vec<(Offset, Parked)>,
    /// The replays, by number.
    pub replays: Vec<StoredReplay>,
}

/// Why subscriptions could not be read or saved.
#[derive(Debug, Error)]
pub enum StateStoreError {
    /// The storage failed.
    #[error("use the subscription store: {reason}")]
    Failed {
        /// The error of the storage.
        reason: String,
    },
    /// A stored row is invalid.
    #[error("read subscription {name} from the store: {what}")]
    Row {
        /// The name of the subscription.
        name: String,
        /// Why the row is invalid.
        what: String,
    },
    /// Another subscription has this name.
    #[error("subscription {name} already exists")]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// The subscription was changed or removed meanwhile.
    #[error("change subscription {id}: another command changed or removed it meanwhile")]
    Changed {
        /// The id of the subscription.
        id: SubscriptionId,
    },
    /// Another process has taken over the lanes.
    #[error("continue the lanes: another process has taken them over (lease of epoch {})", epoch.0)]
    Stale {
        /// The epoch of the lease that has ended.
        epoch: Epoch,
    },
}
