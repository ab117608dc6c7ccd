//! Measures the lag of the lanes.

use std::convert::Infallible;
use std::time::Duration;

use easel_log::Offset;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::lane_context::LaneContext;
use crate::metrics;

/// Measures the lag of each lane, at the interval `every`.
pub(crate) async fn measure(
    context: &LaneContext,
    every: Duration,
    lane_count: watch::Receiver<Option<usize>>,
) -> Infallible {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let mut lanes = metrics::LaneTotals {
            running: lane_count.borrow().unwrap_or(0),
            ..metrics::LaneTotals::default()
        };
        let mut lags = metrics::Lags::default();
        for subscription in context.subscriptions.lanes() {
            let balance = context.subscriptions.balance(&subscription);
            lanes.unbalanced += usize::from(!balance.adds_up());
            if subscription.replay.is_some() {
                continue;
            }
            lanes.on_hold += usize::from(subscription.shared.hold().is_some());
            let age = match balance.oldest_pending {
                None => 0.0,
                Some(oldest) => age_of(context, oldest).await,
            };
            lags.add(&subscription.full_name().to_string(), &balance, age);
        }
        lags.publish();
        metrics::set_lanes(lanes);
    }
}

/// Returns the age of the event at `offset` in seconds; 0 if the log does not have the event.
async fn age_of(context: &LaneContext, offset: Offset) -> f64 {
    match context.log.appended_at(offset).await {
        Ok(Some(appended_at)) => context
            .clock
            .now()
            .duration_since(appended_at)
            .as_secs_f64(),
        Ok(None) | Err(_) => 0.0,
    }
}
