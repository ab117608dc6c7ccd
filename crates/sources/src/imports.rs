//! All imported files, with one lock for each.
//!
//! All methods except [`Imports::lock`] wait for the disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::import_store::ImportStore;
use crate::{
    ImportFile, ImportKey, ImportState, PendingPart, SOURCES_LAYOUT, SavedPart, SourceStoreError,
};

/// The lock of a file. The parts of a file are imported one after the other.
pub type ImportLock = OwnedMutexGuard<()>;

/// All imported files. Every change is on stable storage when its method returns.
#[derive(Debug)]
pub struct Imports {
    store: Mutex<ImportStore>,
    /// The locks that somebody uses.
    locks: Mutex<HashMap<ImportKey, Arc<AsyncMutex<()>>>>,
}

impl Imports {
    /// Opens the file of sources at `path`.
    pub fn open(path: &Path) -> Result<Self, SourceStoreError> {
        let connection = easel_sqlite::open(path, &SOURCES_LAYOUT)?;
        Ok(Self {
            store: Mutex::new(ImportStore::new(connection)),
            locks: Mutex::default(),
        })
    }

    /// Creates imports that are not stored.
    pub fn in_memory() -> Result<Self, SourceStoreError> {
        Self::open(Path::new(":memory:"))
    }

    /// Waits for the lock of a file.
    pub async fn lock(&self, key: &ImportKey) -> ImportLock {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_key, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(key.clone()).or_default())
        };
        lock.lock_owned().await
    }

    /// Returns how far a file was imported.
    pub fn get(&self, key: &ImportKey) -> Result<Option<ImportState>, SourceStoreError> {
        self.store().get(key)
    }

    /// Returns up to `limit` files whose keys come after `after`, in the order of the keys.
    pub fn list(&self, after: &str, limit: u32) -> Result<Vec<ImportState>, SourceStoreError> {
        self.store().list(after, limit)
    }

    /// Returns the files with a part that may be in the logs although it is not saved.
    pub fn pending(&self) -> Result<Vec<ImportState>, SourceStoreError> {
        self.store().pending()
    }

    /// Starts a new generation of a file, for a new client. A new file begins at these heads of the logs.
    pub fn begin(
        &self,
        file: &ImportFile,
        heads: PendingPart,
        now: Timestamp,
    ) -> Result<Option<ImportState>, SourceStoreError> {
        let key = ImportKey::derive(&file.name, &file.location);
        let store = self.store();
        store.begin((&key, file), heads, now)?;
        store.get(&key)
    }

    /// Notes that a part will be appended after these heads of the logs.
    pub fn mark_pending(
        &self,
        key: &ImportKey,
        heads: PendingPart,
    ) -> Result<(), SourceStoreError> {
        self.store().mark_pending(key, heads)
    }

    /// Saves the places of the last records that were found in the log and in quarantine.
    pub fn settle(
        &self,
        key: &ImportKey,
        through: (Option<u64>, Option<u64>),
        heads: PendingPart,
    ) -> Result<(), SourceStoreError> {
        self.store().settle(key, through, heads)
    }

    /// Saves a part that is in the logs.
    pub fn save(
        &self,
        key: &ImportKey,
        part: &SavedPart,
        now: Timestamp,
    ) -> Result<(), SourceStoreError> {
        self.store().save(key, part, now)
    }

    /// Forgets a file. Its events stay. Returns whether there was such a file.
    pub fn remove(&self, key: &ImportKey) -> Result<bool, SourceStoreError> {
        self.store().remove(key)
    }

    // A panic under this lock leaves no open transaction, so a poisoned lock is ignored.
    fn store(&self) -> MutexGuard<'_, ImportStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
