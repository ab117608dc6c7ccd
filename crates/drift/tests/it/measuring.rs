//! The lag metric is set regularly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{
    Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use tokio_util::sync::CancellationToken;

use crate::fixture::Fixture;

/// Counts how often the lag is set.
#[derive(Default)]
struct LagRecorder(Arc<SetCount>);

#[derive(Default)]
struct SetCount(AtomicUsize);

impl GaugeFn for SetCount {
    fn increment(&self, _value: f64) {}

    fn decrement(&self, _value: f64) {}

    fn set(&self, _value: f64) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Recorder for LagRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        if key.name() == "easel_drift_lag_events" {
            Gauge::from_arc(Arc::clone(&self.0))
        } else {
            Gauge::noop()
        }
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test(start_paused = true)]
async fn the_lag_is_set_every_few_seconds_even_without_events() {
    let recorder = LagRecorder::default();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let fixture = Fixture::new();
    let scanner = fixture.scanner(&fixture.log);
    let running = scanner.run(CancellationToken::new());
    tokio::time::timeout(Duration::from_mins(1), running)
        .await
        .unwrap_err();
    // The server's recorder drops a gauge that is not set for a minute.
    let set_count = recorder.0.0.load(Ordering::SeqCst);
    assert!(set_count >= 10, "set {set_count} times");
}
