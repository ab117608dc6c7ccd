//! The stored definition of a subscription, without the state of its events.

use std::sync::Arc;

use easel_catalog::Reach;

use crate::{FullName, Owner, Spec};

/// The definition of a subscription, without the state of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Whose events the subscription may receive.
    pub reach: Reach,
    /// The subscriber's request.
    pub spec: Spec,
    /// Where the subscription was declared.
    pub origin: Origin,
    /// Whether the subscription is active.
    pub state: State,
    /// Whether the address guard applies.
    pub guard: GuardState,
    /// The system that manages the subscription through a protocol of its own; `None` for all others.
    pub owner: Option<Arc<Owner>>,
}

impl Definition {
    /// Returns the full name.
    pub fn full_name(&self) -> FullName {
        FullName {
            name: self.spec.name.clone(),
            reach: self.reach.clone(),
        }
    }
}

/// What the address guard does about a refused address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuardState {
    /// Easel does not connect to the address.
    #[default]
    Enforced,
    /// Easel connects to the address, and logs a warning. Only a subscription that is older than the guard
    /// has this state, until its URL changes or an operator enforces the guard.
    Reported,
}

/// Where a subscription was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the configuration file. Only the file may change the subscription.
    File,
    /// Through the API.
    Api,
}

/// Whether a subscription is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A lane serves the subscription. The lane may be on hold.
    Active,
    /// Nothing is sent until the subscription is resumed. Its cursor stays.
    Paused {
        /// The reason; `None` if an operator paused the subscription.
        reason: Option<String>,
    },
    /// Nothing is sent any more. The cursor stays.
    Deactivated {
        /// The reason; `None` if the configuration file no longer declares the subscription.
        reason: Option<String>,
    },
}

impl State {
    /// The state of a subscription that the configuration file no longer declares.
    pub const UNDECLARED: Self = Self::Deactivated { reason: None };
}
