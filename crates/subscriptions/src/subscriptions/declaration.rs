//! The subscriptions that the configuration file declares.

use std::sync::Arc;

use tracing::{info, warn};

use super::Subscriptions;
use crate::{ChangeError, Origin, Spec, State};

impl Subscriptions {
    /// Applies the subscriptions of the configuration file. Creates new ones, changes existing ones, and
    /// deactivates active ones that the file no longer declares.
    ///
    /// An invalid spec is rejected before anything changes.
    pub async fn declare(self: &Arc<Self>, specs: Vec<Spec>) -> Result<(), ChangeError> {
        for spec in &specs {
            self.validate(spec)?;
            if !self.is_older_than_guard(spec) {
                self.check
                    .check_address(spec)
                    .map_err(ChangeError::invalid(spec))?;
            }
            match self
                .get(spec.name.as_str())
                .map(|current| current.owner.clone())
            {
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
            let declared = specs.iter().any(|spec| spec.name == current.spec.name);
            if current.origin == Origin::File && current.state == State::Active && !declared {
                info!(subscription = %current.spec.name, "subscription no longer declared");
                self.change(current.spec.name.clone(), |current| {
                    Ok((current.spec.clone(), Origin::File, State::UNDECLARED))
                })
                .await?;
            }
        }
        for spec in specs {
            let Ok(current) = self.get(spec.name.as_str()) else {
                self.insert(spec, Origin::File, None).await?;
                continue;
            };
            // An unchanged subscription keeps its lane.
            let is_declared = current.origin == Origin::File && current.state != State::UNDECLARED;
            if is_declared && current.spec == spec {
                continue;
            }
            self.change(spec.name.clone(), move |current| {
                if current.origin == Origin::Api {
                    warn!(subscription = %spec.name, "subscription taken over by the file");
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
}
