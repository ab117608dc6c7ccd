//! The metrics recorder of this process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;

/// The buckets of histograms in seconds: 100 µs to 10 s.
const SECONDS: [f64; 11] = [
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0,
];

/// The buckets of histograms of counts and sizes.
const COUNTS: [f64; 8] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1e6, 1e7];

/// A gauge that was not set for this time is removed, because its subscription is gone. All other
/// gauges are set every few seconds.
const STALE_AFTER: Duration = Duration::from_mins(1);

/// Returns the recorder of the process. Installs it on first use.
pub(crate) fn recorder() -> Result<PrometheusHandle, BuildError> {
    // A process can have only one recorder, but several servers, as in tests.
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_records".to_owned()), &COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &COUNTS)?
        .idle_timeout(MetricKindMask::GAUGE, Some(STALE_AFTER))
        .install_recorder()?;
    Ok(installed.insert(handle).clone())
}
