//! Why a server cannot start with its settings.
//!
//! The text of a fault names the invalid setting or the place in a file. It does not name the place
//! of the setting, because only the reader of the settings knows it.

use std::fmt;
use std::path::PathBuf;

use easel_caliper::TranslatorError;
use easel_catalog::MaskNameError;
use easel_keys::{MasterKeyError, Secret};
use easel_sinks::{ClientError, text_with_causes};
use easel_sources::SourceName;
use easel_subscriptions::{FullName, Name};
use easel_triggers::TriggersError;
use thiserror::Error;

use crate::catalog_folder::{CatalogFault, FilePlace};
use crate::tls_config::TlsFault;

/// The minimum length of a preset first token, in characters.
const MIN_TOKEN_CHARS: usize = 32;
/// The maximum length of a preset first token, in characters.
const MAX_TOKEN_CHARS: usize = 256;

/// Why a server cannot start with these settings.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Other machines could send requests without a token.
    #[error("listen must be a loopback address while auth is \"none\", not {address}")]
    OpenToOthers {
        /// The configured address.
        address: std::net::SocketAddr,
    },
    /// The first token is too weak, or has characters that a header cannot contain.
    #[error("auth.first_token {0}")]
    FirstToken(&'static str),
    /// The data folder is not writable.
    #[error("data folder {}: {fault}", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// The fault of the folder.
        fault: String,
    },
    /// A limit is larger than the limit that bounds it.
    #[error(
        "{smaller} ({smaller_bytes} bytes) must not be larger than {larger} ({larger_bytes} bytes)"
    )]
    Limits {
        /// The setting that is too large.
        smaller: &'static str,
        /// The value of `smaller`.
        smaller_bytes: usize,
        /// The setting that bounds `smaller`.
        larger: &'static str,
        /// The value of `larger`.
        larger_bytes: usize,
    },
    /// One half of a key pair is invalid.
    #[error("kinesis.keys: `{half}` {fault}")]
    KeyPair {
        /// The index of the pair, from 0.
        index: usize,
        /// `access_key_id` or `secret_access_key`.
        half: &'static str,
        /// What the half must be.
        fault: String,
    },
    /// Two key pairs have one id.
    #[error("kinesis.keys: the access key id {id:?} is given twice")]
    KeyIdTaken {
        /// The index of the second pair, from 0.
        index: usize,
        /// The id of both pairs.
        id: String,
    },
    /// Two roles have the same Canvas name.
    #[error("caliper.roles: the role {canvas:?} is given twice")]
    RoleTaken {
        /// The index of the second role, from 0.
        index: usize,
        /// The name of both roles.
        canvas: String,
    },
    /// A role is invalid in Caliper.
    #[error("{source}")]
    Role {
        /// The index of the role, from 0.
        index: usize,
        /// The fault of the role.
        source: TranslatorError,
    },
    /// Two subscriptions have one name and one reach.
    #[error("subscription {name} is declared twice")]
    NameTaken {
        /// The index of the second subscription, from 0.
        index: usize,
        /// The name of both subscriptions.
        name: FullName,
    },
    /// Two sources have one name.
    #[error("source {name} is defined twice")]
    SourceTaken {
        /// The index of the second source, from 0.
        index: usize,
        /// The name of both sources.
        name: SourceName,
    },
    /// No door could use a source.
    #[error("source {name}: {fault}")]
    Source {
        /// The index of the source, from 0.
        index: usize,
        /// The name of the source.
        name: SourceName,
        /// What is wrong.
        fault: String,
    },
    /// The webhook of a subscription is invalid.
    #[error("subscription {name}: {fault}")]
    Webhook {
        /// The index of the subscription, from 0.
        index: usize,
        /// The name of the subscription.
        name: Name,
        /// The fault of the webhook.
        fault: String,
    },
    /// A master key is invalid.
    #[error("keys.master_key and keys.previous_master_key: failed to {0}")]
    MasterKey(MasterKeyError),
    /// The file of the master key is in the data folder.
    #[error("keys.master_key_file must be outside the data folder, so that a copy has no key")]
    KeyInFolder,
    /// A name of a secret parameter is invalid.
    #[error("masking.names: {0}")]
    Masking(MaskNameError),
    /// A subscription does not fit its format or the catalogue.
    #[error("subscription {name}: {fault}")]
    Format {
        /// The index of the subscription, from 0.
        index: usize,
        /// The name of the subscription.
        name: Name,
        /// The fault of the subscription.
        fault: String,
    },
    /// An operator's own catalogue file is invalid.
    #[error(transparent)]
    Catalog(CatalogFault),
    /// A field names an unknown computation.
    #[error("{}{error}", prefix(place.as_ref()))]
    Triggers {
        /// The place of the name.
        place: Option<FilePlace>,
        /// The fault.
        error: TriggersError,
    },
    /// A Caliper form is invalid.
    #[error("{}{error}", prefix(place.as_ref()))]
    Caliper {
        /// The place of the form.
        place: Option<FilePlace>,
        /// The fault.
        error: TranslatorError,
    },
    /// A setting of the calls of Canvas's own client is invalid.
    #[error("{setting} {fault}")]
    CanvasService {
        /// The key of the setting.
        setting: &'static str,
        /// What is invalid. It reads after the key.
        fault: String,
    },
    /// A setting of TLS cannot be used.
    #[error(transparent)]
    Tls(TlsFault),
    /// A setting of the identity provider is invalid.
    #[error("{setting} {fault}")]
    Oidc {
        /// The key of the setting.
        setting: &'static str,
        /// What is invalid. It reads after the key.
        fault: String,
    },
    /// The client of webhooks cannot be created.
    #[error("failed to {}", text_with_causes(.0))]
    Webhooks(ClientError),
}

/// All faults of the settings. Never empty.
#[derive(Debug, Error)]
pub struct ConfigFaults(pub Vec<ConfigError>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.0.iter().map(ConfigError::to_string).collect();
        f.write_str(&faults.join("; "))
    }
}

/// Rejects a preset first token that is too weak, or has characters that a header cannot contain.
///
/// # Errors
///
/// Returns what a token must be, without the token. The text reads after the name of the setting.
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
        Err("must contain only letters, digits and - . _ ~ + /")
    } else if letters.len() < 8 {
        Err("must have at least 8 different characters")
    } else {
        Ok(())
    }
}

fn prefix(place: Option<&FilePlace>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}
