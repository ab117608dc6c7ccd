//! Saves the journals of all lanes periodically.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error};

use crate::lane_context::LaneContext;

/// Every 50th save also saves the cursors of lanes that moved only over filtered events.
const SAVES_PER_FULL_SAVE: u32 = 50;

/// Saves the journals of all lanes at the interval `every`, and when a lane asks for a save.
pub(crate) async fn save_journals(context: &LaneContext, every: Duration) -> Infallible {
    let subscriptions = &context.subscriptions;
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut save_number = 0_u32;
    let mut is_failing = false;
    loop {
        let is_full = tokio::select! {
            _ = tick.tick() => {
                save_number = save_number.wrapping_add(1);
                save_number.is_multiple_of(SAVES_PER_FULL_SAVE)
            }
            () = context.save_soon.notified() => false,
        };
        let saved = if is_full {
            if let Err(error) = subscriptions.save_attempts().await {
                debug!(%error, "attempt logs not saved");
            }
            subscriptions.save_all().await
        } else {
            subscriptions.save().await
        };
        match saved {
            Ok(()) => is_failing = false,
            Err(error) if !is_failing => {
                error!(%error, "cursors not saved; lanes wait until a save succeeds");
                is_failing = true;
            }
            Err(_again) => (),
        }
    }
}
