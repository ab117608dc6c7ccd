//! Forgets dead letters after their retention.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{error, info};

use crate::rooms::Rooms;

const EVERY: Duration = Duration::from_mins(1);

/// Forgets, once a minute, the dead letters that are older than their retention.
pub(crate) async fn apply(rooms: &Rooms, retention: Duration) -> Infallible {
    loop {
        sleep(EVERY).await;
        match rooms.subscriptions.forget_dead(retention).await {
            Ok(0) => (),
            Ok(letter_count) => info!(letter_count, "dead letters forgotten after their retention"),
            Err(error) => error!(%error, "dead letters not forgotten"),
        }
    }
}
