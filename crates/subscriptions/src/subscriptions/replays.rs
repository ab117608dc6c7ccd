//! Replays: started, listed, cancelled.

use std::sync::Arc;

use super::{ChangeError, Subscriptions};
use crate::{ReplayNumber, ReplaySpec, Subscription};

impl Subscriptions {
    /// Replays of one subscription, at most, finished ones included.
    pub const MAX_REPLAYS: usize = 20;

    /// Starts a replay of a subscription. What is live goes on undisturbed.
    pub async fn start_replay(
        self: &Arc<Self>,
        name: &str,
        spec: ReplaySpec,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let name = name.to_owned();
        self.exclusively(async move |all| {
            let live = all.get(&name)?;
            all.validate_replay(&live, &spec)?;
            if all.replays(&live).len() >= Self::MAX_REPLAYS {
                let what = format!(
                    "it has {} replays already; cancel those that have ended",
                    Self::MAX_REPLAYS
                );
                return Err(invalid(&live, what));
            }
            let inserted = all
                .store
                .insert_replay(all.epoch, live.id, spec, all.clock.now());
            let entry = inserted.await?;
            let number = entry.number;
            let replay = Arc::new(live.replay(entry, &all.catalog));
            all.all_mut(|all| {
                if let Some(versions) = all.get_mut(&live.spec.name) {
                    versions.replays.insert(number, Arc::clone(&replay));
                }
            });
            Ok(replay)
        })
        .await
    }

    /// The replays of a subscription, by number.
    pub fn replays(&self, live: &Subscription) -> Vec<Arc<Subscription>> {
        let lanes = self.lanes().into_iter();
        lanes
            .filter(|lane| lane.id == live.id && lane.replay.is_some())
            .collect()
    }

    /// The lane of a subscription that a query names.
    pub fn lane(
        &self,
        name: &str,
        replay: Option<ReplayNumber>,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let live = self.get(name)?;
        let Some(number) = replay else {
            return Ok(live);
        };
        let lanes = self.replays(&live).into_iter();
        let mut found = lanes.filter(|lane| lane.lane().replay == Some(number));
        found.next().ok_or(ChangeError::UnknownReplay {
            name: live.spec.name.clone(),
            number,
        })
    }

    /// Ends a replay and forgets it, with everything that it has parked or given up.
    pub async fn cancel_replay(
        self: &Arc<Self>,
        name: &str,
        number: ReplayNumber,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let name = name.to_owned();
        self.exclusively(async move |all| {
            let replay = all.lane(&name, Some(number))?;
            all.store.remove_replay(all.epoch, replay.lane()).await?;
            replay.retire();
            all.all_mut(|all| {
                if let Some(versions) = all.get_mut(&replay.spec.name) {
                    versions.replays.remove(&number);
                }
            });
            Ok(replay)
        })
        .await
    }

    /// Says what is wrong with a replay.
    pub fn validate_replay(
        &self,
        live: &Subscription,
        spec: &ReplaySpec,
    ) -> Result<(), ChangeError> {
        let bounds = *self.log.bounds().borrow();
        let ReplaySpec { from, to, .. } = spec;
        let what = if from >= to {
            format!("a replay from {from} to {to} has no events")
        } else if *to > bounds.head {
            format!(
                "a replay ends at the log's head {} at the latest; {to} lies beyond",
                bounds.head
            )
        } else if *from < bounds.tail {
            format!(
                "the log keeps events from {} on; {from} is older",
                bounds.tail
            )
        } else {
            return Ok(());
        };
        Err(invalid(live, what))
    }
}

fn invalid(live: &Subscription, what: String) -> ChangeError {
    ChangeError::Invalid {
        name: live.spec.name.clone(),
        what,
    }
}
