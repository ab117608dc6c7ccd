//! Why a subscription was not created or changed.

use easel_log::ReadError;
use thiserror::Error;

use crate::state_store::StateStoreError;
use crate::{Name, ReplayNumber, Spec};

/// Why a subscription was not created or changed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// Another subscription has this name.
    #[error("subscription {name} already exists")]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// No subscription has this name.
    #[error("subscription {name:?} does not exist")]
    Unknown {
        /// The requested name.
        name: String,
    },
    /// The subscription has no replay with this number.
    #[error("subscription {name} has no replay {number}")]
    UnknownReplay {
        /// The name.
        name: Name,
        /// The number.
        number: ReplayNumber,
    },
    /// The configuration file declares the subscription, so only the file may change it.
    #[error("subscription {name} is declared in the configuration file; change it there")]
    DeclaredInFile {
        /// The name.
        name: Name,
    },
    /// Another system manages the subscription, so only that system may change its spec.
    #[error(
        "subscription {name} belongs to {owner}, which manages it; change it there (pausing, resuming, \
         replaying and removing it here is possible)"
    )]
    Owned {
        /// The name.
        name: Name,
        /// The system.
        owner: &'static str,
    },
    /// The configuration file no longer declares the subscription.
    #[error(
        "subscription {name} is deactivated, because the configuration file no longer declares it; \
         declare it again, or replace it through the API"
    )]
    Deactivated {
        /// The name.
        name: Name,
    },
    /// The subscription or the command is invalid.
    #[error("subscription {name}: {what}")]
    Invalid {
        /// The name.
        name: Name,
        /// What is invalid.
        what: String,
    },
    /// The change could not be saved.
    #[error(transparent)]
    Store(#[from] StateStoreError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] ReadError),
}

impl ChangeError {
    /// Returns a function that makes the error of an invalid spec.
    pub(crate) fn invalid(spec: &Spec) -> impl FnOnce(String) -> Self + use<> {
        let name = spec.name.clone();
        move |what| Self::Invalid { name, what }
    }
}
