//! Changes the master key of a data folder on which no server runs.

use std::sync::Arc;

use easel_keys::{KeyStore, KeyStoreError, Keys, MasterKeySource};
use easel_log::{Clock, SystemClock};
use easel_sources::{forget_lost_sources, lost_sources};
use easel_subscriptions::SqliteStore;

use crate::config_error::ConfigFaults;
use crate::data_folder::{DataFolder, KEYS, SOURCES, STATE};
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
    Ok(keys.rotate_master_key(SystemClock.now())?)
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
    let removed_sources = forget_lost_sources(&sources, &keys.sealer())?;
    let paused = store.forget_lost_secrets()?;
    if !is_reset {
        return Err(StartError::NothingLost);
    }
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
