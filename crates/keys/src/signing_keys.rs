//! The keys that sign, in memory.
//!
//! Each algorithm has a current key, which signs, and a next key, which is published before it signs. The
//! previous key is still published, because receivers may still get requests that it signed.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

#[cfg(feature = "store")]
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::SigningAlgorithm;
use crate::jwk::Jwk;
use crate::jwk_set::{JwkSet, JwkSetError};
use crate::private_key::PrivateKey;
#[cfg(feature = "store")]
use crate::private_key::PrivateKeyError;

/// The keys of one algorithm.
#[derive(Clone, Debug)]
pub struct SigningKeySet {
    /// The key that signed before the current one; `None` before the first rotation.
    pub previous: Option<Arc<PrivateKey>>,
    /// The key that signs.
    pub current: Arc<PrivateKey>,
    /// The key that signs after the next rotation.
    pub next: Arc<PrivateKey>,
    /// When the current key began to sign.
    pub since: Timestamp,
}

/// The keys that sign, by algorithm.
#[derive(Debug, Default)]
pub struct SigningKeys {
    sets: RwLock<BTreeMap<SigningAlgorithm, SigningKeySet>>,
}

#[cfg(feature = "store")]
impl SigningKeySet {
    /// Generates a current and a next key. `latest_kid` is the greatest id of any key so far.
    pub(crate) fn generate(
        algorithm: SigningAlgorithm,
        now: Timestamp,
        latest_kid: Option<&str>,
    ) -> Result<Self, PrivateKeyError> {
        let first = kid_after(now, latest_kid);
        let second = kid_after(now, Some(&first));
        Ok(Self {
            previous: None,
            current: Arc::new(PrivateKey::generate(algorithm, first)?),
            next: Arc::new(PrivateKey::generate(algorithm, second)?),
            since: now,
        })
    }

    /// Makes the next key the current one, and generates a next key.
    pub(crate) fn rotated(
        &self,
        now: Timestamp,
        latest_kid: Option<&str>,
    ) -> Result<Self, PrivateKeyError> {
        let algorithm = self.current.algorithm();
        let next = PrivateKey::generate(algorithm, kid_after(now, latest_kid))?;
        Ok(Self {
            previous: Some(Arc::clone(&self.current)),
            current: Arc::clone(&self.next),
            next: Arc::new(next),
            since: now,
        })
    }
}

impl SigningKeySet {
    /// Iterates over the keys, the previous one first.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<PrivateKey>> {
        let previous = self.previous.iter();
        previous.chain([&self.current, &self.next])
    }
}

impl SigningKeys {
    /// Returns the key that signs with this algorithm; `None` if there is no key yet.
    pub fn current(&self, algorithm: SigningAlgorithm) -> Option<Arc<PrivateKey>> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        sets.get(&algorithm).map(|set| Arc::clone(&set.current))
    }

    /// Returns all keys, by algorithm.
    pub fn sets(&self) -> BTreeMap<SigningAlgorithm, SigningKeySet> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        sets.clone()
    }

    /// Returns the public keys: previous, current and next of each algorithm.
    ///
    /// # Errors
    ///
    /// Fails if two keys have one id, which never happens to keys of one store.
    pub fn jwk_set(&self) -> Result<JwkSet, JwkSetError> {
        let sets = self.sets();
        let keys = sets.values().flat_map(SigningKeySet::keys);
        let keys: Vec<Jwk> = keys.map(|key| key.public_jwk().clone()).collect();
        JwkSet::new(keys)
    }

    /// Replaces the keys of an algorithm.
    #[cfg(feature = "store")]
    pub(crate) fn replace(&self, algorithm: SigningAlgorithm, set: SigningKeySet) {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        sets.insert(algorithm, set);
    }
}

/// Returns the id of a new key: `now` in whole seconds, or one second after `latest_kid` if that is later.
/// Hosted Canvas has ids of this form.
#[cfg(feature = "store")]
fn kid_after(now: Timestamp, latest_kid: Option<&str>) -> String {
    let second = SignedDuration::from_secs(1);
    let latest: Option<Timestamp> = latest_kid.and_then(|kid| kid.parse().ok());
    let after_latest = latest.and_then(|latest| latest.checked_add(second).ok());
    let time = std::cmp::max(Some(now), after_latest).unwrap_or(now);
    let seconds = Timestamp::from_second(time.as_second()).unwrap_or(time);
    seconds.to_string()
}

#[cfg(all(test, feature = "store"))]
mod tests {
    use super::*;

    fn kids(set: &SigningKeySet) -> Vec<&str> {
        set.keys().map(|key| key.kid()).collect()
    }

    #[test]
    fn a_rotation_makes_the_current_key_previous_and_the_next_key_current() {
        let now: Timestamp = "2026-11-30T17:40:16.9Z".parse().unwrap();
        let first = SigningKeySet::generate(SigningAlgorithm::EdDsa, now, None).unwrap();
        assert_eq!(
            kids(&first),
            ["2026-11-30T17:40:16Z", "2026-11-30T17:40:17Z"]
        );
        let latest = Some("2026-11-30T17:40:17Z");
        let second = first.rotated(now, latest).unwrap();
        assert_eq!(
            kids(&second),
            [
                "2026-11-30T17:40:16Z",
                "2026-11-30T17:40:17Z",
                "2026-11-30T17:40:18Z"
            ]
        );
        let later = now + SignedDuration::from_hours(720);
        let third = second.rotated(later, Some("2026-11-30T17:40:18Z")).unwrap();
        assert_eq!(
            kids(&third),
            [
                "2026-11-30T17:40:17Z",
                "2026-11-30T17:40:18Z",
                "2026-12-30T17:40:16Z"
            ]
        );
    }

    #[test]
    fn the_published_set_has_the_keys_of_all_algorithms() {
        let keys = SigningKeys::default();
        assert_eq!(keys.jwk_set().unwrap().to_json(), r#"{"keys":[]}"#);
        let now = Timestamp::UNIX_EPOCH;
        for (algorithm, latest) in [
            (SigningAlgorithm::EdDsa, None),
            (SigningAlgorithm::Es256, Some("1970-01-01T00:00:01Z")),
        ] {
            let set = SigningKeySet::generate(algorithm, now, latest).unwrap();
            keys.replace(algorithm, set);
        }
        let published = keys.jwk_set().unwrap();
        let kids: Vec<_> = published.keys().iter().map(Jwk::kid).collect();
        let second = |number| format!("1970-01-01T00:00:0{number}Z");
        let mut sorted = kids.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3].map(second));
        let current = keys.current(SigningAlgorithm::Es256).unwrap();
        assert!(published.find(current.kid()).is_some());
        assert!(keys.current(SigningAlgorithm::Rs256).is_none());
    }
}
