//! Starts, lists and cancels replays.

use std::sync::Arc;

use super::{ChangeError, Subscriptions};
use crate::{FullName, ReplayNumber, ReplaySpec, Subscription};

impl Subscriptions {
    /// The most replays of one subscription, including finished ones.
    pub const MAX_REPLAYS: usize = 20;

    /// Starts a replay of a subscription. The live lane is not affected.
    pub async fn start_replay(
        self: &Arc<Self>,
        name: &FullName,
        spec: ReplaySpec,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let name = name.clone();
        self.exclusively(async move |subscriptions| {
            let live = subscriptions.get(&name)?;
            subscriptions.validate_replay(&live, &spec)?;
            if subscriptions.replays(&live).len() >= Self::MAX_REPLAYS {
                let what = format!(
                    "it must have at most {} replays; remove finished ones with `easel replay cancel`",
                    Self::MAX_REPLAYS
                );
                return Err(invalid(&live, what));
            }
            let (store, now) = (&subscriptions.store, subscriptions.clock.now());
            let inserted = store.insert_replay(subscriptions.epoch, live.id, spec, now);
            let entry = inserted.await?;
            let number = entry.number;
            let replay = Arc::new(live.with_replay(entry, &subscriptions.context));
            subscriptions.modify(|by_name| {
                if let Some(lane_set) = by_name.get_mut(&live.full_name()) {
                    lane_set.replays.insert(number, Arc::clone(&replay));
                }
            });
            Ok(replay)
        })
        .await
    }

    /// Returns the replays of a subscription, by number.
    pub fn replays(&self, live: &Subscription) -> Vec<Arc<Subscription>> {
        let lanes = self.lanes().into_iter();
        lanes
            .filter(|lane| lane.id == live.id && lane.replay.is_some())
            .collect()
    }

    /// Returns the live subscription, or its replay with this number.
    pub fn lane(
        &self,
        name: &FullName,
        replay: Option<ReplayNumber>,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let live = self.get(name)?;
        let Some(number) = replay else {
            return Ok(live);
        };
        let lanes = self.replays(&live).into_iter();
        let mut found = lanes.filter(|lane| lane.lane_id().replay == Some(number));
        found.next().ok_or(ChangeError::UnknownReplay {
            name: live.spec.name.clone(),
            number,
        })
    }

    /// Ends a replay and deletes it, with its parked deliveries and dead letters.
    pub async fn cancel_replay(
        self: &Arc<Self>,
        name: &FullName,
        number: ReplayNumber,
    ) -> Result<Arc<Subscription>, ChangeError> {
        let name = name.clone();
        self.exclusively(async move |subscriptions| {
            let replay = subscriptions.lane(&name, Some(number))?;
            let (store, epoch) = (&subscriptions.store, subscriptions.epoch);
            store.remove_replay(epoch, replay.lane_id()).await?;
            replay.retire();
            subscriptions.modify(|by_name| {
                if let Some(lane_set) = by_name.get_mut(&replay.full_name()) {
                    lane_set.replays.remove(&number);
                }
            });
            Ok(replay)
        })
        .await
    }

    /// Validates the range of a replay.
    pub fn validate_replay(
        &self,
        live: &Subscription,
        spec: &ReplaySpec,
    ) -> Result<(), ChangeError> {
        let bounds = *self.log.bounds().borrow();
        let ReplaySpec { from, to, .. } = spec;
        let what = if from >= to {
            format!("the replay from {from} to {to} has no events")
        } else if *to > bounds.head {
            format!(
                "the replay must not end at {to}, after the end of the log, {}",
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
