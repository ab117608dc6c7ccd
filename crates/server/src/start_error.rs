//! Why a server does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use easel_access::TokensError;
use easel_audit::{AuditError, AuditUnavailable};
use easel_keys::KeyStoreError;
use easel_log::ReadError;
use easel_log_sqlite::OpenLogError;
use easel_sources::SourceStoreError;
use easel_subscriptions::{ChangeError, OpenStoreError, StateStoreError};
use metrics_exporter_prometheus::BuildError;
use thiserror::Error;

use crate::{ConfigFaults, FolderError};

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The settings are invalid.
    #[error(transparent)]
    Config(#[from] ConfigFaults),
    /// The server cannot listen on the address.
    #[error("listen on {address}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A log cannot be opened.
    #[error("open the log")]
    Log(#[from] OpenLogError),
    /// The quarantine cannot be read.
    #[error("read the quarantine")]
    Quarantine(#[from] ReadError),
    /// The first token cannot be written.
    #[error("write the first token to {}; to choose the token, set EASEL_AUTH__FIRST_TOKEN", .path.display())]
    FirstToken {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The tokens cannot be read.
    #[error("prepare the tokens")]
    Tokens(#[from] TokensError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The keys do not open the specs of subscriptions.
    #[error(
        "open the secrets of {lost_count} subscriptions: keys.db does not have the key that sealed them; \
         put the right keys.db back, or run `easel keys reset`"
    )]
    LostSecrets {
        /// The number of subscriptions.
        lost_count: usize,
    },
    /// The master key opens all secrets, so there is nothing to reset.
    #[error("reset the keys: the master key opens this data folder, so no secret is lost")]
    NothingLost,
    /// The file of the subscriptions cannot be opened.
    #[error(transparent)]
    OpenStore(#[from] OpenStoreError),
    /// The subscriptions cannot be read.
    #[error(transparent)]
    Store(#[from] StateStoreError),
    /// The sources cannot be read.
    #[error(transparent)]
    Sources(#[from] SourceStoreError),
    /// The keys do not open the secrets of sources.
    #[error(
        "open the secrets of the sources {}: keys.db does not have the key that sealed them; put the \
         right keys.db back, or run `easel keys reset`",
        .names.join(", ")
    )]
    LostSources {
        /// The names of the sources.
        names: Vec<String>,
    },
    /// The audit cannot be used.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The audit cannot be written.
    #[error(transparent)]
    AuditUnavailable(#[from] AuditUnavailable),
    /// The keys do not open the key of the audit.
    #[error(
        "open the key of the audit: keys.db does not have the key that sealed it; put the right keys.db \
         and audit.db back, or run `easel keys reset`"
    )]
    LostAudit,
    /// The drift findings cannot be read.
    #[error(transparent)]
    Drift(#[from] easel_drift::DriftStoreError),
    /// A declared subscription is invalid.
    #[error("declare a subscription")]
    Declare(#[from] ChangeError),
    /// The metrics recorder cannot be created.
    #[error("prepare metrics")]
    Metrics(#[from] BuildError),
}

impl StartError {
    /// Returns whether other settings can fix the error.
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Listen { .. }
            | Self::Folder(_)
            | Self::Declare(_)
            | Self::Keys(_)
            | Self::NothingLost
            | Self::LostSecrets { .. }
            | Self::LostSources { .. }
            | Self::LostAudit
            | Self::FirstToken { .. } => true,
            Self::Log(_)
            | Self::Quarantine(_)
            | Self::Tokens(_)
            | Self::Store(_)
            | Self::OpenStore(_)
            | Self::Sources(_)
            | Self::Audit(_)
            | Self::AuditUnavailable(_)
            | Self::Drift(_)
            | Self::Metrics(_) => false,
        }
    }
}
