//! Sets the gauges of the server: the build, the size of the logs, and the free disk space. Sends an
//! operator event if the disk is nearly full.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use easel_api::DiskSpace;
use easel_catalog::TellOperator;
use easel_log::{LogName, SharedLog};
use metrics::{describe_gauge, gauge};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::disk::{Disk, DiskWatch};

const BUILD_INFO: &str = "easel_build_info";
const LOG_BYTES: &str = "easel_log_bytes";
const LOG_REFUSING: &str = "easel_log_refusing";
const LOG_MAX_AGE: &str = "easel_log_max_age_seconds";
const DISK_FREE: &str = "easel_disk_free_bytes";
const DISK_SIZE: &str = "easel_disk_size_bytes";

/// The interval between updates. A gauge that is not set for a minute is removed from the page.
const INTERVAL: Duration = Duration::from_secs(5);

/// The sources of these gauges.
#[derive(Debug)]
pub(crate) struct Vitals {
    pub(crate) logs: [(LogName, SharedLog); 2],
    pub(crate) disk: Disk,
    pub(crate) max_age: Option<Duration>,
    pub(crate) tell_operator: TellOperator,
}

impl Vitals {
    /// Describes each gauge, and sets each gauge once, so that the first scrape finds all of them.
    pub(crate) fn init(&self) {
        describe_gauge!(
            BUILD_INFO,
            "Always 1; the labels say which build of Easel runs."
        );
        describe_gauge!(
            LOG_BYTES,
            "Bytes that the records of a log take on disk, by log."
        );
        describe_gauge!(
            LOG_REFUSING,
            "1 while a log refuses writes after a failed write, else 0, by log."
        );
        describe_gauge!(
            LOG_MAX_AGE,
            "Age at which events are dropped from the log; infinite without a limit on age."
        );
        describe_gauge!(
            DISK_FREE,
            "Bytes that the server can still use on the disk of its data folder."
        );
        describe_gauge!(DISK_SIZE, "Size of the disk of the data folder, in bytes.");
        self.set_constants();
        self.set_logs();
        match self.disk.space() {
            Ok(space) => set_disk(space),
            Err(error) => warn!(%error, "free disk space cannot be read"),
        }
    }

    /// Sets the gauges in a loop, until the future is dropped.
    pub(crate) async fn measure(self) -> Infallible {
        let mut tick = interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        let mut watch = DiskWatch::default();
        loop {
            tick.tick().await;
            self.set_constants();
            self.set_logs();
            let disk = self.disk.clone();
            let read = tokio::task::spawn_blocking(move || disk.space()).await;
            match read.map_err(io::Error::other).flatten() {
                Ok(space) => {
                    set_disk(space);
                    if let Some(event) = watch.check(space) {
                        self.tell_operator.tell(event);
                    }
                    failing = false;
                }
                Err(error) if !failing => {
                    warn!(%error, "free disk space cannot be read");
                    failing = true;
                }
                Err(_again) => (),
            }
        }
    }

    fn set_constants(&self) {
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("os", std::env::consts::OS),
            ("arch", std::env::consts::ARCH),
        ];
        gauge!(BUILD_INFO, &labels).set(1.0);
        let max_age = self
            .max_age
            .map_or(f64::INFINITY, |max_age| max_age.as_secs_f64());
        gauge!(LOG_MAX_AGE).set(max_age);
    }

    fn set_logs(&self) {
        for (name, log) in &self.logs {
            let stats = log.stats();
            gauge!(LOG_BYTES, "log" => name.as_str()).set(to_f64(stats.stored_bytes));
            let refusing = if stats.refusing { 1.0 } else { 0.0 };
            gauge!(LOG_REFUSING, "log" => name.as_str()).set(refusing);
        }
    }
}

fn set_disk(space: DiskSpace) {
    gauge!(DISK_FREE).set(to_f64(space.free_bytes));
    gauge!(DISK_SIZE).set(to_f64(space.total_bytes));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; the rounding does not matter"
)]
const fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}
