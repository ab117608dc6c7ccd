//! The public keys of one source or of an identity provider, and when they are fetched.
//!
//! - The last good set stays in use. If the JWKS cannot be reached, known keys still verify signatures.
//! - A set older than ten minutes is fetched again in the background.
//! - An unknown key is a reason to fetch at once, but not within 30 seconds of the last fetch. So a flood of
//!   made-up key ids costs two requests a minute.
//! - One fetch runs at a time. All requests that need newer keys wait for it.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use easel_keys::{JwkSet, JwtOptions, JwtVerifier};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::SignedBy;
use crate::jwks_client::{JwksClient, JwksFetchError};

/// After this time, a set is fetched again in the background.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(10);
/// The shortest time between two fetches because of an unknown key.
const COOL_DOWN: SignedDuration = SignedDuration::from_secs(30);

/// Where a set of keys is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksPlace {
    /// At this URL.
    Url(String),
    /// At the URL in the discovery document of this OpenID Connect issuer. The document is fetched each time.
    Issuer(String),
}

/// The public keys of one source or of an identity provider.
#[derive(Debug)]
pub struct JwksCache {
    place: JwksPlace,
    options: JwtOptions,
    client: JwksClient,
    state: RwLock<CacheState>,
    /// Locked during a fetch.
    fetching: Mutex<()>,
}

#[derive(Debug, Default)]
struct CacheState {
    current: Option<FetchedKeys>,
    /// The latest attempt to fetch, with its error.
    last_try: Option<(Timestamp, Result<(), String>)>,
}

/// A good set of keys.
#[derive(Clone, Debug)]
pub(crate) struct FetchedKeys {
    pub(crate) verifier: Arc<JwtVerifier>,
    pub(crate) text: Bytes,
    pub(crate) fetched_at: Timestamp,
}

/// The answer to the question for newer keys.
#[derive(Clone, Debug)]
pub enum NewerKeys {
    /// There is a newer set.
    Fetched(Arc<JwtVerifier>),
    /// The set is up to date.
    UpToDate,
    /// The keys could not be fetched.
    Unavailable(String),
}

impl JwksCache {
    /// Creates a cache without keys. `options` are those of the verifiers.
    pub fn new(place: JwksPlace, options: JwtOptions, client: JwksClient) -> Self {
        Self {
            place,
            options,
            client,
            state: RwLock::default(),
            fetching: Mutex::default(),
        }
    }

    /// Puts a stored set into an empty cache. An invalid set is ignored, because a new one will be fetched.
    pub(crate) fn restore(&self, text: Bytes, fetched_at: Timestamp) {
        let Ok(set) = JwkSet::parse(&text) else {
            return;
        };
        self.write(|state| {
            state.current = Some(FetchedKeys {
                verifier: self.verifier_of(set),
                text,
                fetched_at,
            });
        });
    }

    /// Creates a cache for the signatures of a source.
    pub(crate) fn of_source(signed_by: &SignedBy, client: JwksClient) -> Self {
        let options = JwtOptions {
            issuer: signed_by.issuer.clone(),
            // The door limits the body before.
            max_bytes: usize::MAX,
            ..JwtOptions::default()
        };
        Self::new(JwksPlace::Url(signed_by.jwks_url.clone()), options, client)
    }

    /// Returns true if this is a cache for these signatures.
    pub(crate) fn is_for(&self, signed_by: &SignedBy) -> bool {
        self.url() == Some(&signed_by.jwks_url) && self.options.issuer == signed_by.issuer
    }

    /// Returns the URL of the keys, if it does not come from a discovery document.
    pub(crate) const fn url(&self) -> Option<&String> {
        match &self.place {
            JwksPlace::Url(url) => Some(url),
            JwksPlace::Issuer(_) => None,
        }
    }

    /// Returns the current verifier; `None` if there are no keys yet.
    pub fn current(&self) -> Option<Arc<JwtVerifier>> {
        self.keys().map(|keys| keys.verifier)
    }

    /// Returns when the current keys were fetched.
    pub fn fetched_at(&self) -> Option<Timestamp> {
        self.keys().map(|keys| keys.fetched_at)
    }

    pub(crate) fn keys(&self) -> Option<FetchedKeys> {
        self.read(|state| state.current.clone())
    }

    /// Returns true if the keys should be fetched in the background.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.read(|state| {
            let tried_at = state.last_try.as_ref().map(|(at, _result)| *at);
            let is_old = |at: Timestamp, age| now.duration_since(at) >= age;
            let fetched_at = state.current.as_ref().map(|keys| keys.fetched_at);
            fetched_at.is_none_or(|at| is_old(at, MAX_AGE))
                && tried_at.is_none_or(|at| is_old(at, COOL_DOWN))
        })
    }

    /// Returns keys that are newer than those of `known`, which do not have the key that is needed.
    ///
    /// Without keys, a fetch is tried at once. Otherwise it is tried unless the last one was a moment ago.
    pub async fn newer_than(&self, known: Option<&Arc<JwtVerifier>>, now: Timestamp) -> NewerKeys {
        let _fetching = self.fetching.lock().await;
        // Another request may have fetched while this one waited.
        let is_new =
            |keys: &FetchedKeys| known.is_none_or(|known| !Arc::ptr_eq(known, &keys.verifier));
        if let Some(keys) = self.keys().filter(is_new) {
            return NewerKeys::Fetched(keys.verifier);
        }
        let recent = self.read(|state| {
            let last = state.last_try.clone();
            last.filter(|(at, _result)| now.duration_since(*at) < COOL_DOWN)
        });
        match recent {
            Some((_at, Ok(()))) => return NewerKeys::UpToDate,
            Some((_at, Err(error))) => return NewerKeys::Unavailable(error),
            None => (),
        }
        match self.fetch(now).await {
            Ok(keys) => NewerKeys::Fetched(keys.verifier),
            Err(error) => NewerKeys::Unavailable(error.to_string()),
        }
    }

    /// Fetches the keys, if they are due.
    pub async fn refresh_if_due(&self, now: Timestamp) -> Result<(), JwksFetchError> {
        if self.is_due(now) {
            self.refresh(now).await?;
        }
        Ok(())
    }

    /// Fetches the keys. Returns them even if they are the same as before.
    pub(crate) async fn refresh(&self, now: Timestamp) -> Result<FetchedKeys, JwksFetchError> {
        let _fetching = self.fetching.lock().await;
        self.fetch(now).await
    }

    async fn fetch(&self, now: Timestamp) -> Result<FetchedKeys, JwksFetchError> {
        let fetched = self.fetch_set().await;
        self.write(|state| {
            let result = fetched.as_ref().map(|_set| ());
            state.last_try = Some((now, result.map_err(ToString::to_string)));
        });
        let (set, text) = fetched?;
        let keys = FetchedKeys {
            verifier: self.verifier_of(set),
            text,
            fetched_at: now,
        };
        self.write(|state| state.current = Some(keys.clone()));
        Ok(keys)
    }

    async fn fetch_set(&self) -> Result<(JwkSet, Bytes), JwksFetchError> {
        match &self.place {
            JwksPlace::Url(url) => self.client.fetch(url).await,
            JwksPlace::Issuer(issuer) => {
                let url = self.client.discover(issuer).await?;
                self.client.fetch(&url).await
            }
        }
    }

    fn verifier_of(&self, set: JwkSet) -> Arc<JwtVerifier> {
        Arc::new(JwtVerifier::new(set, self.options.clone()))
    }

    // A panic under this lock leaves valid keys, so a poisoned lock is ignored.
    fn read<T>(&self, work: impl FnOnce(&CacheState) -> T) -> T {
        work(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, work: impl FnOnce(&mut CacheState)) {
        work(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}
