//! Measures deliveries to healthy endpoints next to a dead endpoint and a hanging one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::deliver::BenchSubscription;
use super::latency::{due, percentile, send_at_rate};
use super::load::EventLoad;
use super::measurements::{Measurement, Measurements, Unit};
use super::process::ServerProcess;
use super::receiver::Behaviour;

#[derive(clap::Args)]
pub(crate) struct NeighboursArgs {
    /// Subscriptions with healthy endpoints
    #[arg(long, default_value_t = 50)]
    healthy: usize,
    /// Events per second, for each subscription
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Seconds that each run sends events
    #[arg(long, default_value_t = 20)]
    seconds: u32,
}

impl NeighboursArgs {
    pub(crate) fn cases() -> Vec<String> {
        ["alone", "beside"].map(str::to_owned).into()
    }

    pub(crate) async fn run(&self, case: &str, server: &ServerProcess) -> Result<Measurements> {
        let load = Arc::new(EventLoad::new(usize::try_from(self.rate * self.seconds)?)?);
        let mut healthy = Vec::new();
        for number in 0..self.healthy {
            let name = json!({"name": format!("healthy-{number}")});
            let behaviour = Behaviour::default();
            healthy
                .push(BenchSubscription::start(server, Arc::clone(&load), behaviour, name).await?);
        }
        let mut failing = Vec::new();
        if case == "beside" {
            let hanging = Behaviour {
                hangs_always: true,
                ..Behaviour::default()
            };
            let name = json!({"name": "hanging"});
            failing.push(BenchSubscription::start(server, Arc::clone(&load), hanging, name).await?);
            // Nobody listens on this port.
            let dead = json!({"name": "dead", "webhook": {"url": "http://127.0.0.1:9/"}});
            let behaviour = Behaviour::default();
            failing
                .push(BenchSubscription::start(server, Arc::clone(&load), behaviour, dead).await?);
        }
        let started = send_at_rate(self.rate, &load, server).await?;
        let mut latencies = Vec::new();
        for delivery in &healthy {
            let limit = Duration::from_secs(30);
            delivery.wait_for_all(limit).await?;
            for number in 0..load.count() {
                let arrived = delivery.accepted_at(number);
                let arrived = arrived.context("no arrival time is recorded")?;
                let latency = arrived.duration_since(due(started, self.rate, number));
                latencies.push(latency.as_secs_f64() * 1000.0);
            }
        }
        latencies.sort_unstable_by(f64::total_cmp);
        let percentiles = [("p50", 500), ("p95", 950), ("p99", 990)];
        let measurements = percentiles.map(|(name, per_mille)| Measurement {
            name: format!("healthy {case} {name}"),
            value: percentile(&latencies, per_mille),
            unit: Unit::Milliseconds,
        });
        Ok(measurements.into())
    }
}
