//! Drops from a log what it no longer keeps, once a minute, and tells whoever has to know.

use std::convert::Infallible;
use std::time::Duration;

use easel_log::{Clock, Log, LogName, Retention};
use tokio::time::sleep;
use tracing::{error, info};

const EVERY: Duration = Duration::from_mins(1);

/// Trims the log `name` for ever, and calls `after_trim` whenever something was dropped; ends by
/// being dropped.
pub(crate) async fn keep(
    name: LogName,
    log: &dyn Log,
    retention: Retention,
    clock: &dyn Clock,
    after_trim: impl Fn(),
) -> Infallible {
    loop {
        match log.trim(retention, clock.now()).await {
            Ok(trimmed) if trimmed.record_count > 0 => {
                let record_count = trimmed.record_count;
                info!(log = name.as_str(), record_count, tail = %trimmed.tail, "log trimmed");
                after_trim();
            }
            Ok(_nothing) => (),
            Err(error) => error!(log = name.as_str(), %error, "log not trimmed"),
        }
        sleep(EVERY).await;
    }
}
