//! Drops from the log what it no longer keeps, once a minute.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use easel_log::{Clock, Retention, SharedLog};
use tokio::time::interval;
use tracing::{error, info};

const EVERY: Duration = Duration::from_mins(1);

/// Trims for ever; ends by being dropped.
pub(crate) async fn keep(
    log: SharedLog,
    retention: Retention,
    clock: Arc<dyn Clock>,
) -> Infallible {
    let mut tick = interval(EVERY);
    loop {
        tick.tick().await;
        match log.trim(retention, clock.now()).await {
            Ok(trimmed) if trimmed.record_count > 0 => {
                info!(record_count = trimmed.record_count, tail = %trimmed.tail, "log trimmed");
            }
            Ok(_nothing) => (),
            Err(error) => error!(%error, "log not trimmed"),
        }
    }
}
