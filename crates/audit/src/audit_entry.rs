//! Entries of the audit: what a caller hands in, and what a reader gets.

use std::net::IpAddr;

use easel_catalog::Reach;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::EntryMac;

/// Who acts: a caller, or the server itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuditActor {
    /// The id of a token or of an access key, `local`, `oidc:` and a subject, `canvas`, `settings` or `server`.
    pub name: String,
    /// The address of the caller. `None` for the server itself.
    pub address: Option<IpAddr>,
    /// What the actor may access.
    pub reach: Reach,
}

/// An entry to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuditEntry {
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: AuditActor,
    /// What was done, such as `subscription.create`.
    pub action: String,
    /// What it was done to: a name or an id. Empty if the action has no object.
    pub object: String,
    /// More about it. Never a secret and never a payload.
    pub details: Map<String, Value>,
}

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The number: from 1, without gaps.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// The address of the caller, if there was one.
    pub address: Option<String>,
    /// What the actor could access.
    pub reach: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// More about it.
    pub details: Value,
    /// The MAC.
    pub mac: EntryMac,
}

impl AuditActor {
    /// The server, for what it does by itself.
    pub fn server() -> Self {
        Self::internal("server")
    }

    /// The settings file, for what it declares.
    pub fn settings() -> Self {
        Self::internal("settings")
    }

    /// A command on this machine that needs no server.
    pub fn local() -> Self {
        Self::internal("local")
    }

    fn internal(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: None,
            reach: Reach::Everything,
        }
    }
}
