//! All subscriptions, in memory and on disk.
//!
//! Invariant: every definition in memory is already in the store. The state of events is written by
//! [`Subscriptions::save`]. Definitions change one at a time.

mod dead_letters;
mod declaration;
mod owned;
mod pausing;
mod replays;
mod saving;
mod unmatched;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use easel_catalog::{Reach, ReachRules, TellOperator};
use easel_log::{Bounds, Clock, Offset, SharedLog, run_blocking};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};

use crate::definition::Definition;
use crate::metrics;
use crate::state_store::{Epoch, NewSubscription, StateStore, StateStoreError, StoredSubscription};
use crate::{
    Balance, ChangeError, FullName, GuardState, MatchContext, Name, Origin, Owner, ReplayNumber,
    Spec, SpecCheck, Start, State, Subscription, Tombstone,
};
pub use dead_letters::Redelivery;
pub use declaration::Declaration;
pub use owned::OwnedChange;

/// The parts of a subscription that a change replaces.
type SubscriptionEdit = (Spec, Origin, State);

/// All subscriptions.
pub struct Subscriptions {
    log: SharedLog,
    clock: Arc<dyn Clock>,
    check: Arc<dyn SpecCheck>,
    context: MatchContext,
    store: Arc<dyn StateStore>,
    /// The lease of the lanes.
    epoch: Epoch,
    by_name: RwLock<BTreeMap<FullName, LaneSet>>,
    /// What is left of removed subscriptions, by the owner's id.
    tombstones: RwLock<BTreeMap<String, Tombstone>>,
    /// Locked while a definition changes.
    change_lock: Arc<Mutex<()>>,
    change_number: watch::Sender<u64>,
    /// Whether the latest save failed.
    save_failed: AtomicBool,
    /// Whether all deliveries are paused, until the process ends or a call resumes them.
    paused: AtomicBool,
    /// The latest head of the log in the store.
    saved_head: AtomicU64,
    tell_operator: TellOperator,
}

/// The current version of a subscription, with its replays.
#[derive(Debug)]
struct LaneSet {
    live: Arc<Subscription>,
    replays: BTreeMap<ReplayNumber, Arc<Subscription>>,
}

impl LaneSet {
    fn new(subscription: Subscription) -> Self {
        Self {
            live: Arc::new(subscription),
            replays: BTreeMap::new(),
        }
    }

    fn from_stored(mut entry: StoredSubscription, context: &MatchContext) -> Self {
        let replays = std::mem::take(&mut entry.replays);
        let mut lane_set = Self::new(Subscription::from_stored(entry, context));
        for replay in replays {
            let number = replay.number;
            let replay = Arc::new(lane_set.live.with_replay(replay, context));
            lane_set.replays.insert(number, replay);
        }
        lane_set
    }

    /// Iterates over the subscription and its replays.
    fn lanes(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        std::iter::once(&self.live).chain(self.replays.values())
    }
}

impl Subscriptions {
    /// Takes over the lanes in `store`, and loads all subscriptions.
    pub async fn open(
        store: Arc<dyn StateStore>,
        log: SharedLog,
        clock: Arc<dyn Clock>,
        check: Arc<dyn SpecCheck>,
        context: impl Into<MatchContext>,
    ) -> Result<Self, StateStoreError> {
        let context = context.into();
        metrics::describe();
        let (epoch, entries) = store.take_over().await?;
        let by_name = entries
            .into_iter()
            .map(|entry| {
                (
                    entry.definition.full_name(),
                    LaneSet::from_stored(entry, &context),
                )
            })
            .collect();
        let tombstones = store.tombstones().await?.into_iter();
        let tombstones = tombstones.map(|tombstone| (tombstone.owner.id.clone(), tombstone));
        Ok(Self {
            tombstones: RwLock::new(tombstones.collect()),
            log,
            clock,
            check,
            context,
            store,
            epoch,
            by_name: RwLock::new(by_name),
            change_lock: Arc::default(),
            change_number: watch::Sender::new(0),
            save_failed: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            saved_head: AtomicU64::new(0),
            tell_operator: TellOperator::default(),
        })
    }

    /// Reports lost events of subscriptions to operators through `tell_operator`.
    #[must_use]
    pub fn with_operator(self, tell_operator: TellOperator) -> Self {
        Self {
            tell_operator,
            ..self
        }
    }

    /// Creates a subscription. Its reach never changes.
    pub async fn create(
        self: &Arc<Self>,
        reach: Reach,
        spec: Spec,
    ) -> Result<Arc<Subscription>, ChangeError> {
        self.validate(&spec)?;
        self.check
            .check_resolved(&spec)
            .await
            .map_err(ChangeError::invalid(&spec))?;
        self.check.prepare(&spec).await;
        self.insert(reach, spec, Origin::Api, None).await
    }

    /// Replaces the spec of the subscription with this reach and the name in `spec`, as
    /// [`update_from`](Self::update_from) does for its current version.
    pub async fn update(
        self: &Arc<Self>,
        reach: Reach,
        spec: Spec,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let name = spec.name.clone();
        let current = self.get(&FullName { name, reach })?;
        self.update_from(&current, spec).await
    }

    /// Replaces the spec of a subscription. `current` is the version that `spec` was made from: where the spec
    /// has a text that is shown in place of a secret, the secret stays. The cursor stays too. If the file no
    /// longer declares the subscription, it becomes active and belongs to the API.
    ///
    /// # Errors
    ///
    /// Fails with [`StateStoreError::Changed`] if `current` is outdated.
    pub async fn update_from(
        self: &Arc<Self>,
        current: &Arc<Subscription>,
        spec: Spec,
    ) -> Result<Arc<Subscription>, ChangeError> {
        if let Some(owner) = &current.owner {
            let name = current.spec.name.clone();
            let owner = owner.system.as_str();
            return Err(ChangeError::Owned { name, owner });
        }
        let has_same_origin = self.check.has_same_origin(&spec, &current.spec);
        let spec = spec.keep_secrets(&current.spec, has_same_origin);
        self.validate(&spec)?;
        if guard_after_change(current, &spec) == GuardState::Enforced {
            let checked = self.check.check_resolved(&spec).await;
            checked.map_err(ChangeError::invalid(&spec))?;
        }
        self.check.prepare(&spec).await;
        let (id, revision) = (current.id, current.revision);
        self.change(current.full_name(), move |current| {
            if (current.id, current.revision) != (id, revision) {
                return Err(StateStoreError::Changed { id }.into());
            }
            match (current.origin, &current.state) {
                (Origin::Api, state) => Ok((spec, Origin::Api, state.clone())),
                (Origin::File, State::Deactivated { reason: None }) => {
                    Ok((spec, Origin::Api, State::Active))
                }
                (Origin::File, _) => Err(ChangeError::DeclaredInFile { name: spec.name }),
            }
        })
        .await
    }

    /// Applies the address guard to a subscription that is older than the guard. If the guard refuses its
    /// address, the subscription goes on hold.
    pub async fn enforce_guard(
        self: &Arc<Self>,
        name: &FullName,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let name = name.clone();
        self.exclusively(async move |subscriptions| {
            let current = subscriptions.get(&name)?;
            if current.guard == GuardState::Enforced {
                return Ok(current);
            }
            let definition = Definition {
                guard: GuardState::Enforced,
                ..current.definition()
            };
            subscriptions.store_definition(&current, definition).await
        })
        .await
    }

    /// Sets the state of this version of a subscription. Returns `None` if the version is outdated.
    pub async fn set_state_if_current(
        self: &Arc<Self>,
        version: &Arc<Subscription>,
        state: State,
    ) -> Result<Option<Arc<Subscription>>, ChangeError> {
        let version = Arc::clone(version);
        self.exclusively(async move |subscriptions| {
            if version.is_retired() {
                return Ok(None);
            }
            let current = subscriptions.get(&version.full_name())?;
            let edit = (current.spec.clone(), current.origin, state);
            let changed = subscriptions.replace_definition(&current, edit).await?;
            Ok(Some(changed))
        })
        .await
    }

    /// Deletes a subscription. Its owner, if there is one, can still see it.
    pub async fn remove(self: &Arc<Self>, name: &FullName) -> Result<(), ChangeError> {
        let name = name.clone();
        self.exclusively(async move |subscriptions| {
            let current = subscriptions.get(&name)?;
            if current.origin == Origin::File && current.state != State::UNDECLARED {
                let name = current.spec.name.clone();
                return Err(ChangeError::DeclaredInFile { name });
            }
            let owner = current.owner.as_deref().cloned();
            let tombstone = owner.map(|owner| subscriptions.tombstone_of(owner));
            subscriptions.remove_version(&current, tombstone).await
        })
        .await
    }

    /// Returns all subscriptions, by name.
    pub fn list(&self) -> Vec<Arc<Subscription>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name
            .values()
            .map(|lane_set| Arc::clone(&lane_set.live))
            .collect()
    }

    /// Returns all subscriptions and replays, by name and number. Each of them has a lane.
    pub fn lanes(&self) -> Vec<Arc<Subscription>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name
            .values()
            .flat_map(LaneSet::lanes)
            .map(Arc::clone)
            .collect()
    }

    /// Returns the subscription with this full name.
    pub fn get(&self, name: &FullName) -> Result<Arc<Subscription>, ChangeError> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let found = by_name.get(name);
        let found = found.map(|lane_set| Arc::clone(&lane_set.live));
        found.ok_or_else(|| ChangeError::Unknown {
            name: name.name.to_string(),
        })
    }

    /// Returns the full name that a caller with this reach means by `text`. A caller without a confined reach may
    /// leave out the root account if only one subscription has the name.
    ///
    /// # Errors
    ///
    /// Fails with [`ChangeError::Unknown`] if no subscription can have this name. So a name that is invalid
    /// and a name that nobody has are the same.
    pub fn full_name(&self, reach: &Reach, text: &str) -> Result<FullName, ChangeError> {
        let meant = FullName::meant_by(reach, text).ok_or_else(|| ChangeError::Unknown {
            name: text.to_owned(),
        })?;
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        if *reach != Reach::Everything
            || meant.reach != Reach::Everything
            || by_name.contains_key(&meant)
        {
            return Ok(meant);
        }
        let mut same_name = by_name.keys().filter(|known| known.name == meant.name);
        Ok(match (same_name.next(), same_name.next()) {
            (Some(only), None) => only.clone(),
            (Some(_), Some(_)) | (None, _) => meant,
        })
    }

    /// Returns a receiver that is notified when the list changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.change_number.subscribe()
    }

    /// Pauses all deliveries until [`Self::resume_deliveries`]. Attempts in flight continue to their end.
    /// The subscriptions do not change, and a restart ends the pause.
    pub fn pause_deliveries(&self) {
        self.paused.store(true, Ordering::Release);
        self.change_number.send_modify(|number| *number += 1);
    }

    /// Ends the pause of [`Self::pause_deliveries`].
    pub fn resume_deliveries(&self) {
        self.paused.store(false, Ordering::Release);
        self.change_number.send_modify(|number| *number += 1);
    }

    /// Returns true if all deliveries are paused.
    pub fn deliveries_are_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Returns the rules about events whose root account is not certain.
    pub const fn reach_rules(&self) -> ReachRules {
        self.context.reach_rules
    }

    /// Returns the current balance of a subscription.
    pub fn balance(&self, subscription: &Subscription) -> Balance {
        let mut account = subscription.shared.account();
        account.balance(|| {
            let Bounds { tail, head } = *self.log.bounds().borrow();
            let end = subscription.end().unwrap_or(head);
            Bounds {
                tail: std::cmp::min(tail, end),
                head: std::cmp::min(head, end),
            }
        })
    }

    fn validate(&self, spec: &Spec) -> Result<(), ChangeError> {
        let checked = spec
            .validate(&self.context.catalog)
            .and_then(|()| self.check.check(spec));
        checked.map_err(ChangeError::invalid(spec))
    }

    /// Finds the offset at which a new subscription begins.
    async fn find_start(&self, spec: &Spec) -> Result<Offset, ChangeError> {
        self.find_offset(&spec.name, spec.start).await
    }

    /// Returns the offset that `start` means now.
    async fn find_offset(&self, name: &Name, start: Start) -> Result<Offset, ChangeError> {
        let bounds = *self.log.bounds().borrow();
        Ok(match start {
            Start::Now => bounds.head,
            Start::Earliest => bounds.tail,
            Start::Time(time) => self.log.find_time(time).await?,
            Start::Offset(offset) if offset <= bounds.head => offset,
            Start::Offset(offset) => {
                let what = format!(
                    "the start position {offset} must not be after the end of the log, {}",
                    bounds.head
                );
                return Err(ChangeError::Invalid {
                    name: name.clone(),
                    what,
                });
            }
        })
    }

    async fn insert(
        self: &Arc<Self>,
        reach: Reach,
        spec: Spec,
        origin: Origin,
        owner: Option<Arc<Owner>>,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let start = self.find_start(&spec).await?;
        self.exclusively(async move |subscriptions| {
            let name = FullName {
                name: spec.name.clone(),
                reach: reach.clone(),
            };
            if subscriptions.get(&name).is_ok() {
                return Err(ChangeError::NameTaken { name: spec.name });
            }
            let new = NewSubscription {
                definition: Definition {
                    reach,
                    spec,
                    origin,
                    state: State::Active,
                    guard: GuardState::Enforced,
                    owner,
                },
                created_at: subscriptions.clock.now(),
                start,
            };
            let store = &subscriptions.store;
            let entry = store.insert(subscriptions.epoch, new).await?;
            let lane_set = LaneSet::from_stored(entry, &subscriptions.context);
            let live = Arc::clone(&lane_set.live);
            subscriptions.modify(|by_name| by_name.insert(name, lane_set));
            subscriptions.forget_tombstone(live.owner.as_deref());
            Ok(live)
        })
        .await
    }

    /// Applies `change` to the current version of a subscription.
    async fn change(
        self: &Arc<Self>,
        name: FullName,
        change: impl FnOnce(&Subscription) -> Result<SubscriptionEdit, ChangeError> + Send + 'static,
    ) -> Result<Arc<Subscription>, ChangeError> {
        self.exclusively(async move |subscriptions| {
            let current = subscriptions.get(&name)?;
            let edit = change(&current)?;
            subscriptions.replace_definition(&current, edit).await
        })
        .await
    }

    async fn replace_definition(
        &self,
        current: &Subscription,
        (spec, origin, state): SubscriptionEdit,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let definition = Definition {
            reach: current.reach.clone(),
            guard: guard_after_change(current, &spec),
            owner: current.owner.clone(),
            spec,
            origin,
            state,
        };
        self.store_definition(current, definition).await
    }

    async fn store_definition(
        &self,
        current: &Subscription,
        definition: Definition,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let stored = self
            .store
            .update(current.id, current.revision, definition.clone());
        let revision = stored.await?;
        let change = |current: &Subscription| {
            let changed = current.next_version(revision, definition.clone(), &self.context);
            current.retire();
            Arc::new(changed)
        };
        let changed = change(current);
        let forgets_note = forgets_note(current, &changed);
        self.modify(|by_name| {
            if let Some(lane_set) = by_name.get_mut(&current.full_name()) {
                lane_set.live = Arc::clone(&changed);
                for replay in lane_set.replays.values_mut() {
                    *replay = change(replay);
                }
                if forgets_note {
                    let lanes = lane_set.replays.values().chain([&lane_set.live]);
                    lanes.for_each(|lane| lane.shared.account().clear_note());
                }
            }
        });
        Ok(changed)
    }

    /// Returns the number of the lease. A later server on the same store has a greater number.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Runs one change at a time. A change runs to its end even if the caller is cancelled, because
    /// store and memory must agree.
    async fn exclusively<T: Send + 'static, F>(self: &Arc<Self>, work: F) -> T
    where
        F: AsyncFnOnce(&Self) -> T + Send + 'static,
    {
        let (subscriptions, runtime) = (Arc::clone(self), Handle::current());
        // The lock is taken before a thread is blocked. Otherwise, changes that wait for the lock could block
        // all threads, and the store would have none.
        let turn = Arc::clone(&self.change_lock).lock_owned().await;
        let work = move || {
            let done = runtime.block_on(work(&subscriptions));
            drop(turn);
            done
        };
        run_blocking(work).await
    }

    fn modify<T>(&self, change: impl FnOnce(&mut BTreeMap<FullName, LaneSet>) -> T) -> T {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut by_name);
        self.change_number.send_modify(|number| *number += 1);
        result
    }
}

/// Returns true if the notes of a sink are no longer true: events go to another destination, or an operator has
/// accepted the reason for which the sink stopped.
fn forgets_note(before: &Subscription, after: &Subscription) -> bool {
    let was_stopped = matches!(before.state, State::Paused { reason: Some(_) });
    was_stopped && after.state == State::Active
        || !before.spec.sink.has_same_destination(&after.spec.sink)
}

/// Returns the state of the address guard after a change to `spec`. If the URL changes, the guard applies.
fn guard_after_change(current: &Subscription, spec: &Spec) -> GuardState {
    if current.spec.sink.url() == spec.sink.url() {
        current.guard
    } else {
        GuardState::Enforced
    }
}

impl std::fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriptions")
            .field("all", &self.list())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
