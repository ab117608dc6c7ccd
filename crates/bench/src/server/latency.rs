//! Measures the latency of an event from its sender to its subscriber.
//!
//! Each event is due at a fixed time, whether earlier events have arrived or not. Its latency counts
//! from that time. So a server that stalls does not receive less load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::Connection;
use super::deliver::BenchSubscription;
use super::load::{BenchDoor, EventLoad};
use super::measurements::{Measurement, Measurements, Unit};
use super::process::ServerProcess;
use super::receiver::Behaviour;

/// Connections for sending events, with one event per request.
const CONNECTIONS: usize = 64;

#[derive(clap::Args)]
pub(crate) struct LatencyArgs {
    /// Events per second; one case per rate
    #[arg(long = "rate", value_delimiter = ',', default_values_t = [1000, 3000])]
    rates: Vec<u32>,
    /// Seconds that each run sends events
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

impl LatencyArgs {
    pub(crate) fn cases(&self) -> Vec<String> {
        self.rates.iter().map(ToString::to_string).collect()
    }

    pub(crate) async fn run(&self, case: &str, server: &ServerProcess) -> Result<Measurements> {
        let rate: u32 = case.parse()?;
        let load = Arc::new(EventLoad::new(usize::try_from(rate * self.seconds)?)?);
        let delivery =
            BenchSubscription::start(server, Arc::clone(&load), Behaviour::default(), json!({}))
                .await?;
        let started = send_at_rate(rate, &load, server).await?;
        delivery
            .wait_until_complete(server, Duration::from_secs(30))
            .await?;
        let mut latencies = (0..load.count())
            .map(|number| {
                let arrived = delivery.accepted_at(number);
                let arrived = arrived.context("no arrival time is recorded")?;
                Ok(arrived
                    .duration_since(due(started, rate, number))
                    .as_secs_f64()
                    * 1000.0)
            })
            .collect::<Result<Vec<f64>>>()?;
        latencies.sort_unstable_by(f64::total_cmp);
        let percentiles = [("p50", 500), ("p99", 990), ("p99.9", 999)];
        let measurements = percentiles.map(|(name, per_mille)| Measurement {
            name: format!("latency {rate}/s {name}"),
            value: percentile(&latencies, per_mille),
            unit: Unit::Milliseconds,
        });
        Ok(measurements.into())
    }
}

/// Sends each event when it is due, and returns the time when the first one was due.
pub(super) async fn send_at_rate(
    rate: u32,
    load: &Arc<EventLoad>,
    server: &ServerProcess,
) -> Result<Instant> {
    let next = Arc::new(AtomicUsize::new(0));
    let due_events = Arc::new(Semaphore::new(0));
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(server.address()).await?);
    }
    let started = Instant::now() + Duration::from_millis(200);
    let mut senders = JoinSet::new();
    for mut connection in connections {
        let (load, next, due_events) =
            (Arc::clone(load), Arc::clone(&next), Arc::clone(&due_events));
        senders.spawn(async move {
            while let Ok(permit) = due_events.acquire().await {
                permit.forget();
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= load.count() {
                    break;
                }
                let body = load.body(BenchDoor::Native, number, 1);
                connection.post(&BenchDoor::Native.target(), body).await?;
            }
            Ok::<(), anyhow::Error>(())
        });
    }
    let count = load.count();
    let pacer = tokio::task::spawn_blocking(move || pace(rate, count, started, &due_events));
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    pacer.await?;
    Ok(started)
}

/// Adds a permit for each event when the event is due.
///
/// This function must run on its own thread, because the timer of the runtime has a resolution of only
/// 1 ms.
fn pace(rate: u32, count: usize, started: Instant, due_events: &Semaphore) {
    for number in 0..count {
        loop {
            let left = due(started, rate, number).saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::park_timeout(left);
        }
        due_events.add_permits(1);
    }
    // Each sender gets one more permit. It wakes, finds no event left, and ends.
    due_events.add_permits(CONNECTIONS);
}

/// Returns the time when an event is due.
pub(super) fn due(started: Instant, rate: u32, number: usize) -> Instant {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    started + Duration::from_secs(1) * number / rate
}

pub(super) fn percentile(sorted: &[f64], per_mille: usize) -> f64 {
    let index = sorted.len() * per_mille / 1000;
    let value = sorted.get(index).or(sorted.last());
    value.copied().unwrap_or(f64::NAN)
}
