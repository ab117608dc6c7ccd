//! The benchmark program: what Easel's speed claims come from.
//!
//! `cargo run --release -p easel-bench -- check`. Run by hand, never by tests: a shared machine has
//! no times to rely on. So every figure is one of several taken in turns within one run, and what
//! counts is how they compare.

mod check;
mod events;
mod rounds;
mod server;
mod translate;
mod triggers;

use clap::Parser;

#[derive(Parser)]
#[command(about, version)]
enum BenchArgs {
    /// Holding events against the catalogue, beside reading and parsing them.
    Check(check::CheckBenchArgs),
    /// Translating to Caliper, beside parsing and writing.
    Translate(translate::TranslateBenchArgs),
    /// Making events of changes, beside parsing and writing the same.
    Triggers(triggers::TriggersArgs),
    Server(server::ServerBenchArgs),
}

fn main() -> anyhow::Result<()> {
    match BenchArgs::parse() {
        BenchArgs::Check(args) => args.run(),
        BenchArgs::Translate(args) => args.run(),
        BenchArgs::Triggers(args) => args.run(),
        BenchArgs::Server(args) => args.run(),
    }
}
