//! All subscriptions, in memory and on disk.
//!
//! Invariant: what the map holds is on disk already, except for cursors, which
//! [`Subscriptions::save`] brings up to date.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use easel_log::{Clock, Offset, ReadError, SharedLog};
use thiserror::Error;
use tokio::sync::watch;
use tracing::info;

use crate::store::{Kept, Store};
use crate::{
    Balance, Filter, Ledger, Live, Name, Origin, Settled, Spec, Start, State, StoreError,
    Subscription,
};

/// Says of a spec whether it can be served at all; what cannot is refused before it is kept.
pub type SpecCheck = Box<dyn Fn(&Spec) -> Result<(), String> + Send + Sync>;

/// All subscriptions.
pub struct Subscriptions {
    log: SharedLog,
    clock: Arc<dyn Clock>,
    check: SpecCheck,
    store: Mutex<Store>,
    all: RwLock<BTreeMap<Name, Arc<Subscription>>>,
    revision: watch::Sender<u64>,
    fed: AtomicU64,
    unsaved: AtomicBool,
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
    ) -> Result<Self, StoreError> {
        let store = Store::open(path)?;
        let all = store
            .load()?
            .into_iter()
            .map(|kept| (kept.spec.name.clone(), Arc::new(Subscription::from(kept))))
            .collect();
        Ok(Self {
            log,
            clock,
            check,
            store: Mutex::new(store),
            all: RwLock::new(all),
            revision: watch::Sender::new(0),
            fed: AtomicU64::new(0),
            unsaved: AtomicBool::new(false),
        })
    }

    /// Makes the subscriptions of the configuration file what the file says: new ones are made,
    /// known ones changed, and those the file no longer names are deactivated.
    pub async fn declare(&self, specs: Vec<Spec>) -> Result<(), ChangeError> {
        for known in self.list() {
            let declared = specs.iter().any(|spec| spec.name == known.spec.name);
            if known.origin == Origin::File && !declared {
                info!(subscription = %known.spec.name, "subscription no longer declared");
                self.change(&known, known.spec.clone(), Origin::File, State::Deactivated)?;
            }
        }
        for spec in specs {
            self.check(&spec)?;
            match self.get(spec.name.as_str()) {
                Err(_unknown) => {
                    self.make(spec, Origin::File).await?;
                }
                Ok(known) => {
                    let state = match &known.state {
                        State::Active | State::Deactivated => State::Active,
                        paused @ State::Paused { .. } => paused.clone(),
                    };
                    self.change(&known, spec, Origin::File, state)?;
                }
            }
        }
        Ok(())
    }

    /// Makes a new subscription.
    pub async fn create(&self, spec: Spec) -> Result<Arc<Subscription>, ChangeError> {
        self.check(&spec)?;
        self.make(spec, Origin::Api).await
    }

    /// Changes what a subscription asks for; it keeps its place in the log.
    pub fn update(&self, spec: Spec) -> Result<Arc<Subscription>, ChangeError> {
        self.check(&spec)?;
        let known = self.get(spec.name.as_str())?;
        if known.origin == Origin::File {
            return Err(ChangeError::DeclaredInFile { name: spec.name });
        }
        self.change(&known, spec, known.origin, known.state.clone())
    }

    /// Stops serving a subscription, which keeps its place; `reason` when no operator asked.
    pub fn pause(
        &self,
        name: &str,
        reason: Option<String>,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let known = self.get(name)?;
        self.change(
            &known,
            known.spec.clone(),
            known.origin,
            State::Paused { reason },
        )
    }

    /// Serves a paused subscription again, from where it stopped.
    pub fn resume(&self, name: &str) -> Result<Arc<Subscription>, ChangeError> {
        let known = self.get(name)?;
        self.change(&known, known.spec.clone(), known.origin, State::Active)
    }

    /// Forgets a subscription.
    pub fn remove(&self, name: &str) -> Result<(), ChangeError> {
        let known = self.get(name)?;
        if known.origin == Origin::File && known.state != State::Deactivated {
            return Err(ChangeError::DeclaredInFile {
                name: known.spec.name.clone(),
            });
        }
        let store = self.store();
        store.remove(known.id)?;
        self.all_mut(|all| all.remove(&known.spec.name));
        Ok(())
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
        self.save_where(|ledger| ledger.unsaved() > 0)
    }

    /// Saves every cursor.
    ///
    /// One that moved past events nobody wanted costs only another look at them when it is lost,
    /// so this need not happen often.
    pub fn save_all(&self) -> Result<(), StoreError> {
        self.save_where(|_| true)
    }

    /// Whether cursors could be saved when they last were; for a health check.
    pub fn is_healthy(&self) -> bool {
        !self.unsaved.load(Ordering::Relaxed)
    }

    fn save_where(&self, moved: impl Fn(&Ledger) -> bool) -> Result<(), StoreError> {
        let mut store = self.store();
        let mut due: Vec<(Arc<Subscription>, Settled)> = Vec::new();
        for subscription in self.list() {
            let mut ledger = subscription.live.ledger();
            self.catch_up(&mut ledger);
            if moved(&ledger) {
                let settled = ledger.settled();
                drop(ledger);
                due.push((subscription, settled));
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = due.iter().map(|(it, settled)| (it.id, *settled)).collect();
        let saved = store.save(&rows);
        self.unsaved.store(saved.is_err(), Ordering::Relaxed);
        saved?;
        for (subscription, settled) in due {
            subscription.live.ledger().saved(&settled);
            subscription.live.work.notify_one();
        }
        Ok(())
    }

    fn catch_up(&self, ledger: &mut Ledger) {
        if ledger.is_following() {
            ledger.scan_to(Offset::new(self.fed.load(Ordering::Acquire)));
        }
    }

    fn check(&self, spec: &Spec) -> Result<(), ChangeError> {
        (self.check)(spec).map_err(|what| ChangeError::Invalid {
            name: spec.name.clone(),
            what,
        })
    }

    async fn make(&self, spec: Spec, origin: Origin) -> Result<Arc<Subscription>, ChangeError> {
        let bounds = *self.log.bounds().borrow();
        let start = match spec.start {
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
                    name: spec.name,
                    what,
                });
            }
        };
        let store = self.store();
        if self.get(spec.name.as_str()).is_ok() {
            return Err(ChangeError::NameTaken { name: spec.name });
        }
        let mut kept = Kept {
            id: 0,
            spec,
            origin,
            state: State::Active,
            created_at: self.clock.now(),
            start,
            settled: Settled {
                cursor: start,
                ..Settled::default()
            },
        };
        store.insert(&mut kept)?;
        let made = Arc::new(Subscription::from(kept));
        self.put(&made);
        Ok(made)
    }

    fn change(
        &self,
        known: &Subscription,
        spec: Spec,
        origin: Origin,
        state: State,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let store = self.store();
        store.update(known.id, &spec, origin, &state)?;
        let changed = Arc::new(Subscription {
            id: known.id,
            filter: Filter::new(&spec),
            spec,
            origin,
            created_at: known.created_at,
            state,
            live: Arc::clone(&known.live),
        });
        self.put(&changed);
        Ok(changed)
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

impl std::fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriptions")
            .field("all", &self.list())
            .finish_non_exhaustive()
    }
}

impl From<Kept> for Subscription {
    fn from(kept: Kept) -> Self {
        Self {
            id: kept.id,
            filter: Filter::new(&kept.spec),
            spec: kept.spec,
            origin: kept.origin,
            created_at: kept.created_at,
            state: kept.state,
            live: Live::new(Ledger::restore(kept.start, kept.settled)),
        }
    }
}

#[cfg(test)]
mod tests;
