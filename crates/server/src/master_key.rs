//! Changes the master key of a data folder on which no server runs.

use std::sync::Arc;

use easel_audit::{
    AUDIT_HEAD, AuditActor, NewAuditEntry, clear_audit, is_audit_lost, record_at_rest,
};
use easel_keys::{KeyStore, KeyStoreError, Keys, MasterKeySource};
use easel_log::{Clock, SystemClock};
use easel_sources::{forget_lost_sources, lost_sources};
use easel_subscriptions::SqliteStore;

use crate::config_error::ConfigFaults;
use crate::data_folder::{AUDIT, DataFolder, KEYS, SOURCES, STATE};
use crate::server::reseal;
use crate::{Config, StartError};

/// Replaces the master key of the data folder, and seals all secrets again. Returns the id of the new
/// master key.
///
/// # Errors
///
/// Fails if a server runs on the folder, if the folder or its master key cannot be used, or if the master
/// key does not come from a file.
pub fn rotate_master_key(config: &Config) -> Result<String, StartError> {
    let (folder, source) = lock(config)?;
    let keys = open_keys(&folder, source, config)?;
    let store = Arc::new(SqliteStore::open(&folder.file(STATE), keys.sealer())?);
    keys.set_reseal(reseal(&store, &keys, &folder))?;
    let now = SystemClock.now();
    let id = keys.rotate_master_key(now)?;
    record(&folder, &keys, "master_key.rotate", &id)?;
    Ok(id)
}

/// Records in the audit what a command on this machine did.
fn record(folder: &DataFolder, keys: &Keys, action: &str, object: &str) -> Result<(), StartError> {
    let entry = NewAuditEntry {
        at: SystemClock.now(),
        actor: AuditActor::local(),
        action: action.to_owned(),
        object: object.to_owned(),
        details: serde_json::Map::new(),
    };
    Ok(record_at_rest(&folder.file(AUDIT), &keys.sealer(), entry)?)
}

/// Begins a new audit. Keeps copies of the files of the old one.
fn replace_audit(folder: &DataFolder) -> Result<Vec<String>, StartError> {
    let mut copies = vec![folder.copy_aside(AUDIT)?];
    let head = folder.file(AUDIT_HEAD);
    if head.exists() {
        let aside = folder.free_name(AUDIT_HEAD);
        folder.rename(AUDIT_HEAD, &aside)?;
        copies.push(aside);
    }
    clear_audit(&folder.file(AUDIT))?;
    Ok(copies)
}

/// The result of [`reset_keys`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReset {
    /// The subscriptions that had secrets. They are paused until an operator sets their secrets again.
    pub paused: Vec<String>,
    /// The sources with secrets that are lost. They are removed; create them again.
    pub removed_sources: Vec<String>,
    /// The copies of the files as they were, in the data folder. With the lost key, they are readable.
    pub copies: Vec<String>,
}

/// Creates new keys for a data folder whose master key is lost. `lost` is the id of the lost key. All
/// secrets in the folder are lost.
///
/// If the keys can be opened but do not open the subscriptions, as after an earlier call that was killed,
/// this call does the rest, whatever `lost` is.
///
/// # Errors
///
/// Fails if the folder has another master key, if a server runs on it, if nothing is lost, or if the
/// folder cannot be used.
pub fn reset_keys(config: &Config, lost: &str) -> Result<KeyReset, StartError> {
    let (folder, source) = lock(config)?;
    let (mut copies, mut is_reset) = (Vec::new(), false);
    let keys = match open_keys(&folder, source.clone(), config) {
        Ok(keys) => keys,
        Err(StartError::Keys(KeyStoreError::Missing { .. } | KeyStoreError::OtherKey { .. })) => {
            copies.push(folder.copy_aside(KEYS)?);
            KeyStore::remove_all(&folder.file(KEYS), lost)?;
            is_reset = true;
            open_keys(&folder, source, config)?
        }
        Err(other) => return Err(other),
    };
    let store = SqliteStore::open(&folder.file(STATE), keys.sealer())?;
    if store.lost_count()? > 0 {
        copies.push(folder.copy_aside(STATE)?);
        is_reset = true;
    }
    let sources = folder.file(SOURCES);
    if !lost_sources(&sources, &keys.sealer())?.is_empty() {
        copies.push(folder.copy_aside(SOURCES)?);
        is_reset = true;
    }
    if is_audit_lost(&folder.file(AUDIT), &keys.sealer())? {
        copies.extend(replace_audit(&folder)?);
        is_reset = true;
    }
    let removed_sources = forget_lost_sources(&sources, &keys.sealer())?;
    let paused = store.forget_lost_secrets()?;
    if !is_reset {
        return Err(StartError::NothingLost);
    }
    record(&folder, &keys, "master_key.reset", lost)?;
    Ok(KeyReset {
        paused,
        removed_sources,
        copies,
    })
}

fn lock(config: &Config) -> Result<(DataFolder, MasterKeySource), StartError> {
    let source = config.keys.source(&config.data);
    let source = source.map_err(|fault| ConfigFaults(vec![fault]))?;
    let folder = DataFolder::lock_existing(&config.data)?;
    folder.prepare()?;
    Ok((folder, source))
}

fn open_keys(
    folder: &DataFolder,
    source: MasterKeySource,
    config: &Config,
) -> Result<Keys, StartError> {
    let now = SystemClock.now();
    let keys = Keys::open(&folder.file(KEYS), source, config.keys.rotate_every, now);
    Ok(keys?)
}
