//! Checks the audit of a data folder on which no server runs, or of a backup.

use std::path::Path;

use easel_audit::{AuditError, ChainPoint, Verification, verify_at_rest};
use easel_keys::{KeyStoreError, sealer_at_rest};
use thiserror::Error;

use crate::Config;
use crate::config_error::ConfigError;
use crate::data_folder::{AUDIT, CopyError, KEYS, lock_if_any};

/// Why an audit was not checked.
#[derive(Debug, Error)]
pub enum AuditCheckError {
    /// A server runs on the folder.
    #[error("check the audit: a server runs on this folder")]
    InUse,
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(CopyError),
    /// The settings of the master key are invalid.
    #[error("check the audit: {0}")]
    Config(#[from] ConfigError),
    /// The keys cannot be opened.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The folder has no keys, or no audit.
    #[error("check the audit: the folder has no {file}")]
    NoFile {
        /// The missing file.
        file: &'static str,
    },
    /// The audit cannot be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// Checks the audit in `folder` with the master key of the settings. With `expected`, also checks that the audit
/// has this entry. Changes nothing.
///
/// # Errors
///
/// Fails if a server runs on the folder, or if the audit or the master key cannot be used.
pub fn verify_audit(
    config: &Config,
    folder: &Path,
    expected: Option<ChainPoint>,
) -> Result<Verification, AuditCheckError> {
    let _lock = lock_if_any(folder).map_err(|error| match error {
        CopyError::InUse { .. } => AuditCheckError::InUse,
        other => AuditCheckError::Folder(other),
    })?;
    let source = config.keys.source(&config.data)?;
    let sealer = sealer_at_rest(&folder.join(KEYS), &source)?;
    let sealer = sealer.ok_or(AuditCheckError::NoFile { file: KEYS })?;
    let verification = verify_at_rest(&folder.join(AUDIT), &sealer, expected)?;
    verification.ok_or(AuditCheckError::NoFile { file: AUDIT })
}
