//! Why a server cannot be started with some settings.
//!
//! A fault names the setting, or the place in a file, that must change. It is a sentence of its
//! own, without the place where the setting stands, which only the reader of the settings knows.

use std::fmt;
use std::path::PathBuf;

use easel_caliper::FormError;
use easel_keys::Secret;
use easel_sinks::{ClientError, EndpointError};
use easel_subscriptions::Name;
use easel_triggers::TriggersError;
use thiserror::Error;

use crate::catalog_folder::{CatalogFault, FilePlace};

/// The fewest characters of a preset first token.
const MIN_TOKEN_CHARS: usize = 32;
/// The most characters of a preset first token.
const MAX_TOKEN_CHARS: usize = 256;

/// Why a server cannot be started with these settings.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Everyone could come in.
    #[error("listen must be a loopback address while auth is \"none\", not {address}")]
    OpenToOthers {
        /// The address asked for.
        address: std::net::SocketAddr,
    },
    /// The first token is too weak, or cannot stand in a header.
    #[error("auth.first_token {0}")]
    FirstToken(&'static str),
    /// The data folder cannot be written to.
    #[error("data folder {}: {fault}", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// One limit makes another one useless.
    #[error(
        "{smaller} ({smaller_bytes} bytes) must not be larger than {larger} ({larger_bytes} bytes)"
    )]
    Limits {
        /// The setting that is too large.
        smaller: &'static str,
        /// Its value.
        smaller_bytes: usize,
        /// The setting that bounds it.
        larger: &'static str,
        /// Its value.
        larger_bytes: usize,
    },
    /// One half of a key pair protects nothing or cannot be used.
    #[error("kinesis.keys: `{half}` {fault}")]
    KeyPair {
        /// Which of the pairs it is, from 0.
        index: usize,
        /// `access_key_id` or `secret_access_key`.
        half: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// Two key pairs have one id.
    #[error("kinesis.keys: the access key id {id:?} is given twice")]
    KeyIdTaken {
        /// Which of the pairs it is, from 0: the later one.
        index: usize,
        /// Their id.
        id: String,
    },
    /// Two roles are the same in Canvas.
    #[error("caliper.roles: the role {canvas:?} is given twice")]
    RoleTaken {
        /// Which of the roles it is, from 0: the later one.
        index: usize,
        /// Their name.
        canvas: String,
    },
    /// A role cannot be written in Caliper.
    #[error("{source}")]
    Role {
        /// Which of the roles it is, from 0.
        index: usize,
        /// What is wrong with it.
        source: FormError,
    },
    /// Two subscriptions have one name.
    #[error("subscription {name} is declared twice")]
    NameTaken {
        /// Which of the subscriptions it is, from 0: the later one.
        index: usize,
        /// Their name.
        name: Name,
    },
    /// A subscription's events cannot be sent where it says.
    #[error("subscription {name}: failed to {source}")]
    Endpoint {
        /// Which of the subscriptions it is, from 0.
        index: usize,
        /// Its name.
        name: Name,
        /// What is wrong with the URL.
        source: EndpointError,
    },
    /// A subscription asks for what its format cannot give.
    #[error("subscription {name}: {said}")]
    Format {
        /// Which of the subscriptions it is, from 0.
        index: usize,
        /// Its name.
        name: Name,
        /// What it cannot.
        said: String,
    },
    /// The operator's own part of the catalogue cannot be used.
    #[error(transparent)]
    Catalog(CatalogFault),
    /// A field is made by a rule that does not exist.
    #[error("{}{error}", prefix(place.as_ref()))]
    Triggers {
        /// Where the rule is named.
        place: Option<FilePlace>,
        /// What is wrong.
        error: TriggersError,
    },
    /// A Caliper form cannot be used.
    #[error("{}{error}", prefix(place.as_ref()))]
    Caliper {
        /// Where the form is.
        place: Option<FilePlace>,
        /// What is wrong.
        error: FormError,
    },
    /// The webhooks cannot be prepared.
    #[error("failed to {}", chain(.0))]
    Webhooks(ClientError),
}

/// Everything that is wrong with some settings; never empty.
#[derive(Debug, Error)]
pub struct ConfigFaults(pub Vec<ConfigError>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.0.iter().map(ConfigError::to_string).collect();
        f.write_str(&faults.join("; "))
    }
}

/// Refuses a preset first token that is too weak, or cannot stand in a header.
///
/// # Errors
///
/// What a token must be, without the token; reads after the name of the setting.
pub fn check_token(token: &Secret<String>) -> Result<(), &'static str> {
    let token = token.expose();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let body = token.trim_end_matches('=');
    let mut letters: Vec<_> = body.bytes().collect();
    letters.sort_unstable();
    letters.dedup();
    if !(MIN_TOKEN_CHARS..=MAX_TOKEN_CHARS).contains(&token.len()) {
        Err("must be 32 to 256 characters long")
    } else if !body.bytes().all(is_allowed) {
        Err("must be letters, digits, and - . _ ~ + / alone")
    } else if letters.len() < 8 {
        Err("must have at least 8 different characters")
    } else {
        Ok(())
    }
}

fn prefix(place: Option<&FilePlace>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
