//! All sources: those of the settings file and those that the API made.

mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use easel_catalog::TellOperator;
use easel_keys::Sealer;
use easel_log::Clock;
use thiserror::Error;
use tokio::sync::watch;
use tracing::warn;

use crate::source_store::{SourceStore, StoredKeys};
use crate::{
    JwksCache, JwksClient, NewerKeys, Source, SourceHealth, SourceName, SourceOrigin, SourceSpec,
    SourceState, SourceStoreError, metrics,
};

/// All sources by name.
pub type SourceMap = BTreeMap<SourceName, Arc<Source>>;

/// All sources. Changes are on stable storage before they take effect.
///
/// A change holds the lock of the store until it took effect, so two changes never mix.
#[derive(Debug)]
pub struct Sources {
    store: Mutex<SourceStore>,
    sealer: Arc<Sealer>,
    client: JwksClient,
    clock: Arc<dyn Clock>,
    tell_operator: TellOperator,
    check: SourceCheck,
    current: watch::Sender<Arc<SourceMap>>,
}

/// Rejects a definition that no door could use. The error begins with the name of the member.
pub type SourceCheck = fn(&SourceSpec) -> Result<(), String>;

/// Why a source could not be changed.
#[derive(Debug, Error)]
pub enum SourceChangeError {
    /// Another source has the name.
    #[error("the name {name} is taken")]
    NameTaken {
        /// The name.
        name: SourceName,
    },
    /// There is no such source.
    #[error("there is no source {name:?}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// No door could use the definition.
    #[error("{fault}")]
    Invalid {
        /// What is wrong.
        fault: String,
    },
    /// The settings file defines the source.
    #[error("the source {name} is defined in the settings file; change it there")]
    DefinedInFile {
        /// The name.
        name: SourceName,
    },
    /// The file of sources failed.
    #[error(transparent)]
    Store(#[from] SourceStoreError),
}

impl Sources {
    /// Opens the file at `path`, and adds the sources of the settings file. A source of the settings file
    /// hides one of the same name that the API made.
    pub fn open(
        path: &Path,
        sealer: Arc<Sealer>,
        client: JwksClient,
        clock: Arc<dyn Clock>,
        declared: Vec<SourceSpec>,
    ) -> Result<Self, SourceStoreError> {
        let store = SourceStore::open(path)?;
        let sources = Self {
            store: Mutex::new(store),
            sealer,
            client,
            clock,
            tell_operator: TellOperator::default(),
            check: |_spec| Ok(()),
            current: watch::Sender::default(),
        };
        sources.declare(declared)?;
        Ok(sources)
    }

    /// Creates sources that are not stored.
    ///
    /// # Errors
    ///
    /// Fails if the operating system returns no random bytes.
    pub fn in_memory(
        clock: Arc<dyn Clock>,
        declared: Vec<SourceSpec>,
    ) -> Result<Self, SourceStoreError> {
        let sealer = Sealer::ephemeral().map_err(|error| SourceStoreError::Row {
            name: String::new(),
            reason: error.to_string(),
        })?;
        let path = Path::new(":memory:");
        Self::open(
            path,
            Arc::new(sealer),
            JwksClient::new(b""),
            clock,
            declared,
        )
    }

    /// Replaces the sources of the settings file. Those that the API made stay. States, health and keys stay
    /// with their names.
    pub fn declare(&self, declared: Vec<SourceSpec>) -> Result<(), SourceStoreError> {
        let store = self.store();
        let made = store.load(&self.sealer)?;
        let made = made
            .into_iter()
            .map(|made| (made.spec, SourceOrigin::Api, made.revision));
        let declared = declared
            .into_iter()
            .map(|spec| (spec, SourceOrigin::File, 0));
        let mut map = SourceMap::new();
        for definition in made.chain(declared) {
            let current = self.get(definition.0.name.as_str());
            let source = self.assemble(&store, definition, current.as_deref())?;
            if map.contains_key(&source.spec.name) {
                warn!(source = %source.spec.name, "the settings file hides a source that the API made");
            }
            map.insert(source.spec.name.clone(), source);
        }
        self.current.send_replace(Arc::new(map));
        Ok(())
    }

    /// Sets the handle that notifies operators.
    #[must_use]
    pub fn with_operator(self, tell_operator: TellOperator) -> Self {
        Self {
            tell_operator,
            ..self
        }
    }

    /// Sets the check of definitions that the API makes.
    #[must_use]
    pub fn with_check(self, check: SourceCheck) -> Self {
        Self { check, ..self }
    }

    /// Returns all sources.
    pub fn all(&self) -> Arc<SourceMap> {
        Arc::clone(&self.current.borrow())
    }

    /// Returns the source with this name.
    pub fn get(&self, name: &str) -> Option<Arc<Source>> {
        self.current.borrow().get(name).cloned()
    }

    /// Returns a receiver that sees every change of a definition or a state.
    pub fn subscribe(&self) -> watch::Receiver<Arc<SourceMap>> {
        self.current.subscribe()
    }

    /// Creates a source.
    pub fn create(&self, spec: SourceSpec) -> Result<Arc<Source>, SourceChangeError> {
        let mut store = self.store();
        if self.get(spec.name.as_str()).is_some() {
            return Err(SourceChangeError::NameTaken { name: spec.name });
        }
        (self.check)(&spec).map_err(|fault| SourceChangeError::Invalid { fault })?;
        let revision = store.save(&self.sealer, &spec)?;
        let source = self.assemble(&store, (spec, SourceOrigin::Api, revision), None)?;
        self.put(Arc::clone(&source));
        Ok(source)
    }

    /// Replaces the definition of a source. Its state and its health stay.
    pub fn replace(&self, spec: SourceSpec) -> Result<Arc<Source>, SourceChangeError> {
        let mut store = self.store();
        let current = self.of_api(spec.name.as_str())?;
        (self.check)(&spec).map_err(|fault| SourceChangeError::Invalid { fault })?;
        let revision = store.save(&self.sealer, &spec)?;
        let source = self.assemble(&store, (spec, SourceOrigin::Api, revision), Some(&current))?;
        self.put(Arc::clone(&source));
        Ok(source)
    }

    /// Removes a source.
    pub fn remove(&self, name: &str) -> Result<(), SourceChangeError> {
        let mut store = self.store();
        let current = self.of_api(name)?;
        store.remove(&current.spec.name)?;
        self.change(|map| {
            map.remove(name);
        });
        Ok(())
    }

    /// Pauses or resumes a source, also one of the settings file.
    pub fn set_state(
        &self,
        name: &str,
        state: SourceState,
    ) -> Result<Arc<Source>, SourceChangeError> {
        let store = self.store();
        let current = self.known(name)?;
        match state {
            SourceState::Paused => store.pause(&current.spec.name)?,
            SourceState::Active => store.resume(&current.spec.name)?,
        }
        let source = Arc::new(Source {
            state,
            ..Source::clone(&current)
        });
        self.put(Arc::clone(&source));
        Ok(source)
    }

    /// Returns keys of a source that are newer than `known`, and saves them.
    pub async fn newer_keys(
        &self,
        source: &Source,
        known: Option<&Arc<easel_keys::JwtVerifier>>,
    ) -> NewerKeys {
        let Some(cache) = &source.keys else {
            return NewerKeys::UpToDate;
        };
        let newer = cache.newer_than(known, self.clock.now()).await;
        match &newer {
            NewerKeys::Fetched(_) => self.save_keys(source, cache),
            NewerKeys::UpToDate => (),
            NewerKeys::Unavailable(reason) => {
                source.health.note_failure(reason, self.clock.now());
            }
        }
        newer
    }

    fn save_keys(&self, source: &Source, cache: &JwksCache) {
        let (Some(keys), Some(url)) = (cache.keys(), cache.url()) else {
            return;
        };
        let stored = StoredKeys {
            url: url.clone(),
            jwks: keys.text.to_vec(),
            fetched_at: keys.fetched_at,
        };
        if let Err(error) = self.store().save_keys(&source.spec.name, &stored) {
            let error: &dyn std::error::Error = &error;
            warn!(error, "keys of a source not saved");
        }
    }

    /// Adds what a definition does not have: state, health and keys. Health and keys of `current` stay.
    fn assemble(
        &self,
        store: &SourceStore,
        (spec, origin, revision): (SourceSpec, SourceOrigin, u64),
        current: Option<&Source>,
    ) -> Result<Arc<Source>, SourceStoreError> {
        let name = &spec.name;
        let mut paused = store.paused()?.into_iter();
        let is_paused = paused.any(|(paused, _reason)| paused == name.as_str());
        let health = match current {
            Some(current) => Arc::clone(&current.health),
            None => Arc::new(match store.health(name)? {
                Some(saved) => SourceHealth::from_saved(&saved),
                None => SourceHealth::default(),
            }),
        };
        if current.is_none() {
            metrics::start(name);
        }
        let signed_by = spec.https().and_then(|https| https.signed_by.clone());
        let keys = match signed_by {
            None => None,
            Some(signed_by) => {
                let current = current.and_then(|current| current.keys.as_ref());
                match current.filter(|cache| cache.is_for(&signed_by)) {
                    Some(cache) => Some(Arc::clone(cache)),
                    None => {
                        let url = signed_by.jwks_url.clone();
                        let cache = JwksCache::of_source(&signed_by, self.client.clone());
                        if let Some(stored) = store.keys(name)?.filter(|stored| stored.url == url) {
                            cache.restore(Bytes::from(stored.jwks), stored.fetched_at);
                        }
                        Some(Arc::new(cache))
                    }
                }
            }
        };
        Ok(Arc::new(Source {
            spec,
            origin,
            state: if is_paused {
                SourceState::Paused
            } else {
                SourceState::Active
            },
            revision,
            health,
            keys,
        }))
    }

    fn known(&self, name: &str) -> Result<Arc<Source>, SourceChangeError> {
        self.get(name).ok_or_else(|| SourceChangeError::Unknown {
            name: name.to_owned(),
        })
    }

    fn of_api(&self, name: &str) -> Result<Arc<Source>, SourceChangeError> {
        let source = self.known(name)?;
        match source.origin {
            SourceOrigin::Api => Ok(source),
            SourceOrigin::File => Err(SourceChangeError::DefinedInFile {
                name: source.spec.name.clone(),
            }),
        }
    }

    fn put(&self, source: Arc<Source>) {
        self.change(|map| {
            map.insert(source.spec.name.clone(), source);
        });
    }

    fn change(&self, work: impl FnOnce(&mut SourceMap)) {
        self.current
            .send_modify(|current| work(Arc::make_mut(current)));
    }

    // A panic under this lock leaves no open transaction, so a poisoned lock is ignored.
    fn store(&self) -> MutexGuard<'_, SourceStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources {
    /// Seals those sources again that an older data key sealed. Returns their number.
    pub fn reseal(&self) -> Result<usize, SourceStoreError> {
        self.store().reseal(&self.sealer)
    }
}

/// Returns the names of the sources in the file at `path` whose secrets cannot be opened.
pub fn lost_sources(path: &Path, sealer: &Sealer) -> Result<Vec<String>, SourceStoreError> {
    SourceStore::open(path)?.lost(sealer)
}

/// Removes the sources in the file at `path` whose secrets cannot be opened. Returns their names.
pub fn forget_lost_sources(path: &Path, sealer: &Sealer) -> Result<Vec<String>, SourceStoreError> {
    SourceStore::open(path)?.forget_lost(sealer)
}

/// Returns the ids of the data keys that sealed the sources in the file at `path`, while no process has the
/// file open. Returns an empty set if the file does not exist.
pub fn source_sealing_keys(path: &Path) -> Result<BTreeSet<u32>, SourceStoreError> {
    SourceStore::sealing_keys(path)
}

/// Seals the sources in the file at `path` again that an older data key sealed. Returns their number.
pub fn reseal_sources(path: &Path, sealer: &Sealer) -> Result<usize, SourceStoreError> {
    SourceStore::open(path)?.reseal(sealer)
}

#[cfg(test)]
mod tests;
