//! Measures how far lanes are behind.

use std::convert::Infallible;
use std::time::Duration;

use easel_log::Offset;
use easel_subscriptions::Term;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::metrics;
use crate::rooms::Rooms;

/// Measures so often how far each lane is behind.
pub(crate) async fn measure(
    rooms: &Rooms,
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
        for subscription in rooms.subscriptions.lanes() {
            let balance = rooms.subscriptions.balance(&subscription);
            lanes.unbalanced += usize::from(!balance.adds_up());
            if subscription.replay.is_some() {
                continue;
            }
            lanes.holding += usize::from(subscription.live.hold().is_some());
            let pending = balance.get(Term::Pending);
            let age = match pending {
                0 => 0.0,
                _ => age_of(rooms, balance.cursor).await,
            };
            lags.add(subscription.spec.name.as_str(), &balance, age);
        }
        lags.show();
        metrics::lanes(lanes);
    }
}

/// How long ago, in seconds, the event at `offset` was accepted; zero when nobody knows.
async fn age_of(rooms: &Rooms, offset: Offset) -> f64 {
    match rooms.log.appended_at(offset).await {
        Ok(Some(appended_at)) => rooms.clock.now().duration_since(appended_at).as_secs_f64(),
        Ok(None) | Err(_) => 0.0,
    }
}
