//! The first token of a data folder.
//!
//! A data folder without tokens gets one at its first start: the preset token of the settings, or a
//! random token. The program that starts the server shows a random token once, or the server writes
//! it to a file that only its owner can read. The file is beside the master key and not in the data
//! folder, so that a copy of the folder has no readable secret. The file is written before the token is
//! stored, so that a crash never leaves an unknown token.
//!
//! If the server may not write beside the master key, as when a service manager hands over the key in a
//! read-only place, there is no first token. Commands on the same machine create tokens without one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use easel_access::{Scopes, Tokens, TokensError, new_secret};
use easel_keys::Secret;
use jiff::Timestamp;
use tracing::warn;

use crate::{Config, FirstTokenPlace, StartError};

/// The extension of the file for a random token. The rest of its name is that of the master key file.
const EXTENSION: &str = "first-token";

/// The first token at this start.
#[derive(Debug)]
pub(crate) enum FirstToken {
    /// The folder already had a token.
    Existing,
    /// The token is the preset one.
    Preset,
    /// The token is new, and the program that starts the server must show it.
    ToShow(Secret<String>),
    /// The token is new, and the server has written it to this file.
    InFile(PathBuf),
    /// There is no token, because the server may not write the file.
    NotWritten,
}

/// Adds a first token if `tokens` is empty.
pub(crate) fn create_if_none(
    tokens: &Tokens,
    config: &Config,
    now: Timestamp,
) -> Result<FirstToken, StartError> {
    if !tokens.is_empty() {
        if let Some(preset) = &config.first_token
            && !tokens.has_secret(preset)
        {
            warn!(
                setting = "auth.first_token",
                "preset token not used: this data folder has tokens already"
            );
        }
        return Ok(FirstToken::Existing);
    }
    let (secret, first_token) = match (&config.first_token, config.first_token_place) {
        (Some(preset), _) => (preset.clone(), FirstToken::Preset),
        (None, FirstTokenPlace::Terminal) => {
            let secret = new_secret().map_err(TokensError::from)?;
            (secret.clone(), FirstToken::ToShow(secret))
        }
        (None, FirstTokenPlace::File) => {
            let secret = new_secret().map_err(TokensError::from)?;
            let master_key = config.keys.master_key_path(&config.data);
            let path = master_key.with_extension(EXTENSION);
            match write(&path, &secret) {
                Ok(()) => (secret, FirstToken::InFile(path)),
                Err(error) if may_not_write(&error) => {
                    warn!(
                        path = %path.display(),
                        %error,
                        "first token not created; run `easel tokens create` on this machine"
                    );
                    return Ok(FirstToken::NotWritten);
                }
                Err(source) => return Err(StartError::FirstToken { path, source }),
            }
        }
    };
    tokens.add("first", Scopes::ALL, &secret, now)?;
    Ok(first_token)
}

/// Returns whether the folder is not for this server to write to.
fn may_not_write(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}

fn write(path: &Path, secret: &Secret<String>) -> io::Result<()> {
    // A file of an earlier start may have other permissions, so it is removed first.
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
