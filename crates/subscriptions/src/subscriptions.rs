//! All subscriptions, in memory and on disk.
//!
//! Invariant: what the map holds is on disk already, except for cursors, which
//! [`Subscriptions::save`] brings up to date.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use easel_catalog::Catalog;
use easel_log::{Clock, Offset, ReadError, SharedLog};
use thiserror::Error;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::metrics;
use crate::store::{Kept, Store};
use crate::{
    Balance, Ledger, Live, Name, Origin, Settled, Spec, Start, State, StoreError, Subscription,
};

/// Says of a spec whether it can be served at all; what cannot is refused before it is kept.
pub type SpecCheck = Box<dyn Fn(&Spec) -> Result<(), String> + Send + Sync>;

/// What a change may change.
type Version = (Spec, Origin, State);

/// All subscriptions.
pub struct Subscriptions {
    log: SharedLog,
    clock: Arc<dyn Clock>,
    check: SpecCheck,
    catalog: Arc<Catalog>,
    store: Mutex<Store>,
    all: RwLock<BTreeMap<Name, Arc<Subscription>>>,
    revision: watch::Sender<u64>,
    fed: AtomicU64,
    unsaved: AtomicBool,
    /// Whether nothing is to be sent to anybody, until the process ends or is asked to resume.
    paused: AtomicBool,
    /// The head of the log that the store knows about.
    saved_head: AtomicU64,
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
    Store(#[from] StoreError),
    /// Its start could not be looked up.
    #[error(transparent)]
    Log(#[from] ReadError),
}

impl Subscriptions {
    /// Opens the store at `path`, making it if it is not there.
    pub fn open(
        path: &Path,
        log: SharedLog,
        clock: Arc<dyn Clock>,
        check: SpecCheck,
        catalog: Arc<Catalog>,
    ) -> Result<Self, StoreError> {
        metrics::describe();
        let store = Store::open(path)?;
        let all = store
            .load()?
            .into_iter()
            .map(|kept| (kept.spec.name.clone(), restore(kept, &catalog)))
            .collect();
        Ok(Self {
            log,
            clock,
            check,
            catalog,
            store: Mutex::new(store),
            all: RwLock::new(all),
            revision: watch::Sender::new(0),
            fed: AtomicU64::new(0),
            unsaved: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            saved_head: AtomicU64::new(0),
        })
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
                    Ok((known.spec.clone(), Origin::File, State::Deactivated))
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
            let is_in_force = known.origin == Origin::File && known.state != State::Deactivated;
            if is_in_force && known.spec == spec {
                continue;
            }
            self.change(spec.name.clone(), move |known| {
                if known.origin == Origin::Api {
                    warn!(subscription = %spec.name, "subscription taken over by the file");
                }
                let state = match &known.state {
                    State::Active | State::Deactivated => State::Active,
                    paused @ State::Paused { .. } => paused.clone(),
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
                (Origin::File, State::Deactivated) => Ok((spec, Origin::Api, State::Active)),
                (Origin::File, State::Active | State::Paused { .. }) => {
                    Err(ChangeError::DeclaredInFile { name: spec.name })
                }
            }
        })
        .await
    }

    /// Stops serving a subscription, as an operator asks; it keeps its place.
    pub async fn pause(self: &Arc<Self>, name: &str) -> Result<Arc<Subscription>, ChangeError> {
        self.set_state(name, State::Paused { reason: None }).await
    }

    /// Serves a paused subscription again, from where it stopped.
    pub async fn resume(self: &Arc<Self>, name: &str) -> Result<Arc<Subscription>, ChangeError> {
        self.set_state(name, State::Active).await
    }

    /// Stops serving this version of a subscription, for a reason; `None` when it is no longer
    /// the current one.
    pub async fn pause_this(
        self: &Arc<Self>,
        version: &Arc<Subscription>,
        reason: String,
    ) -> Result<Option<Arc<Subscription>>, ChangeError> {
        let version = Arc::clone(version);
        self.with_store(move |all, store| {
            if version.is_retired() {
                return Ok(None);
            }
            let paused = State::Paused {
                reason: Some(reason),
            };
            let (spec, origin) = (version.spec.clone(), version.origin);
            all.put_in_place(store, &version, (spec, origin, paused))
                .map(Some)
        })
        .await
    }

    /// Forgets a subscription.
    pub async fn remove(self: &Arc<Self>, name: &str) -> Result<(), ChangeError> {
        let name = name.to_owned();
        self.with_store(move |all, store| {
            let known = all.get(&name)?;
            if known.origin == Origin::File && known.state != State::Deactivated {
                let name = known.spec.name.clone();
                return Err(ChangeError::DeclaredInFile { name });
            }
            store.remove(known.id)?;
            known.retire(all.fed());
            all.all_mut(|all| all.remove(&known.spec.name));
            Ok(())
        })
        .await
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Arc<Subscription>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.values().map(Arc::clone).collect()
    }

    /// The one with this name.
    pub fn get(&self, name: &str) -> Result<Arc<Subscription>, ChangeError> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let found = all.get(name).map(Arc::clone);
        found.ok_or_else(|| ChangeError::Unknown {
            name: name.to_owned(),
        })
    }

    /// Word of every change of the list.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Has nothing sent to anybody until [`Self::resume_deliveries`]; what is under way is finished.
    /// The subscriptions themselves do not change, and the next start does not know of it.
    pub fn pause_deliveries(&self) {
        self.paused.store(true, Ordering::Release);
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Ends what [`Self::pause_deliveries`] began.
    pub fn resume_deliveries(&self) {
        self.paused.store(false, Ordering::Release);
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Whether nothing is sent to anybody.
    pub fn deliveries_are_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// What became of every event since the subscription began, as of now.
    pub fn balance(&self, subscription: &Subscription) -> Balance {
        // The bounds come last: a lane that goes on meanwhile must not be ahead of the head.
        let mut ledger = subscription.live.ledger();
        self.catch_up(&mut ledger);
        ledger.balance(*self.log.bounds().borrow())
    }

    /// Notes how far the feed has looked at new events for those that follow it.
    pub fn set_fed(&self, fed: Offset) {
        self.fed.store(fed.get(), Ordering::Release);
    }

    /// Saves the cursors that moved by deliveries.
    pub fn save(&self) -> Result<(), StoreError> {
        self.save_where(|ledger| ledger.unsaved_before_cursor() > 0, |_head| false)
    }

    /// Saves every cursor, and how far the log has come.
    ///
    /// One that moved past events nobody wanted costs only another look at them when it is lost,
    /// so this need not happen often.
    pub fn save_all(&self) -> Result<(), StoreError> {
        self.save_where(Ledger::is_unsaved, |head| {
            head.get() > self.saved_head.load(Ordering::Relaxed)
        })
    }

    /// Counts what the log no longer keeps as expired for every subscription that has not had it,
    /// whether or not it is being served. To be called after each trim.
    ///
    /// What is being sent at this moment is left to the answer of its endpoint.
    pub fn expire_trimmed(&self) {
        let tail = self.log.bounds().borrow().tail;
        for subscription in self.list() {
            let mut ledger = subscription.live.ledger();
            self.catch_up(&mut ledger);
            ledger.expire_to(tail);
            drop(ledger);
            report_losses(&subscription);
            subscription.live.work.notify_one();
        }
    }

    /// Whether cursors could be saved when they last were; for a health check.
    pub fn is_healthy(&self) -> bool {
        !self.unsaved.load(Ordering::Relaxed)
    }

    fn save_where(
        &self,
        is_due: impl Fn(&Ledger) -> bool,
        is_head_due: impl Fn(Offset) -> bool,
    ) -> Result<(), StoreError> {
        let mut store = self.store();
        let mut due: Vec<(Arc<Subscription>, Settled)> = Vec::new();
        for subscription in self.list() {
            report_losses(&subscription);
            let mut ledger = subscription.live.ledger();
            self.catch_up(&mut ledger);
            if is_due(&ledger) {
                let settled = ledger.settled();
                drop(ledger);
                due.push((subscription, settled));
            }
        }
        // Read after the cursors: none of them is beyond it.
        let head = self.log.bounds().borrow().head;
        if due.is_empty() && !is_head_due(head) {
            return Ok(());
        }
        let rows: Vec<_> = due.iter().map(|(it, settled)| (it.id, *settled)).collect();
        let saved = store.save(&rows, head);
        self.unsaved.store(saved.is_err(), Ordering::Relaxed);
        saved?;
        self.saved_head.store(head.get(), Ordering::Relaxed);
        for (subscription, settled) in due {
            subscription.live.ledger().saved(settled);
            subscription.live.work.notify_one();
        }
        Ok(())
    }

    fn catch_up(&self, ledger: &mut Ledger) {
        if ledger.is_following() {
            ledger.scan_to(self.fed());
        }
    }

    fn fed(&self) -> Offset {
        Offset::new(self.fed.load(Ordering::Acquire))
    }

    fn check(&self, spec: &Spec) -> Result<(), ChangeError> {
        let checked = spec
            .check_format(&self.catalog)
            .and_then(|()| (self.check)(spec));
        checked.map_err(|what| ChangeError::Invalid {
            name: spec.name.clone(),
            what,
        })
    }

    /// The offset at which a new subscription begins.
    async fn start_of(&self, spec: &Spec) -> Result<Offset, ChangeError> {
        let bounds = *self.log.bounds().borrow();
        Ok(match spec.start {
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
                    name: spec.name.clone(),
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
        self.with_store(move |all, store| {
            if all.get(spec.name.as_str()).is_ok() {
                return Err(ChangeError::NameTaken { name: spec.name });
            }
            let mut kept = Kept {
                id: 0,
                spec,
                origin,
                state: State::Active,
                created_at: all.clock.now(),
                start,
                settled: Settled {
                    cursor: start,
                    ..Settled::default()
                },
            };
            store.insert(&mut kept)?;
            let made = restore(kept, &all.catalog);
            all.put(&made);
            Ok(made)
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
            State::Active | State::Paused { .. } => Ok((known.spec.clone(), known.origin, state)),
            State::Deactivated => Err(ChangeError::Deactivated {
                name: known.spec.name.clone(),
            }),
        })
        .await
    }

    /// Puts what `change` says in the place of what is known.
    async fn change(
        self: &Arc<Self>,
        name: Name,
        change: impl FnOnce(&Subscription) -> Result<Version, ChangeError> + Send + 'static,
    ) -> Result<Arc<Subscription>, ChangeError> {
        self.with_store(move |all, store| {
            let known = all.get(name.as_str())?;
            all.put_in_place(store, &known, change(&known)?)
        })
        .await
    }

    fn put_in_place(
        &self,
        store: &Store,
        known: &Subscription,
        (spec, origin, state): Version,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let (start, settled) = {
            let ledger = known.live.ledger();
            (ledger.start(), ledger.settled())
        };
        let kept = Kept {
            id: known.id,
            spec,
            origin,
            state,
            created_at: known.created_at,
            start,
            settled,
        };
        store.update(&kept)?;
        let changed = Arc::new(Subscription::new(
            kept,
            Arc::clone(&known.live),
            &self.catalog,
        ));
        known.retire(self.fed());
        self.put(&changed);
        Ok(changed)
    }

    /// Does what takes the store, which waits for the disk, on a thread that may wait. Changes
    /// are made here only, one at a time.
    async fn with_store<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, &Store) -> T + Send + 'static,
    ) -> T {
        let all = Arc::clone(self);
        let work = move || work(&all, &all.store());
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going, and with it whoever asked.
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }

    fn put(&self, subscription: &Arc<Subscription>) {
        let name = subscription.spec.name.clone();
        self.all_mut(|all| all.insert(name, Arc::clone(subscription)));
    }

    fn all_mut<T>(&self, change: impl FnOnce(&mut BTreeMap<Name, Arc<Subscription>>) -> T) -> T {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut all);
        self.revision.send_modify(|revision| *revision += 1);
        answer
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs and counts what a subscription has lost since it was last asked.
fn report_losses(subscription: &Subscription) {
    let lost = subscription.live.ledger().take_losses();
    if lost > 0 {
        metrics::expired(lost);
        let name = &subscription.spec.name;
        warn!(subscription = %name, event_count = lost, "events expired undelivered");
    }
}

fn restore(kept: Kept, catalog: &Arc<Catalog>) -> Arc<Subscription> {
    let live = Live::new(Ledger::restore(kept.start, kept.settled));
    Arc::new(Subscription::new(kept, live, catalog))
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
