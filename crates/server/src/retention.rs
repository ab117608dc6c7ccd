//! Trims a log once a minute.

use std::convert::Infallible;
use std::time::Duration;

use easel_log::{Clock, Log, LogName, Retention};
use tokio::time::sleep;
use tracing::{error, info};

/// The interval between trims.
const INTERVAL: Duration = Duration::from_mins(1);

/// Trims the log `name` in a loop, until the future is dropped. Calls `after_trim` whenever records
/// were dropped.
pub(crate) async fn run(
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
        sleep(INTERVAL).await;
    }
}
