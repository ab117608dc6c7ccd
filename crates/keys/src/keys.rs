//! All keys of a data folder: the store, and the signing keys in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::info;

use crate::SigningAlgorithm;
use crate::key_store::{KeyStore, KeyStoreError, MasterKeySource};
use crate::sealer::Sealer;
use crate::signing_keys::{SigningKeySet, SigningKeys};

/// All keys of a data folder.
///
/// Most methods block on the disk. Some generate keys, which takes a fraction of a second.
pub struct Keys {
    store: KeyStore,
    signing: Arc<SigningKeys>,
    /// After this time, the next signing key becomes the current one.
    rotate_every: Duration,
    /// Locked while keys change.
    change_lock: Mutex<()>,
    /// Seals the secrets of other data files again.
    reseal: OnceLock<Reseal>,
}

/// Seals the secrets of another data file again with the current data key. Returns how many secrets it
/// sealed, or an error text.
pub type Reseal = Box<dyn Fn() -> Result<usize, String> + Send + Sync>;

impl Keys {
    /// Opens the file of keys at `path`, or creates it. A new file has no signing keys.
    ///
    /// # Errors
    ///
    /// Fails as [`KeyStore::open`] does, or if a signing key cannot be read.
    pub fn open(
        path: &Path,
        source: MasterKeySource,
        rotate_every: Duration,
        now: Timestamp,
    ) -> Result<Self, KeyStoreError> {
        let store = KeyStore::open(path, source, now)?;
        let signing = SigningKeys::default();
        for (algorithm, set) in store.signing_keys()? {
            signing.replace(algorithm, set);
        }
        Ok(Self {
            store,
            signing: Arc::new(signing),
            rotate_every,
            change_lock: Mutex::default(),
            reseal: OnceLock::new(),
        })
    }

    /// Returns the signing keys. They change with each rotation.
    pub fn signing(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.signing)
    }

    /// Returns the sealer for the secrets of the data folder.
    pub fn sealer(&self) -> Arc<Sealer> {
        self.store.sealer()
    }

    /// Returns the store.
    pub const fn store(&self) -> &KeyStore {
        &self.store
    }

    /// Generates the signing keys of an algorithm if the algorithm has no keys.
    pub fn ensure(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Result<(), KeyStoreError> {
        let _turn = self.lock_changes();
        self.existing_or_new(algorithm, now).map(drop)
    }

    /// Returns the signing keys of an algorithm. Generates them if the algorithm has no keys. The caller holds
    /// the lock of changes.
    fn existing_or_new(
        &self,
        algorithm: SigningAlgorithm,
        now: Timestamp,
    ) -> Result<SigningKeySet, KeyStoreError> {
        if let Some(set) = self.signing.sets().remove(&algorithm) {
            return Ok(set);
        }
        let latest = self.store.latest_kid()?;
        let set = SigningKeySet::generate(algorithm, now, latest.as_deref());
        let set = set.map_err(KeyStoreError::Generate)?;
        self.save(algorithm, set.clone())?;
        Ok(set)
    }

    /// Makes the next key of an algorithm the current one. Generates the keys first if the algorithm has none.
    /// Returns the keys after the rotation.
    pub fn rotate(
        &self,
        algorithm: SigningAlgorithm,
        now: Timestamp,
    ) -> Result<SigningKeySet, KeyStoreError> {
        let _turn = self.lock_changes();
        let set = self.existing_or_new(algorithm, now)?;
        let latest = self.store.latest_kid()?;
        let rotated = set.rotated(now, latest.as_deref());
        let rotated = rotated.map_err(KeyStoreError::Generate)?;
        self.save(algorithm, rotated.clone())?;
        info!(%algorithm, kid = rotated.current.kid(), "signing key rotated");
        Ok(rotated)
    }

    /// Rotates every algorithm whose current key is too old.
    pub fn rotate_due(&self, now: Timestamp) -> Result<(), KeyStoreError> {
        for (algorithm, due) in self.due_times() {
            if due <= now {
                self.rotate(algorithm, now)?;
            }
        }
        Ok(())
    }

    /// Returns the time of the next scheduled rotation, by algorithm.
    pub fn due_times(&self) -> BTreeMap<SigningAlgorithm, Timestamp> {
        let every = SignedDuration::try_from(self.rotate_every).unwrap_or(SignedDuration::MAX);
        let due = |set: &SigningKeySet| set.since.checked_add(every).unwrap_or(Timestamp::MAX);
        let sets = self.signing.sets();
        sets.iter().map(|(name, set)| (*name, due(set))).collect()
    }

    /// Replaces the master key in its file, and seals all secrets again with a new data key. Returns the id
    /// of the new master key.
    ///
    /// # Errors
    ///
    /// Fails as [`KeyStore::rotate_master_key`] does. If secrets cannot be sealed again, the old data key
    /// stays until [`complete_rotation`](Self::complete_rotation) succeeds.
    pub fn rotate_master_key(&self, now: Timestamp) -> Result<String, KeyStoreError> {
        let _turn = self.lock_changes();
        let id = self.store.rotate_master_key(now)?;
        self.reseal_all()?;
        Ok(id)
    }

    /// Sets the function that seals the secrets of other data files again, and completes an unfinished
    /// rotation of the master key. The function is set once, after the start.
    pub fn set_reseal(&self, reseal: Reseal) -> Result<(), KeyStoreError> {
        // A second function would be a bug of the caller. The first one stays.
        drop(self.reseal.set(reseal));
        self.complete_rotation()
    }

    /// Completes a rotation of the master key that was killed or could not seal all secrets.
    pub fn complete_rotation(&self) -> Result<(), KeyStoreError> {
        let _turn = self.lock_changes();
        if self.store.data_key_count()? > 1 {
            self.reseal_all()?;
        }
        Ok(())
    }

    fn reseal_all(&self) -> Result<(), KeyStoreError> {
        // Without the function, old data keys must stay.
        let Some(reseal) = self.reseal.get() else {
            return Ok(());
        };
        if let Err(what) = reseal() {
            let id = self.store.master_key_id()?;
            return Err(KeyStoreError::Reseal { id, what });
        }
        self.store.reseal_signing_keys()?;
        self.store.remove_old_data_keys()
    }

    // A panic under this lock leaves all keys valid, so a poisoned lock is ignored.
    fn lock_changes(&self) -> MutexGuard<'_, ()> {
        let lock = self.change_lock.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, algorithm: SigningAlgorithm, set: SigningKeySet) -> Result<(), KeyStoreError> {
        self.store.save_signing_keys(algorithm, &set)?;
        self.signing.replace(algorithm, set);
        Ok(())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("store", &self.store)
            .field("signing", &self.signing)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::MasterKeyFile;

    const MONTH: Duration = Duration::from_hours(30 * 24);

    fn open(folder: &TempDir) -> Keys {
        let source = MasterKeySource {
            file: MasterKeyFile::new(folder.path().join("master")),
            key: None,
            previous: None,
        };
        let path = folder.path().join("keys.db");
        let keys = Keys::open(&path, source, MONTH, Timestamp::UNIX_EPOCH).unwrap();
        keys.ensure(SigningAlgorithm::Rs256, Timestamp::UNIX_EPOCH)
            .unwrap();
        keys
    }

    fn kids(keys: &Keys) -> Vec<String> {
        let published = keys.signing().jwk_set().unwrap();
        published
            .keys()
            .iter()
            .map(|key| key.kid().to_owned())
            .collect()
    }

    #[test]
    fn signing_keys_survive_a_restart_and_sign_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let keys = open(&folder);
        let before = kids(&keys);
        let signed = |keys: &Keys| {
            let current = keys.signing().current(SigningAlgorithm::Rs256).unwrap();
            current.sign(b"text").unwrap()
        };
        let signature = signed(&keys);
        drop(keys);
        let keys = open(&folder);
        assert_eq!(kids(&keys), before);
        assert_eq!(signed(&keys), signature);
    }

    #[test]
    fn a_key_rotates_when_it_is_due_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let keys = open(&folder);
        keys.ensure(SigningAlgorithm::EdDsa, Timestamp::UNIX_EPOCH)
            .unwrap();
        let before = kids(&keys);
        assert_eq!(before.len(), 4);
        let due = Timestamp::UNIX_EPOCH + MONTH;
        keys.rotate_due(due - Duration::from_millis(1)).unwrap();
        assert_eq!(kids(&keys), before);
        keys.rotate_due(due).unwrap();
        let after = kids(&keys);
        assert_eq!(after.len(), 6);
        assert!(before.iter().all(|kid| after.contains(kid)), "{after:?}");
        keys.rotate_due(due).unwrap();
        assert_eq!(kids(&keys), after);
    }

    #[test]
    fn a_rotation_of_the_master_key_keeps_the_signing_keys() {
        let folder = tempfile::tempdir().unwrap();
        let keys = open(&folder);
        keys.set_reseal(Box::new(|| Ok(0))).unwrap();
        let before = kids(&keys);
        keys.rotate_master_key(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(keys.store().data_key_count().unwrap(), 1);
        drop(keys);
        assert_eq!(kids(&open(&folder)), before);
    }

    #[test]
    fn a_rotation_that_could_not_seal_everything_is_completed_later() {
        let folder = tempfile::tempdir().unwrap();
        let keys = open(&folder);
        let failing = || Err("the disk is full".to_owned());
        keys.set_reseal(Box::new(failing)).unwrap();
        let error = keys.rotate_master_key(Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        drop(keys);
        let keys = open(&folder);
        assert_eq!(keys.store().data_key_count().unwrap(), 2);
        keys.set_reseal(Box::new(|| Ok(1))).unwrap();
        assert_eq!(keys.store().data_key_count().unwrap(), 1);
    }
}
