//! The system that created a subscription through a protocol of its own, and manages it there.
//!
//! Only the owner changes the spec of such a subscription. Operators can pause it, resume it, replay its
//! events and remove it. The owner's document has what the owner stored, and it is written together with the
//! spec. This room does not read documents.

use easel_keys::Secret;
use jiff::Timestamp;

/// The system that manages a subscription, with its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The system.
    pub system: OwnerSystem,
    /// The id by which the owner knows the subscription, never reused.
    pub id: String,
    /// What the owner stored about the subscription, with secrets.
    pub document: Secret<String>,
    /// The same without secrets. It replaces the document if the master key is lost.
    pub shown_document: String,
}

/// A system that manages subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerSystem {
    /// Canvas, through the calls of its subscription client.
    Canvas,
}

impl OwnerSystem {
    /// Returns the name in answers and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Canvas => "canvas",
        }
    }

    /// Returns the system with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::Canvas.as_str()).then_some(Self::Canvas)
    }
}

/// What is left of a removed subscription: its owner can still ask for the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The owner, with its latest document.
    pub owner: Owner,
    /// When the subscription was removed.
    pub removed_at: Timestamp,
}
