//! Measures how fast the server accepts events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::deliver::BenchSubscription;
use super::hosted::BenchHosted;
use super::load::{BenchDoor, EventLoad, SendPlan};
use super::measurements::{Measurement, Measurements, Unit};
use super::process::ServerProcess;
use super::receiver::Behaviour;

/// The send plans, by case name.
const SEND_PLANS: [(&str, SendPlan); 4] = [
    (
        "kinesis-500",
        SendPlan {
            door: BenchDoor::Kinesis,
            batch: 500,
            connections: 4,
        },
    ),
    (
        "native-500",
        SendPlan {
            door: BenchDoor::Native,
            batch: 500,
            connections: 4,
        },
    ),
    (
        "native-1",
        SendPlan {
            door: BenchDoor::Native,
            batch: 1,
            connections: 64,
        },
    ),
    (
        "hook-1",
        SendPlan {
            door: BenchDoor::Hook,
            batch: 1,
            connections: 64,
        },
    ),
];

#[derive(clap::Args)]
pub(crate) struct IngestArgs {
    /// Events in each run
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// Cases to run: kinesis-500, native-500, native-1, hook-1
    #[arg(long = "case", value_delimiter = ',')]
    cases: Vec<String>,
    /// Seconds until every event must be delivered back
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

impl IngestArgs {
    pub(crate) fn cases(&self) -> Vec<String> {
        if self.cases.is_empty() {
            return SEND_PLANS
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect();
        }
        self.cases.clone()
    }

    pub(crate) async fn run(&self, case: &str, server: &ServerProcess) -> Result<Measurements> {
        let found = SEND_PLANS.iter().find(|(name, _)| *name == case);
        let (_, plan) = found.with_context(|| format!("the case {case:?} is unknown"))?;
        let load = Arc::new(EventLoad::new(self.events)?);
        let took = match plan.door {
            BenchDoor::Native | BenchDoor::Kinesis => load.send(server.address(), *plan).await?,
            BenchDoor::Hook => {
                let hosted = BenchHosted::start(server).await?;
                let bodies = hosted.sign(load.events())?;
                load.send_bodies(server.address(), *plan, bodies).await?
            }
        };
        let value = f64::from(u32::try_from(load.count())?) / took.as_secs_f64();

        // Every acknowledged event must be stored, so it must be delivered now. This time is not measured.
        let delivery =
            BenchSubscription::start(server, load, Behaviour::default(), json!({})).await?;
        let limit = Duration::from_secs(self.seconds);
        delivery.wait_until_complete(server, limit).await?;
        Ok(vec![Measurement {
            name: format!("ingest {case}"),
            value,
            unit: Unit::EventsPerSecond,
        }])
    }
}
