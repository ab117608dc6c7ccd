//! The keys of a data folder, in the file `keys.db`.
//!
//! The file is SQLite, format 2:
//!
//! - `master`, one row: the id of the master key. The key itself is outside the data folder;
//! - `data_keys`, one row per data key, encrypted with the master key. The data key with the greatest id seals
//!   new secrets;
//! - `signing_keys`, one row per signing key, sealed with a data key. `role` is `previous`, `current` or
//!   `next`;
//! - `folder`, since format 2: the data folder of the file, and the file's role.
//!
//! A rotation of the master key makes a new data key too. The old data key stays until all secrets are
//! sealed again. So whoever has an old master key and an old copy of the folder cannot read new secrets.

#[cfg(feature = "signing")]
mod signing_rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use easel_sqlite::{Checkpoints, Durability, Layout, create_folder_table};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;
use tracing::{info, warn};

#[cfg(feature = "signing")]
use crate::SigningAlgorithm;
use crate::master_key_file::{MasterKeyFile, MasterKeyFileError};
use crate::sealer::{self, SealError, Sealer};
#[cfg(feature = "signing")]
use crate::signing_keys::SigningKeySet;
use crate::{MasterKey, Secret};

/// The layout of `keys.db`.
pub static KEYS_LAYOUT: Layout = Layout {
    noun: "file of keys",
    role: "keys",
    application_id: 0x4561_736b, // "Eask"
    unnumbered_table: None,
    migrations: &[create_tables, create_folder_table],
    durability: Durability::Full,
    checkpoints: Checkpoints::Automatic,
    seen: |_connection| Ok(0),
};

const TABLES: &str = "
    CREATE TABLE master (
        id     INTEGER PRIMARY KEY CHECK (id = 0),
        key_id TEXT NOT NULL
    ) STRICT;
    CREATE TABLE data_keys (
        id         INTEGER PRIMARY KEY,
        wrapped    BLOB NOT NULL,
        created_at INTEGER NOT NULL -- milliseconds since 1970
    ) STRICT;
    CREATE TABLE signing_keys (
        kid       TEXT PRIMARY KEY,
        algorithm TEXT NOT NULL,
        role      TEXT NOT NULL,
        since     INTEGER NOT NULL, -- since when the current key signs, in milliseconds since 1970
        sealed    BLOB NOT NULL,
        UNIQUE (algorithm, role)
    ) STRICT;";

/// Where the master key of a data folder comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKeySource {
    /// The file of the key. The first start creates it if `key` is `None`.
    pub file: MasterKeyFile,
    /// The key, if a setting or the environment has it. Then the file is not used.
    pub key: Option<MasterKey>,
    /// The key before the current one. A start with both re-encrypts the data folder.
    pub previous: Option<MasterKey>,
}

impl MasterKeySource {
    /// Returns the first master key of a data folder: the key of the settings, the key in the file, or a new
    /// key, which it writes to the file. Also returns whether this call wrote the file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or if there is no key and the file cannot be written.
    pub fn first(&self) -> Result<(MasterKey, bool), KeyStoreError> {
        if let Some(key) = &self.key {
            return Ok((key.clone(), false));
        }
        if let Some(key) = self.file.read()? {
            return Ok((key, false));
        }
        let key = MasterKey::generate()?;
        let created = self.file.create(&key);
        created.map_err(KeyStoreError::NoNewFile)?;
        Ok((key, true))
    }
}

/// The keys of a data folder.
#[derive(Debug)]
pub struct KeyStore {
    file: Mutex<Connection>,
    sealer: Arc<Sealer>,
    source: MasterKeySource,
    created_file: bool,
}

/// Why the keys of a data folder cannot be used or changed.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// The data file is invalid or cannot be opened.
    #[error(transparent)]
    Open(#[from] easel_sqlite::OpenError),
    /// The data file cannot be read or written.
    #[error("use the file of keys")]
    Sqlite(#[from] rusqlite::Error),
    /// The file of the master key cannot be used.
    #[error(transparent)]
    MasterKeyFile(#[from] MasterKeyFileError),
    /// The first start cannot write the file of the master key.
    #[error(
        "write a new master key; to write it elsewhere, set keys.master_key_file, or set \
         EASEL_KEYS__MASTER_KEY to 32 bytes in base64"
    )]
    NoNewFile(#[source] MasterKeyFileError),
    /// The master key is missing.
    #[error(
        "open the secrets of this data folder: they are sealed with the master key {id}, and {} does \
         not exist; put the file back, or set keys.master_key_file or EASEL_KEYS__MASTER_KEY",
        .path.display()
    )]
    Missing {
        /// The id of the missing key.
        id: String,
        /// The file that should have the key.
        path: PathBuf,
    },
    /// The master key is another one.
    #[error(
        "open the secrets of this data folder: they are sealed with the master key {wanted}, but the \
         current key is {found}"
    )]
    OtherKey {
        /// The id of the key that sealed the secrets.
        wanted: String,
        /// The id of the current key.
        found: String,
    },
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The keys are not removed, because another master key sealed them.
    #[error("remove the keys: their master key is {id:?}; name the id of the lost key")]
    OtherLostKey {
        /// The id of the master key of the file.
        id: String,
    },
    /// The new master key of a replacement is missing.
    #[error(
        "replace the master key: keys.previous_master_key is the key of this data folder, and there is \
         no new key; set EASEL_KEYS__MASTER_KEY, or write the new key to {}", .path.display()
    )]
    NoReplacement {
        /// The file that can have the new key.
        path: PathBuf,
    },
    /// The operating system returned no random bytes.
    #[error("generate a key")]
    Random(#[from] getrandom::Error),
    /// The master key comes from a setting, so only the operator can change it.
    #[error(
        "rotate the master key: it comes from EASEL_KEYS__MASTER_KEY; set that to a new key and \
         EASEL_KEYS__PREVIOUS_MASTER_KEY to the old one, and restart the server"
    )]
    NotInFile,
    /// The master key was replaced, but secrets could not be sealed again.
    #[error(
        "seal all secrets again: {what}; the master key is {id} now, and the server tries again at its \
         start and every minute"
    )]
    Reseal {
        /// The id of the new master key.
        id: String,
        /// The cause.
        what: String,
    },
    /// A signing key could not be generated.
    #[cfg(feature = "signing")]
    #[error(transparent)]
    Generate(crate::private_key::PrivateKeyError),
    /// The row of a signing key has an invalid value.
    #[error("read the signing key {kid}: {what}")]
    SigningKey {
        /// The id of the signing key.
        kid: String,
        /// The fault.
        what: String,
    },
}

impl KeyStore {
    /// Opens the file at `path`, or creates it. Reads the master key from `source`. Creates a master key
    /// if the data folder has none.
    ///
    /// # Errors
    ///
    /// Fails if the master key of the data folder is missing, or if `source` has another key.
    pub fn open(
        path: &Path,
        source: MasterKeySource,
        now: Timestamp,
    ) -> Result<Self, KeyStoreError> {
        let file = easel_sqlite::open(path, &KEYS_LAYOUT)?;
        // An old data key must not stay in a free part of the file.
        file.pragma_update(None, "secure_delete", true)?;
        truncate_wal(&file)?;
        let mut store = Self {
            file: Mutex::new(file),
            sealer: Arc::new(Sealer::new()),
            source,
            created_file: false,
        };
        match store.sealed_by()? {
            None => {
                let (master, is_created) = store.source.first()?;
                store.created_file = is_created;
                let data_key = sealer::random_data_key()?;
                store.save_data_keys(&master, &BTreeMap::from([(1, data_key)]), now)?;
            }
            Some(id) => {
                let master = store.find_master_key(&id)?;
                for (id, data_key) in &store.read_data_keys(&master)? {
                    store.sealer.add(*id, data_key)?;
                }
                store.finish_rotation(&master, now)?;
            }
        }
        Ok(store)
    }

    /// Removes all keys from the file at `path`. All secrets that these keys sealed are lost. The next
    /// [`open`](Self::open) creates new keys.
    ///
    /// # Errors
    ///
    /// Fails if `lost` is not the id of the master key of the file, so that nobody removes keys by mistake.
    pub fn remove_all(path: &Path, lost: &str) -> Result<(), KeyStoreError> {
        let mut file = easel_sqlite::open(path, &KEYS_LAYOUT)?;
        let sql = "SELECT key_id FROM master";
        let id: Option<String> = file.query_row(sql, [], |row| row.get(0)).optional()?;
        let id = id.unwrap_or_default();
        if id != lost {
            return Err(KeyStoreError::OtherLostKey { id });
        }
        let transaction = file.transaction()?;
        for table in ["master", "data_keys", "signing_keys"] {
            transaction.execute(&format!("DELETE FROM {table}"), [])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Returns the sealer for the secrets of the data folder.
    pub fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.sealer)
    }

    /// Returns the file of the master key if [`open`](Self::open) created it.
    pub fn created_file(&self) -> Option<&Path> {
        self.created_file.then(|| self.source.file.path())
    }

    /// Returns the id of the master key.
    pub fn master_key_id(&self) -> Result<String, KeyStoreError> {
        Ok(self.sealed_by()?.unwrap_or_default())
    }

    /// Replaces the master key in its file, and adds a data key. Returns the id of the new master key.
    ///
    /// Old secrets can still be opened. Seal them again, and then call
    /// [`remove_old_data_keys`](Self::remove_old_data_keys).
    ///
    /// # Errors
    ///
    /// Fails if the key does not come from a file, or if a file cannot be written. Then the old key stays.
    pub fn rotate_master_key(&self, now: Timestamp) -> Result<String, KeyStoreError> {
        if self.source.key.is_some() {
            return Err(KeyStoreError::NotInFile);
        }
        let id = self.master_key_id()?;
        let old = self.find_master_key(&id)?;
        let new = MasterKey::generate()?;
        self.source.file.write_new(&new)?;
        self.re_encrypt(&old, &new, now)?;
        // If the rename fails, the next start repeats it.
        self.source.file.rename_new()?;
        info!(old = id, new = new.id(), "master key rotated");
        Ok(new.id())
    }

    /// Removes all data keys except the current one. Secrets that the removed keys sealed are lost.
    pub fn remove_old_data_keys(&self) -> Result<(), KeyStoreError> {
        let sql = "DELETE FROM data_keys WHERE id < (SELECT max(id) FROM data_keys)";
        let file = self.file();
        file.execute(sql, [])?;
        self.sealer.forget_older();
        if !truncate_wal(&file)? {
            warn!("another process reads keys.db; the next start erases old keys in its WAL");
        }
        Ok(())
    }

    /// Returns the number of data keys. It is more than 1 while a rotation is not complete.
    pub fn data_key_count(&self) -> Result<u64, KeyStoreError> {
        let sql = "SELECT count(*) FROM data_keys";
        let count: i64 = self.file().query_row(sql, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Returns the id of the master key that sealed the data keys; `None` in a new file.
    fn sealed_by(&self) -> Result<Option<String>, KeyStoreError> {
        let sql = "SELECT key_id FROM master";
        let id = self.file().query_row(sql, [], |row| row.get(0));
        Ok(id.optional()?)
    }

    /// Returns the master key with this id.
    fn find_master_key(&self, id: &str) -> Result<MasterKey, KeyStoreError> {
        let file = &self.source.file;
        let is_wanted = |key: &MasterKey| key.id() == id;
        if let Some(previous) = self.source.previous.as_ref().filter(|key| is_wanted(key)) {
            return Ok(previous.clone());
        }
        let current = match &self.source.key {
            Some(key) => Some(key.clone()),
            None => file.read()?,
        };
        if let Some(key) = current.as_ref().filter(|key| is_wanted(key)) {
            return Ok(key.clone());
        }
        if let Some(new) = file.read_new()?.filter(is_wanted) {
            warn!(file = %file.path().display(), "unfinished rotation of the master key completed");
            file.rename_new()?;
            return Ok(new);
        }
        Err(other_key(id.to_owned(), current, file))
    }

    /// Re-encrypts the data keys if `master` is the previous key of the settings.
    fn finish_rotation(&self, master: &MasterKey, now: Timestamp) -> Result<(), KeyStoreError> {
        if self.source.previous.as_ref() != Some(master) {
            return Ok(());
        }
        let new = match &self.source.key {
            Some(key) => Some(key.clone()),
            None => self.source.file.read()?,
        };
        match new {
            Some(new) if new == *master => Ok(()),
            Some(new) => {
                self.re_encrypt(master, &new, now)?;
                info!(old = master.id(), new = new.id(), "master key replaced");
                Ok(())
            }
            None => Err(KeyStoreError::NoReplacement {
                path: self.source.file.path().to_owned(),
            }),
        }
    }

    /// Encrypts all data keys with another master key, and adds a data key.
    fn re_encrypt(
        &self,
        old: &MasterKey,
        new: &MasterKey,
        now: Timestamp,
    ) -> Result<(), KeyStoreError> {
        let mut data_keys = self.read_data_keys(old)?;
        let last = data_keys.last_key_value().map_or(0, |(id, _key)| *id);
        data_keys.insert(last.saturating_add(1), sealer::random_data_key()?);
        self.save_data_keys(new, &data_keys, now)
    }

    fn read_data_keys(
        &self,
        master: &MasterKey,
    ) -> Result<BTreeMap<u32, Secret<Vec<u8>>>, KeyStoreError> {
        let file = self.file();
        let mut statement = file.prepare("SELECT id, wrapped FROM data_keys")?;
        let mut rows = statement.query([])?;
        let mut data_keys = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (id, wrapped): (u32, Vec<u8>) = (row.get(0)?, row.get(1)?);
            data_keys.insert(id, sealer::unwrap(master, id, &wrapped)?);
        }
        Ok(data_keys)
    }

    /// Saves the data keys in one transaction, and adds them to the sealer.
    fn save_data_keys(
        &self,
        master: &MasterKey,
        data_keys: &BTreeMap<u32, Secret<Vec<u8>>>,
        now: Timestamp,
    ) -> Result<(), KeyStoreError> {
        let mut file = self.file();
        let transaction = file.transaction()?;
        let sql = "INSERT INTO master VALUES (0, ?1)
             ON CONFLICT DO UPDATE SET key_id = excluded.key_id";
        transaction.execute(sql, [master.id()])?;
        for (id, data_key) in data_keys {
            transaction.execute(
                "INSERT INTO data_keys (id, wrapped, created_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET wrapped = excluded.wrapped",
                params![
                    id,
                    sealer::wrap(master, *id, data_key)?,
                    now.as_millisecond()
                ],
            )?;
        }
        transaction.commit()?;
        drop(file);
        for (id, data_key) in data_keys {
            self.sealer.add(*id, data_key)?;
        }
        Ok(())
    }

    // A panic under this lock leaves the connection valid, so a poisoned lock is ignored.
    fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "signing")]
impl KeyStore {
    /// Reads all signing keys.
    pub(crate) fn signing_keys(
        &self,
    ) -> Result<BTreeMap<SigningAlgorithm, SigningKeySet>, KeyStoreError> {
        signing_rows::read(&self.file(), &self.sealer)
    }

    /// Replaces the signing keys of an algorithm.
    pub(crate) fn save_signing_keys(
        &self,
        algorithm: SigningAlgorithm,
        set: &SigningKeySet,
    ) -> Result<(), KeyStoreError> {
        signing_rows::save(&mut self.file(), &self.sealer, algorithm, set)
    }

    /// Seals all signing keys again with the current data key.
    pub(crate) fn reseal_signing_keys(&self) -> Result<(), KeyStoreError> {
        signing_rows::reseal(&mut self.file(), &self.sealer)
    }

    /// Returns the greatest id of all signing keys.
    pub(crate) fn latest_kid(&self) -> Result<Option<String>, KeyStoreError> {
        signing_rows::latest_kid(&self.file())
    }
}

/// Returns the ids of the data keys in the file at `path`, while no process has the file open. Returns an
/// empty list if the file does not exist.
pub fn stored_data_keys(path: &Path) -> Result<Vec<u32>, KeyStoreError> {
    let Some(file) = easel_sqlite::open_at_rest(path, &KEYS_LAYOUT)? else {
        return Ok(Vec::new());
    };
    let mut statement = file.prepare("SELECT id FROM data_keys")?;
    let ids = statement.query_map([], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Reads the data keys in the file at `path`, which no process writes to, and changes nothing. Returns `None` if the file
/// has no keys.
///
/// # Errors
///
/// Fails if the master key of the file is missing, or if `source` has another key.
pub fn sealer_at_rest(
    path: &Path,
    source: &MasterKeySource,
) -> Result<Option<Sealer>, KeyStoreError> {
    let Some(file) = easel_sqlite::open_at_rest(path, &KEYS_LAYOUT)? else {
        return Ok(None);
    };
    let sql = "SELECT key_id FROM master";
    let id: Option<String> = file.query_row(sql, [], |row| row.get(0)).optional()?;
    let Some(id) = id else {
        return Ok(None);
    };
    let current = match &source.key {
        Some(key) => Some(key.clone()),
        None => source.file.read()?,
    };
    let new = source.file.read_new()?;
    let mut keys = [source.previous.clone(), current.clone(), new].into_iter();
    let Some(master) = keys.find_map(|key| key.filter(|key| key.id() == id)) else {
        return Err(other_key(id, current, &source.file));
    };
    let mut statement = file.prepare("SELECT id, wrapped FROM data_keys")?;
    let mut rows = statement.query([])?;
    let sealer = Sealer::new();
    while let Some(row) = rows.next()? {
        let (id, wrapped): (u32, Vec<u8>) = (row.get(0)?, row.get(1)?);
        sealer.add(id, &sealer::unwrap(&master, id, &wrapped)?)?;
    }
    drop(rows);
    Ok(Some(sealer))
}

/// Returns the error for a master key that is not the one with this id.
fn other_key(wanted: String, current: Option<MasterKey>, file: &MasterKeyFile) -> KeyStoreError {
    match current {
        Some(current) => KeyStoreError::OtherKey {
            wanted,
            found: current.id(),
        },
        None => KeyStoreError::Missing {
            id: wanted,
            path: file.path().to_owned(),
        },
    }
}

/// Truncates the WAL, which has old keys until then. Returns `false` if another process reads the file.
fn truncate_wal(file: &Connection) -> Result<bool, KeyStoreError> {
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let is_busy: bool = file.query_row(sql, [], |row| row.get(0))?;
    Ok(!is_busy)
}

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)
}

#[cfg(test)]
mod tests;
