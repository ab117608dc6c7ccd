//! The `easel` command. It reads arguments and settings, runs one command and returns an exit code.
//!
//! Data goes to stdout, messages go to stderr. Every command prints through [`output`].

mod amount;
mod args;
mod balance_json;
mod catalog;
mod client;
mod commands;
mod contact;
mod core_dumps;
mod exit_code;
mod global_args;
mod input;
mod logging;
mod output;
mod progress;
mod secret_arg;
mod service_manager;
mod settings;
mod signals;
mod url;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::Args;
use crate::exit_code::{Code, Failure};

fn main() -> ExitCode {
    // The panic hook has already written the panic message to stderr.
    std::panic::catch_unwind(run).unwrap_or(Code::Bug.into())
}

fn run() -> ExitCode {
    let variable = settings::log_format_variable();
    logging::choose_format(std::env::args_os(), variable);
    // Every command can have a token, and some have keys.
    if let Err(error) = core_dumps::forbid() {
        let error = anyhow::Error::new(error).context("failed to switch off core dumps");
        let failure = Failure::new(Code::Unavailable, error);
        output::report(&failure);
        return failure.exit_code();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(usage) => return output::usage(&usage),
    };
    match commands::run(args.command, args.global, Args::command()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::report(&failure);
            failure.exit_code()
        }
    }
}
