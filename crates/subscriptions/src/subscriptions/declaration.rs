//! The subscriptions that the configuration file declares.

use std::sync::Arc;

use easel_catalog::Reach;
use tracing::{info, warn};

use super::{Subscriptions, guard_after_change};
use crate::{ChangeError, FullName, GuardState, Origin, Spec, State};

/// A subscription that the configuration file declares.
///
/// The reach is a part of what tells the subscription from others. A declaration with another reach stands for
/// another subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Whose events the subscription may receive.
    pub reach: Reach,
    /// The spec.
    pub spec: Spec,
}

impl Declaration {
    /// Returns the full name of the subscription.
    pub fn full_name(&self) -> FullName {
        FullName {
            name: self.spec.name.clone(),
            reach: self.reach.clone(),
        }
    }
}

/// A subscription to everything.
impl From<Spec> for Declaration {
    fn from(spec: Spec) -> Self {
        Self {
            reach: Reach::Everything,
            spec,
        }
    }
}

impl Subscriptions {
    /// Applies the subscriptions of the configuration file. Creates new ones, changes existing ones, and
    /// deactivates active ones that the file no longer declares.
    ///
    /// An invalid spec is rejected before anything changes.
    pub async fn declare(
        self: &Arc<Self>,
        declarations: Vec<Declaration>,
    ) -> Result<(), ChangeError> {
        for declaration in &declarations {
            let (name, spec) = (declaration.full_name(), &declaration.spec);
            self.validate(spec)?;
            if !self.is_older_than_guard(&name, spec) {
                self.check
                    .check_address(spec)
                    .map_err(ChangeError::invalid(spec))?;
            }
            match self.get(&name).map(|current| current.owner.clone()) {
                Ok(None) => (),
                Ok(Some(owner)) => {
                    let (name, owner) = (spec.name.clone(), owner.system.as_str());
                    return Err(ChangeError::Owned { name, owner });
                }
                Err(_unknown) => {
                    self.find_start(spec).await?;
                }
            }
        }
        for current in self.list() {
            let name = current.full_name();
            let declared = declarations
                .iter()
                .any(|declaration| declaration.full_name() == name);
            if current.origin == Origin::File && current.state == State::Active && !declared {
                info!(subscription = %name, "subscription no longer declared");
                self.change(name, |current| {
                    Ok((current.spec.clone(), Origin::File, State::UNDECLARED))
                })
                .await?;
            }
        }
        for declaration in declarations {
            let name = declaration.full_name();
            let Declaration { reach, spec } = declaration;
            let Ok(current) = self.get(&name) else {
                self.insert(reach, spec, Origin::File, None).await?;
                continue;
            };
            // An unchanged subscription keeps its lane.
            let is_declared = current.origin == Origin::File && current.state != State::UNDECLARED;
            if is_declared && current.spec == spec {
                continue;
            }
            self.change(name, move |current| {
                if current.origin == Origin::Api {
                    warn!(subscription = %current.full_name(), "subscription taken over by the file");
                }
                let state = match &current.state {
                    State::Active | State::Deactivated { reason: None } => State::Active,
                    state @ (State::Paused { .. } | State::Deactivated { .. }) => state.clone(),
                };
                Ok((spec, Origin::File, state))
            })
            .await?;
        }
        Ok(())
    }

    /// Returns true if the subscription of this name is older than the address guard, and `spec` has the same
    /// URL.
    fn is_older_than_guard(&self, name: &FullName, spec: &Spec) -> bool {
        let current = self.get(name);
        current.is_ok_and(|current| guard_after_change(&current, spec) == GuardState::Reported)
    }
}
