//! Deletes dead letters after their retention.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{error, info};

use crate::lane_context::LaneContext;

/// How often dead letters are checked.
const CHECK_EVERY: Duration = Duration::from_mins(1);

/// Deletes dead letters that are older than `retention`, once a minute.
pub(crate) async fn apply(context: &LaneContext, retention: Duration) -> Infallible {
    loop {
        sleep(CHECK_EVERY).await;
        match context.subscriptions.forget_dead(retention).await {
            Ok(0) => (),
            Ok(letter_count) => info!(letter_count, "dead letters deleted after their retention"),
            Err(error) => error!(%error, "dead letters not deleted"),
        }
    }
}
