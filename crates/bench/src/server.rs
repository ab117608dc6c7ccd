//! Measures a real server. The server runs in its own process with a temporary folder. This process
//! sends the load.
//!
//! A measurement counts only if every acknowledged event arrived. Except in `neighbours`, the balance
//! must add up too. Neither is verified with an unreliable endpoint.
//!
//! With `--against`, the runs of two programs alternate. On a shared machine only the ratio of each pair
//! of runs is reliable.

mod connection;
mod deliver;
mod hosted;
mod ingest;
mod latency;
mod load;
mod measurements;
mod neighbours;
mod process;
mod receiver;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Subcommand, ValueHint};
use tokio::runtime::Runtime;

use measurements::{Measurements, Table};
use process::ServerProcess;

/// Send events to a real server and measure how it accepts and delivers them
#[derive(clap::Args)]
pub(crate) struct ServerBenchArgs {
    /// The program to measure
    #[arg(long, default_value = "target/release/easel", value_hint = ValueHint::FilePath)]
    easel: PathBuf,
    /// A second program; its runs alternate with those of the first
    #[arg(long, value_hint = ValueHint::FilePath)]
    against: Option<PathBuf>,
    /// Rounds of every case
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// Measure ingest: Kinesis batches, native batches, one event per request, signed requests of hosted Canvas
    Ingest(ingest::IngestArgs),
    /// Measure delivery: healthy, flaky and hanging endpoints, 1 to 256 requests in flight
    Deliver(deliver::DeliverArgs),
    /// Measure the latency from sender to subscriber at a fixed rate
    Latency(latency::LatencyArgs),
    /// Measure delivery latency next to a dead endpoint and a hanging one
    Neighbours(neighbours::NeighboursArgs),
}

impl ServerBenchArgs {
    pub(crate) fn run(self) -> Result<()> {
        Runtime::new()?.block_on(self.measure())
    }

    async fn measure(self) -> Result<()> {
        let programs: Vec<PathBuf> = std::iter::once(self.easel).chain(self.against).collect();
        let mut table = Table::new(programs.len());
        for case in self.suite.cases() {
            for _ in 0..self.rounds {
                for (number, program) in programs.iter().enumerate() {
                    let server = ServerProcess::start(program).await?;
                    table.add(number, self.suite.run(&case, &server).await?);
                }
            }
            table.print_new();
        }
        Ok(())
    }
}

impl Suite {
    /// Returns the names of the cases to run.
    fn cases(&self) -> Vec<String> {
        match self {
            Self::Ingest(args) => args.cases(),
            Self::Deliver(args) => args.cases(),
            Self::Latency(args) => args.cases(),
            Self::Neighbours(_) => neighbours::NeighboursArgs::cases(),
        }
    }

    async fn run(&self, case: &str, server: &ServerProcess) -> Result<Measurements> {
        match self {
            Self::Ingest(args) => args.run(case, server).await,
            Self::Deliver(args) => args.run(case, server).await,
            Self::Latency(args) => args.run(case, server).await,
            Self::Neighbours(args) => args.run(case, server).await,
        }
    }
}
