//! The subscriptions that another system manages.
//!
//! Spec and document of the owner change together. A removed subscription leaves a tombstone, whoever removed
//! it, so its owner can still see it.

use std::sync::{Arc, PoisonError};

use easel_catalog::Reach;
use jiff::Timestamp;

use super::{LaneSet, Subscriptions, guard_after_change};
use crate::definition::Definition;
use crate::state_store::StateStoreError;
use crate::{
    ChangeError, FullName, GuardState, Origin, Owner, Spec, State, Subscription, Tombstone,
};

/// The parts of a subscription that its owner replaces.
#[derive(Clone, Debug)]
pub struct OwnedChange {
    /// The new spec, with all secrets.
    pub spec: Spec,
    /// The owner with its new document.
    pub owner: Owner,
    /// The new state.
    pub state: State,
}

impl Subscriptions {
    /// Creates a subscription with this reach for its owner. Removes the tombstone with the owner's id, if there is one.
    pub async fn create_owned(
        self: &Arc<Self>,
        reach: Reach,
        spec: Spec,
        owner: Owner,
    ) -> Result<Arc<Subscription>, ChangeError> {
        self.validate(&spec)?;
        let checked = self.check.check_resolved(&spec).await;
        checked.map_err(ChangeError::invalid(&spec))?;
        self.check.prepare(&spec).await;
        let owner = Some(Arc::new(owner));
        self.insert(reach, spec, Origin::Api, owner).await
    }

    /// Replaces spec, document and state of a subscription for its owner. The name must stay the same.
    ///
    /// # Errors
    ///
    /// Fails with [`StateStoreError::Changed`] if `current` is outdated.
    pub async fn update_owned(
        self: &Arc<Self>,
        current: &Arc<Subscription>,
        change: OwnedChange,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let spec = &change.spec;
        self.validate(spec)?;
        if guard_after_change(current, spec) == GuardState::Enforced {
            let checked = self.check.check_resolved(spec).await;
            checked.map_err(ChangeError::invalid(spec))?;
        }
        self.check.prepare(spec).await;
        let (id, revision) = (current.id, current.revision);
        let name = FullName {
            name: spec.name.clone(),
            reach: current.reach.clone(),
        };
        self.exclusively(async move |subscriptions| {
            let OwnedChange { spec, owner, state } = change;
            let current = subscriptions.get(&name)?;
            if (current.id, current.revision) != (id, revision) {
                return Err(StateStoreError::Changed { id }.into());
            }
            let definition = Definition {
                reach: current.reach.clone(),
                guard: guard_after_change(&current, &spec),
                origin: current.origin,
                spec,
                state,
                owner: Some(Arc::new(owner)),
            };
            subscriptions.store_definition(&current, definition).await
        })
        .await
    }

    /// Deletes a subscription for its owner. Its tombstone has the owner's latest document.
    ///
    /// # Errors
    ///
    /// Fails with [`StateStoreError::Changed`] if `current` is outdated.
    pub async fn remove_owned(
        self: &Arc<Self>,
        current: &Arc<Subscription>,
        owner: Owner,
    ) -> Result<(), ChangeError> {
        let current = Arc::clone(current);
        self.exclusively(async move |subscriptions| {
            let tombstone = subscriptions.tombstone_of(owner);
            subscriptions
                .remove_version(&current, Some(tombstone))
                .await
        })
        .await
    }

    /// Returns what is left of removed subscriptions, by the owner's id.
    pub fn tombstones(&self) -> Vec<Tombstone> {
        let tombstones = self
            .tombstones
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        tombstones.values().cloned().collect()
    }

    /// Deletes the tombstones of subscriptions that were removed before `before`.
    pub async fn remove_tombstones(self: &Arc<Self>, before: Timestamp) -> Result<(), ChangeError> {
        let is_old = move |tombstone: &Tombstone| tombstone.removed_at < before;
        if !self.tombstones().iter().any(is_old) {
            return Ok(());
        }
        self.exclusively(async move |subscriptions| {
            subscriptions.store.remove_tombstones(before).await?;
            let mut tombstones = subscriptions
                .tombstones
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            tombstones.retain(|_, tombstone| !is_old(tombstone));
            Ok(())
        })
        .await
    }

    /// Returns the tombstone of a subscription that is removed now.
    pub(super) fn tombstone_of(&self, owner: Owner) -> Tombstone {
        let removed_at = self.clock.now();
        // The store keeps milliseconds.
        let removed_at = Timestamp::from_millisecond(removed_at.as_millisecond());
        Tombstone {
            owner,
            removed_at: removed_at.unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// Deletes this version of a subscription. Call it only while holding the lock of changes.
    pub(super) async fn remove_version(
        &self,
        current: &Subscription,
        tombstone: Option<Tombstone>,
    ) -> Result<(), ChangeError> {
        let removed = self
            .store
            .remove(current.id, current.revision, tombstone.clone());
        removed.await?;
        // The tombstone comes first, so that the owner always finds one of the two.
        self.add_tombstone(tombstone);
        let removed = self.modify(|by_name| by_name.remove(&current.full_name()));
        for lane in removed.iter().flat_map(LaneSet::lanes) {
            lane.retire();
        }
        Ok(())
    }

    fn add_tombstone(&self, tombstone: Option<Tombstone>) {
        let mut tombstones = self
            .tombstones
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        tombstones.extend(tombstone.map(|tombstone| (tombstone.owner.id.clone(), tombstone)));
    }

    /// Forgets the tombstone of a subscription that exists again. The store has removed it already.
    pub(super) fn forget_tombstone(&self, owner: Option<&Owner>) {
        if let Some(owner) = owner {
            let mut tombstones = self
                .tombstones
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            tombstones.remove(&owner.id);
        }
    }
}
