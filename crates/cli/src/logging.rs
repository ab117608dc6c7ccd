//! The operational log: tracing events to stderr.

use std::io;

use anyhow::Context;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::exit_code::{Code, Failure, OrExit};

/// The form of the operational log: for people, or one JSON object a line for machines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Sends what passes `filter` to stderr from here on.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), Failure> {
    let read = EnvFilter::try_new(filter);
    let filter = read
        .with_context(|| format!("log filter {filter:?}"))
        .or_exit(Code::Usage)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Without a reader of stderr there is nobody to complain to, and complaining would panic.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|error| Failure::new(Code::Bug, anyhow::anyhow!(error)))
}
