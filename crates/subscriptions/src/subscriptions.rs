//! All subscriptions, in memory and on disk.
//!
//! Invariant: what the map holds is in the store already, except for what became of events, which
//! [`Subscriptions::save`] brings up to date. Definitions change one at a time.

mod dead_letters;
mod replays;
mod saving;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use easel_catalog::{Catalog, Reach, TellOperator};
use easel_log::{Bounds, Clock, Offset, ReadError, SharedLog};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use crate::metrics;
use crate::state_store::{
    Definition, Epoch, NewEntry, StateStore, StateStoreError, StoredSubscription,
};
use crate::{Balance, Name, Origin, ReplayNumber, Spec, Start, State, Subscription};
pub use dead_letters::Redelivery;

/// Says of a spec whether it can be served at all; what cannot is refused before it is kept.
pub type SpecCheck = Box<dyn Fn(&Spec) -> Result<(), String> + Send + Sync>;

/// What a change may change.
type SubscriptionEdit = (Spec, Origin, State);

/// All subscriptions.
pub struct Subscriptions {
    log: SharedLog,
    clock: Arc<dyn Clock>,
    check: SpecCheck,
    catalog: Arc<Catalog>,
    store: Arc<dyn StateStore>,
    /// The lease of the lanes.
    epoch: Epoch,
    all: RwLock<BTreeMap<Name, Versions>>,
    /// Held while a definition changes.
    changing: Arc<Mutex<()>>,
    change_number: watch::Sender<u64>,
    /// Whether the latest save failed.
    save_failed: AtomicBool,
    /// Whether nothing is to be sent to anybody, until the process ends or is asked to resume.
    paused: AtomicBool,
    /// The head of the log that the store knows about.
    saved_head: AtomicU64,
    tell_operator: TellOperator,
}

/// A subscription as it stands, with its replays.
#[derive(Debug)]
struct Versions {
    live: Arc<Subscription>,
    replays: BTreeMap<ReplayNumber, Arc<Subscription>>,
}

impl Versions {
    fn of(subscription: Subscription) -> Self {
        Self {
            live: Arc::new(subscription),
            replays: BTreeMap::new(),
        }
    }

    fn stored(mut entry: StoredSubscription, catalog: &Arc<Catalog>) -> Self {
        let replays = std::mem::take(&mut entry.replays);
        let mut versions = Self::of(Subscription::stored(entry, catalog));
        for replay in replays {
            let number = replay.number;
            let replay = Arc::new(versions.live.replay(replay, catalog));
            versions.replays.insert(number, replay);
        }
        versions
    }

    /// The subscription and its replays.
    fn lanes(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        std::iter::once(&self.live).chain(self.replays.values())
    }
}

/// Why a subscription was not made or changed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// There is one of that name.
    #[error("there is a subscription named {name} already")]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// There is none of that name.
    #[error("there is no subscription named {name:?}")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// It has no replay of that number.
    #[error("subscription {name} has no replay {number}")]
    UnknownReplay {
        /// The name.
        name: Name,
        /// The number.
        number: ReplayNumber,
    },
    /// The file declares it, so the file alone may change it.
    #[error("subscription {name} is declared in the configuration file; change it there")]
    DeclaredInFile {
        /// The name.
        name: Name,
    },
    /// The file declared it once and no longer does.
    #[error(
        "subscription {name} is deactivated, since the configuration file no longer declares it; \
         declare it again, or replace it through the API"
    )]
    Deactivated {
        /// The name.
        name: Name,
    },
    /// It cannot be served.
    #[error("subscription {name}: {what}")]
    Invalid {
        /// The name.
        name: Name,
        /// What is wrong with it.
        what: String,
    },
    /// It could not be saved.
    #[error(transparent)]
    Store(#[from] StateStoreError),
    /// Its start could not be looked up.
    #[error(transparent)]
    Log(#[from] ReadError),
}

impl Subscriptions {
    /// Takes over the lanes in `store`, and reads what it holds.
    pub async fn open(
        store: Arc<dyn StateStore>,
        log: SharedLog,
        clock: Arc<dyn Clock>,
        check: SpecCheck,
        catalog: Arc<Catalog>,
    ) -> Result<Self, StateStoreError> {
        metrics::describe();
        let (epoch, entries) = store.take_over().await?;
        let all = entries
            .into_iter()
            .map(|entry| {
                (
                    entry.definition.spec.name.clone(),
                    Versions::stored(entry, &catalog),
                )
            })
            .collect();
        Ok(Self {
            log,
            clock,
            check,
            catalog,
            store,
            epoch,
            all: RwLock::new(all),
            changing: Arc::default(),
            change_number: watch::Sender::new(0),
            save_failed: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            saved_head: AtomicU64::new(0),
            tell_operator: TellOperator::default(),
        })
    }

    /// Reports through `tell_operator` what subscriptions lose.
    #[must_use]
    pub fn with_operator(self, tell_operator: TellOperator) -> Self {
        Self {
            tell_operator,
            ..self
        }
    }

    /// Makes the subscriptions of the configuration file what the file says: new ones are made,
    /// known ones changed, and active ones that the file no longer names are deactivated.
    ///
    /// What cannot be served is refused before anything changes.
    pub async fn declare(self: &Arc<Self>, specs: Vec<Spec>) -> Result<(), ChangeError> {
        for spec in &specs {
            self.check(spec)?;
            if self.get(spec.name.as_str()).is_err() {
                self.start_of(spec).await?;
            }
        }
        for known in self.list() {
            let declared = specs.iter().any(|spec| spec.name == known.spec.name);
            if known.origin == Origin::File && known.state == State::Active && !declared {
                info!(subscription = %known.spec.name, "subscription no longer declared");
                self.change(known.spec.name.clone(), |known| {
                    Ok((known.spec.clone(), Origin::File, State::UNDECLARED))
                })
                .await?;
            }
        }
        for spec in specs {
            let Ok(known) = self.get(spec.name.as_str()) else {
                self.make(spec, Origin::File).await?;
                continue;
            };
            // What stays as it is keeps its lane.
            let is_in_force = known.origin == Origin::File && known.state != State::UNDECLARED;
            if is_in_force && known.spec == spec {
                continue;
            }
            self.change(spec.name.clone(), move |known| {
                if known.origin == Origin::Api {
                    warn!(subscription = %spec.name, "subscription taken over by the file");
                }
                let state = match &known.state {
                    State::Active | State::Deactivated { reason: None } => State::Active,
                    state @ (State::Paused { .. } | State::Deactivated { .. }) => state.clone(),
                };
                Ok((spec, Origin::File, state))
            })
            .await?;
        }
        Ok(())
    }

    /// Makes a new subscription.
    pub async fn create(self: &Arc<Self>, spec: Spec) -> Result<Arc<Subscription>, ChangeError> {
        self.check(&spec)?;
        self.make(spec, Origin::Api).await
    }

    /// Changes what a subscription asks for; it keeps its place in the log. One that the file
    /// declared once is the API's from then on, and active.
    pub async fn update(self: &Arc<Self>, spec: Spec) -> Result<Arc<Subscription>, ChangeError> {
        self.check(&spec)?;
        self.change(spec.name.clone(), move |known| {
            match (known.origin, &known.state) {
                (Origin::Api, state) => Ok((spec, Origin::Api, state.clone())),
                (Origin::File, State::Deactivated { reason: None }) => {
                    Ok((spec, Origin::Api, State::Active))
                }
                (Origin::File, _) => Err(ChangeError::DeclaredInFile { name: spec.name }),
            }
        })
        .await
    }

    /// Stops serving a subscription, as an operator asks; it keeps its place.
    pub async fn pause(self: &Arc<Self>, name: &str) -> Result<Arc<Subscription>, ChangeError> {
        self.set_state(name, State::Paused { reason: None }).await
    }

    /// Serves a subscription again that is paused or deactivated, from where it stopped. If it held
    /// then, it has as much time as ever before it is deactivated.
    pub async fn resume(self: &Arc<Self>, name: &str) -> Result<Arc<Subscription>, ChangeError> {
        let known = self.get(name)?;
        if known.state != State::Active {
            let mut account = known.live.account();
            if account.held_since().is_some() {
                account.set_held_since(Some(self.clock.now()));
            }
        }
        self.set_state(name, State::Active).await
    }

    /// Serves a subscription again that is paused or deactivated, from a later place. What is
    /// skipped counts as expired. To go back is a replay.
    pub async fn resume_from(
        self: &Arc<Self>,
        name: &str,
        from: Start,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let known = self.get(name)?;
        let invalid = |what: String| ChangeError::Invalid {
            name: known.spec.name.clone(),
            what,
        };
        if known.state == State::Active {
            let what = "it is active; pause it before its events are skipped";
            return Err(invalid(what.to_owned()));
        }
        if known.state == State::UNDECLARED {
            let name = known.spec.name.clone();
            return Err(ChangeError::Deactivated { name });
        }
        let to = self.offset_of(&known.spec.name, from).await?;
        let cursor = known.live.account().cursor();
        if to < cursor {
            let what = format!("it has events up to {cursor}; to go back to {to}, start a replay");
            return Err(invalid(what));
        }
        known.live.account().skip_to(to);
        self.save_one(&known).await?;
        self.resume(name).await
    }

    /// Puts this version of a subscription into another state; `None` when it is no longer the
    /// current one.
    pub async fn set_state_of(
        self: &Arc<Self>,
        version: &Arc<Subscription>,
        state: State,
    ) -> Result<Option<Arc<Subscription>>, ChangeError> {
        let version = Arc::clone(version);
        self.exclusively(async move |all| {
            if version.is_retired() {
                return Ok(None);
            }
            let live = all.get(version.spec.name.as_str())?;
            let (spec, origin) = (live.spec.clone(), live.origin);
            all.put_in_place(&live, (spec, origin, state))
                .await
                .map(Some)
        })
        .await
    }

    /// Forgets a subscription.
    pub async fn remove(self: &Arc<Self>, name: &str) -> Result<(), ChangeError> {
        let name = name.to_owned();
        self.exclusively(async move |all| {
            let known = all.get(&name)?;
            if known.origin == Origin::File && known.state != State::UNDECLARED {
                let name = known.spec.name.clone();
                return Err(ChangeError::DeclaredInFile { name });
            }
            all.store.remove(known.id, known.revision).await?;
            let removed = all.all_mut(|all| all.remove(&known.spec.name));
            for lane in removed.iter().flat_map(Versions::lanes) {
                lane.retire();
            }
            Ok(())
        })
        .await
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Arc<Subscription>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .map(|versions| Arc::clone(&versions.live))
            .collect()
    }

    /// All of them and their replays, by name and number: each has a lane.
    pub fn lanes(&self) -> Vec<Arc<Subscription>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .flat_map(Versions::lanes)
            .map(Arc::clone)
            .collect()
    }

    /// The one with this name.
    pub fn get(&self, name: &str) -> Result<Arc<Subscription>, ChangeError> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let found = all.get(name).map(|versions| Arc::clone(&versions.live));
        found.ok_or_else(|| ChangeError::Unknown {
            name: name.to_owned(),
        })
    }

    /// Word of every change of the list.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.change_number.subscribe()
    }

    /// Has nothing sent to anybody until [`Self::resume_deliveries`]; what is under way is finished.
    /// The subscriptions themselves do not change, and the next start does not know of it.
    pub fn pause_deliveries(&self) {
        self.paused.store(true, Ordering::Release);
        self.change_number.send_modify(|number| *number += 1);
    }

    /// Ends what [`Self::pause_deliveries`] began.
    pub fn resume_deliveries(&self) {
        self.paused.store(false, Ordering::Release);
        self.change_number.send_modify(|number| *number += 1);
    }

    /// Whether nothing is sent to anybody.
    pub fn deliveries_are_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// What became of every event since the subscription began, as of now.
    pub fn balance(&self, subscription: &Subscription) -> Balance {
        let mut account = subscription.live.account();
        account.balance(|| {
            let Bounds { tail, head } = *self.log.bounds().borrow();
            let end = subscription.end().unwrap_or(head);
            Bounds {
                tail: std::cmp::min(tail, end),
                head: std::cmp::min(head, end),
            }
        })
    }

    fn check(&self, spec: &Spec) -> Result<(), ChangeError> {
        let checked = spec
            .validate(&self.catalog)
            .and_then(|()| (self.check)(spec));
        checked.map_err(|what| ChangeError::Invalid {
            name: spec.name.clone(),
            what,
        })
    }

    /// The offset at which a new subscription begins.
    async fn start_of(&self, spec: &Spec) -> Result<Offset, ChangeError> {
        self.offset_of(&spec.name, spec.start).await
    }

    /// The offset that a start means at this moment.
    async fn offset_of(&self, name: &Name, start: Start) -> Result<Offset, ChangeError> {
        let bounds = *self.log.bounds().borrow();
        Ok(match start {
            Start::Now => bounds.head,
            Start::Earliest => bounds.tail,
            Start::Time(time) => self.log.find_time(time).await?,
            Start::Offset(offset) if offset <= bounds.head => offset,
            Start::Offset(offset) => {
                let what = format!(
                    "it is to start at {offset}, past the log's head {}",
                    bounds.head
                );
                return Err(ChangeError::Invalid {
                    name: name.clone(),
                    what,
                });
            }
        })
    }

    async fn make(
        self: &Arc<Self>,
        spec: Spec,
        origin: Origin,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let start = self.start_of(&spec).await?;
        self.exclusively(async move |all| {
            if all.get(spec.name.as_str()).is_ok() {
                return Err(ChangeError::NameTaken { name: spec.name });
            }
            let new = NewEntry {
                definition: Definition {
                    reach: Reach::Everything,
                    spec,
                    origin,
                    state: State::Active,
                },
                created_at: all.clock.now(),
                start,
            };
            let entry = all.store.insert(all.epoch, new).await?;
            let made = Versions::stored(entry, &all.catalog);
            let live = Arc::clone(&made.live);
            all.all_mut(|all| all.insert(live.spec.name.clone(), made));
            Ok(live)
        })
        .await
    }

    async fn set_state(
        self: &Arc<Self>,
        name: &str,
        state: State,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let name = self.get(name)?.spec.name.clone();
        self.change(name, |known| match known.state {
            State::Deactivated { reason: None } => Err(ChangeError::Deactivated {
                name: known.spec.name.clone(),
            }),
            State::Active | State::Paused { .. } | State::Deactivated { .. } => {
                Ok((known.spec.clone(), known.origin, state))
            }
        })
        .await
    }

    /// Puts what `change` says in the place of what is known.
    async fn change(
        self: &Arc<Self>,
        name: Name,
        change: impl FnOnce(&Subscription) -> Result<SubscriptionEdit, ChangeError> + Send + 'static,
    ) -> Result<Arc<Subscription>, ChangeError> {
        self.exclusively(async move |all| {
            let known = all.get(name.as_str())?;
            all.put_in_place(&known, change(&known)?).await
        })
        .await
    }

    async fn put_in_place(
        &self,
        known: &Subscription,
        (spec, origin, state): SubscriptionEdit,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let definition = Definition {
            reach: known.reach.clone(),
            spec,
            origin,
            state,
        };
        let stored = self
            .store
            .update(known.id, known.revision, definition.clone());
        let revision = stored.await?;
        let change = |known: &Subscription| {
            let changed = known.changed(revision, definition.clone(), &self.catalog);
            known.retire();
            Arc::new(changed)
        };
        let changed = change(known);
        self.all_mut(|all| {
            if let Some(versions) = all.get_mut(&known.spec.name) {
                versions.live = Arc::clone(&changed);
                for replay in versions.replays.values_mut() {
                    *replay = change(replay);
                }
            }
        });
        Ok(changed)
    }

    /// Makes one change at a time, to its end even if nobody waits for it any more: what the store
    /// has and what is in memory must agree.
    async fn exclusively<T: Send + 'static, F>(self: &Arc<Self>, work: F) -> T
    where
        F: AsyncFnOnce(&Self) -> T + Send + 'static,
    {
        let (all, runtime) = (Arc::clone(self), Handle::current());
        // Taken before there is a thread: threads that wait for it might leave none for the store.
        let turn = Arc::clone(&self.changing).lock_owned().await;
        let work = move || {
            let done = runtime.block_on(work(&all));
            drop(turn);
            done
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going, and with it whoever asked.
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }

    fn all_mut<T>(&self, change: impl FnOnce(&mut BTreeMap<Name, Versions>) -> T) -> T {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut all);
        self.change_number.send_modify(|number| *number += 1);
        answer
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
