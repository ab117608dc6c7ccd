//! Changes the master key of a data folder on which no server runs.

use std::sync::Arc;

use easel_keys::{KeyStore, Keys};
use easel_log::{Clock, SystemClock};
use easel_subscriptions::SqliteStore;

use crate::config_error::{ConfigError, ConfigFaults};
use crate::data_folder::{DataFolder, KEYS, STATE};
use crate::{Config, StartError};

/// Replaces the master key of the data folder, and seals all secrets again. Returns the id of the new
/// master key.
///
/// # Errors
///
/// Fails if a server runs on the folder, if the folder or its master key cannot be used, or if the master
/// key does not come from a file.
pub fn rotate_master_key(config: &Config) -> Result<String, StartError> {
    let source = config.keys.source(&config.data);
    let source = source.map_err(|fault| ConfigFaults(vec![ConfigError::MasterKey(fault)]))?;
    let folder = DataFolder::lock_existing(&config.data)?;
    folder.prepare()?;
    let now = SystemClock.now();
    let keys = Keys::open(&folder.file(KEYS), source, config.keys.rotate_every, now)?;
    let store = Arc::new(SqliteStore::open(&folder.file(STATE), keys.sealer())?);
    let reseal = || store.reseal().map_err(|error| error.to_string());
    keys.complete_rotation(&reseal)?;
    Ok(keys.rotate_master_key(now, &reseal)?)
}

/// Creates new keys for a data folder whose master key is lost. All secrets in the folder are lost. Returns the
/// names of the subscriptions that had secrets. They are paused until an operator sets their secrets again.
///
/// # Errors
///
/// Fails if the master key opens the folder, if a server runs on it, or if the folder cannot be used.
pub fn reset_keys(config: &Config) -> Result<Vec<String>, StartError> {
    let source = config.keys.source(&config.data);
    let source = source.map_err(|fault| ConfigFaults(vec![ConfigError::MasterKey(fault)]))?;
    let folder = DataFolder::lock_existing(&config.data)?;
    folder.prepare()?;
    let (path, now) = (folder.file(KEYS), SystemClock.now());
    KeyStore::reset(&path, source.clone(), now)?;
    let keys = Keys::open(&path, source, config.keys.rotate_every, now)?;
    let store = SqliteStore::open(&folder.file(STATE), keys.sealer())?;
    Ok(store.forget_lost_secrets()?)
}
