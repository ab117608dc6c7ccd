//! Pauses and resumes subscriptions.

use std::sync::Arc;

use super::Subscriptions;
use crate::{ChangeError, FullName, Start, State, Subscription};

impl Subscriptions {
    /// Pauses a subscription for an operator. Its cursor stays.
    pub async fn pause(
        self: &Arc<Self>,
        name: &FullName,
    ) -> Result<Arc<Subscription>, ChangeError> {
        self.set_state(name, State::Paused { reason: None }).await
    }

    /// Resumes a paused or deactivated subscription at its cursor. If its lane was on hold, the time
    /// until deactivation starts again.
    pub async fn resume(
        self: &Arc<Self>,
        name: &FullName,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let current = self.get(name)?;
        if current.state != State::Active {
            let mut account = current.shared.account();
            if account.held_since().is_some() {
                account.set_held_since(Some(self.clock.now()));
            }
        }
        self.set_state(name, State::Active).await
    }

    /// Resumes a paused or deactivated subscription at a later offset. The skipped events count as
    /// expired. To go back, start a replay.
    pub async fn resume_from(
        self: &Arc<Self>,
        name: &FullName,
        from: Start,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let current = self.get(name)?;
        let invalid = |what: String| ChangeError::Invalid {
            name: current.spec.name.clone(),
            what,
        };
        if current.state == State::Active {
            let what = "it must be paused before events are skipped";
            return Err(invalid(what.to_owned()));
        }
        if current.state == State::UNDECLARED {
            let name = current.spec.name.clone();
            return Err(ChangeError::Deactivated { name });
        }
        let to = self.find_offset(&current.spec.name, from).await?;
        let cursor = current.shared.account().cursor();
        if to < cursor {
            let what = format!("its cursor is past {to}, at {cursor}; to go back, start a replay");
            return Err(invalid(what));
        }
        let covered_count = self.count_unmatched(&current, to).await?;
        current.shared.account().skip_to(to, covered_count);
        self.save_one(&current).await?;
        self.resume(name).await
    }

    async fn set_state(
        self: &Arc<Self>,
        name: &FullName,
        state: State,
    ) -> Result<Arc<Subscription>, ChangeError> {
        self.change(name.clone(), |current| match current.state {
            State::Deactivated { reason: None } => Err(ChangeError::Deactivated {
                name: current.spec.name.clone(),
            }),
            _ if state == State::Active && current.spec.lacks_secrets() => {
                let what = "its secrets were lost with the master key; set them again first";
                Err(ChangeError::invalid(&current.spec)(what.to_owned()))
            }
            State::Active | State::Paused { .. } | State::Deactivated { .. } => {
                Ok((current.spec.clone(), current.origin, state))
            }
        })
        .await
    }
}
