//! The commands. A file has the arguments and the code of one command, or of a pair such as pause and resume.
//! `server_args` and `start_position` have arguments that several commands share.

mod audit;
mod backup;
mod balance;
mod catalog;
mod changes;
mod check;
mod completions;
mod config;
mod dead_letters;
mod deliveries;
mod demo;
mod drift;
mod emit;
mod import;
mod keys;
mod listen;
mod quarantine;
mod repair;
mod replay;
mod restore;
mod serve;
mod server_args;
mod simulate;
mod sources;
mod start_position;
mod status;
mod subscriptions;
mod tables;
mod tail;
mod tokens;
mod translate;
mod verify;

use std::future::Future;

use clap::Subcommand;

use audit::AuditArgs;
use backup::BackupArgs;
use balance::BalanceArgs;
use catalog::CatalogArgs;
use changes::ChangesArgs;
use check::CheckArgs;
use completions::CompletionsArgs;
use config::ConfigArgs;
use dead_letters::DeadLettersArgs;
use deliveries::{PauseArgs, ResumeArgs};
use demo::DemoArgs;
use drift::DriftArgs;
use emit::EmitArgs;
use import::ImportArgs;
use keys::KeysArgs;
use listen::ListenArgs;
use quarantine::QuarantineArgs;
use repair::RepairArgs;
use replay::ReplayArgs;
use restore::RestoreArgs;
use serve::ServeArgs;
use simulate::SimulateArgs;
use sources::SourcesArgs;
use status::StatusArgs;
use subscriptions::SubscriptionsArgs;
use tables::TablesArgs;
use tail::TailArgs;
use tokens::TokensArgs;
use translate::TranslateArgs;
use verify::VerifyArgs;

use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;

/// A command, with its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Serve(ServeArgs),
    Config(ConfigArgs),
    Emit(EmitArgs),
    Import(ImportArgs),
    Simulate(SimulateArgs),
    Tail(TailArgs),
    Listen(ListenArgs),
    Subscriptions(Box<SubscriptionsArgs>),
    Sources(Box<SourcesArgs>),
    DeadLetters(DeadLettersArgs),
    Replay(ReplayArgs),
    Tables(TablesArgs),
    Status(StatusArgs),
    Balance(BalanceArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Catalog(CatalogArgs),
    Check(CheckArgs),
    Changes(ChangesArgs),
    Drift(DriftArgs),
    Tokens(TokensArgs),
    Audit(AuditArgs),
    Keys(KeysArgs),
    Verify(VerifyArgs),
    Quarantine(QuarantineArgs),
    Translate(TranslateArgs),
    Backup(BackupArgs),
    Restore(RestoreArgs),
    Repair(RepairArgs),
    Completions(CompletionsArgs),
}

/// Runs `command`. `command_line` describes all commands and their arguments.
pub(crate) fn run(
    command: Command,
    global: GlobalArgs,
    command_line: clap::Command,
) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => args.run(&global),
        Command::Config(args) => args.run(&global),
        Command::Backup(args) => args.run(&global),
        Command::Restore(args) => args.run(&global),
        Command::Repair(args) => args.run(&global),
        Command::Emit(args) => block_on(args.run(global)),
        Command::Import(args) => block_on(args.run(&global)),
        Command::Tail(args) => block_on(args.run(&global)),
        Command::Listen(args) => block_on(args.run(&global)),
        Command::Simulate(args) => block_on(args.run(global)),
        Command::Subscriptions(args) => block_on(args.run(&global)),
        Command::Sources(args) => block_on(args.run(&global)),
        Command::DeadLetters(args) => block_on(args.run(&global)),
        Command::Replay(args) => block_on(args.run(&global)),
        Command::Tables(args) => block_on(args.run(&global)),
        Command::Status(args) => block_on(args.run(&global)),
        Command::Balance(args) => block_on(args.run(&global)),
        Command::Pause(args) => block_on(args.run(&global)),
        Command::Resume(args) => block_on(args.run(&global)),
        Command::Catalog(args) => args.run(&global),
        Command::Changes(args) => args.run(&global),
        Command::Check(args) => args.run(&global),
        Command::Demo(args) => args.run(&global),
        Command::Drift(args) => block_on(args.run(&global)),
        Command::Keys(args) => block_on(args.run(&global)),
        Command::Verify(args) => block_on(args.run(&global)),
        Command::Tokens(args) => block_on(args.run(&global)),
        Command::Audit(args) => block_on(args.run(&global)),
        Command::Quarantine(args) => block_on(args.run(&global)),
        Command::Translate(args) => args.run(&global),
        Command::Completions(args) => args.run(command_line),
    }
}

/// Runs an async command until it ends, on a runtime with one thread.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.or_exit(Code::Unavailable)?.block_on(command)
}
