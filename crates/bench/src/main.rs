//! The benchmark program of Easel.
//!
//! Run `cargo run --release -p easel-bench -- check` by hand. No test runs this program, because absolute
//! times are not reliable on a shared machine. Each run therefore alternates between several variants,
//! and only their ratios count.

mod check;
mod events;
mod rounds;
mod server;
mod tables;
mod translate;
mod triggers;

use clap::Parser;

#[derive(Parser)]
#[command(about, version)]
enum BenchArgs {
    /// Validate events against the catalogue, compared with admitting and parsing them
    Check(check::CheckBenchArgs),
    /// Mask events and translate them to Caliper, compared with parsing and writing
    Translate(translate::TranslateBenchArgs),
    /// Create events from changes, compared with parsing and writing the changes
    Triggers(triggers::TriggersArgs),
    Server(server::ServerBenchArgs),
    /// Write events to tables of PostgreSQL, compared with a bare COPY of the same rows
    Tables(tables::TablesBenchArgs),
}

fn main() -> anyhow::Result<()> {
    match BenchArgs::parse() {
        BenchArgs::Check(args) => args.run(),
        BenchArgs::Translate(args) => args.run(),
        BenchArgs::Triggers(args) => args.run(),
        BenchArgs::Server(args) => args.run(),
        BenchArgs::Tables(args) => args.run(),
    }
}
