//! The first token of a data folder.
//!
//! A data folder without tokens gets one at its first start: the one that the settings preset, or
//! a fresh one. A fresh one is shown once by whoever starts the server, or written to `first-token`
//! in the data folder, which its owner alone can read. The file is on disk before the token is, so
//! that no crash leaves a token that nobody knows.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use easel_access::{Scopes, Tokens, TokensError, new_secret};
use easel_keys::Secret;
use jiff::Timestamp;
use tracing::warn;

use crate::{Config, FirstTokenPlace, FolderError};

/// The file that a fresh token is written to.
const FILE: &str = "first-token";

/// What became of the first token at this start.
#[derive(Debug)]
pub(crate) enum FirstToken {
    /// There was one already.
    Known,
    /// It is the preset one.
    Preset,
    /// It was made, and is to be shown.
    Shown(Secret<String>),
    /// It was made, and is in this file.
    Filed(PathBuf),
}

/// Why there is no first token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirstTokenError {
    /// It could not be kept.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// It could not be written to its file.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Makes sure that `tokens` has one.
pub(crate) fn ensure(
    tokens: &Tokens,
    config: &Config,
    now: Timestamp,
) -> Result<FirstToken, FirstTokenError> {
    if !tokens.is_empty() {
        if let Some(preset) = &config.first_token
            && !tokens.contains(preset)
        {
            warn!(
                setting = "auth.first_token",
                "preset token not used: this data folder has tokens already"
            );
        }
        return Ok(FirstToken::Known);
    }
    let (secret, first_token) = match (&config.first_token, config.first_token_place) {
        (Some(preset), _) => (preset.clone(), FirstToken::Preset),
        (None, FirstTokenPlace::Caller) => {
            let secret = new_secret().map_err(TokensError::from)?;
            (secret.clone(), FirstToken::Shown(secret))
        }
        (None, FirstTokenPlace::File) => {
            let secret = new_secret().map_err(TokensError::from)?;
            let path = config.data.join(FILE);
            write(&path, &secret).map_err(|source| FolderError::Io {
                path: config.data.clone(),
                source,
            })?;
            (secret, FirstToken::Filed(path))
        }
    };
    tokens.add("first", Scopes::ALL, &secret, now)?;
    Ok(first_token)
}

fn write(path: &Path, secret: &Secret<String>) -> io::Result<()> {
    // A file that an earlier start left may have other rights.
    match fs::remove_file(path) {
        Ok(()) => (),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => return Err(error),
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()
}
