//! How fast events come in.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::deliver::Delivery;
use super::figures::{Figure, Figures, Unit};
use super::load::{EventLoad, SendPlan, SendTo};
use super::process::ServerProcess;
use super::receiver::Behaviour;

/// The ways events are sent, by name.
const WAYS: [(&str, SendPlan); 3] = [
    (
        "kinesis-500",
        SendPlan {
            door: SendTo::Kinesis,
            batch: 500,
            connections: 4,
        },
    ),
    (
        "native-500",
        SendPlan {
            door: SendTo::Native,
            batch: 500,
            connections: 4,
        },
    ),
    (
        "native-1",
        SendPlan {
            door: SendTo::Native,
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
    /// Cases to run: kinesis-500, native-500, native-1
    #[arg(long = "case", value_delimiter = ',')]
    cases: Vec<String>,
    /// How long it may take until every event was delivered back
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

impl IngestArgs {
    pub(crate) fn cases(&self) -> Vec<String> {
        if self.cases.is_empty() {
            return WAYS.iter().map(|(name, _)| (*name).to_owned()).collect();
        }
        self.cases.clone()
    }

    pub(crate) async fn run(&self, case: &str, server: &ServerProcess) -> Result<Figures> {
        let known = WAYS.iter().find(|(name, _)| *name == case);
        let (_, way) = known.with_context(|| format!("there is no case {case:?}"))?;
        let load = Arc::new(EventLoad::new(self.events)?);
        let took = load.send(server.address(), *way).await?;
        let value = f64::from(u32::try_from(load.count())?) / took.as_secs_f64();

        // What was acknowledged must be there: every event is delivered back, outside the figure.
        let delivery = Delivery::start(server, load, Behaviour::default(), json!({})).await?;
        let limit = Duration::from_secs(self.seconds);
        delivery.complete(server, limit).await?;
        Ok(vec![Figure {
            name: format!("ingest {case}"),
            value,
            unit: Unit::EventsPerSecond,
        }])
    }
}
