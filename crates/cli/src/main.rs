//! The `easel` command: reads its arguments and settings, does one thing, and says in its exit
//! code how that went.
//!
//! stdout is for data, stderr for talk. Everything a command prints goes through [`output`].

mod args;
mod balance_json;
mod catalog;
mod client;
mod commands;
mod contact;
mod exit_code;
mod input;
mod logging;
mod output;
mod progress;
mod settings;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::exit_code::Code;

fn main() -> ExitCode {
    // What a panic has to say is on stderr by then.
    std::panic::catch_unwind(run).unwrap_or(Code::Bug.into())
}

fn run() -> ExitCode {
    let variable = settings::log_format_variable();
    logging::choose_form(std::env::args_os(), variable);
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(usage) => return output::usage(&usage),
    };
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::report(&failure);
            failure.exit_code()
        }
    }
}
