//! The commands: a file each, with its arguments beside what it does.

mod backup;
mod balance;
mod beginning;
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
mod listen;
mod quarantine;
mod repair;
mod replay;
mod restore;
mod serve;
mod server_args;
mod simulate;
mod status;
mod subscriptions;
mod tail;
mod tokens;
mod translate;

use std::future::Future;

pub(crate) use backup::BackupArgs;
pub(crate) use balance::BalanceArgs;
pub(crate) use catalog::CatalogArgs;
pub(crate) use changes::ChangesArgs;
pub(crate) use check::CheckArgs;
pub(crate) use completions::CompletionsArgs;
pub(crate) use config::ConfigArgs;
pub(crate) use dead_letters::DeadLettersArgs;
pub(crate) use deliveries::{PauseArgs, ResumeArgs};
pub(crate) use demo::DemoArgs;
pub(crate) use drift::DriftArgs;
pub(crate) use emit::EmitArgs;
pub(crate) use listen::ListenArgs;
pub(crate) use quarantine::QuarantineArgs;
pub(crate) use repair::RepairArgs;
pub(crate) use replay::ReplayArgs;
pub(crate) use restore::RestoreArgs;
pub(crate) use serve::ServeArgs;
pub(crate) use simulate::SimulateArgs;
pub(crate) use status::StatusArgs;
pub(crate) use subscriptions::SubscriptionsArgs;
pub(crate) use tail::TailArgs;
pub(crate) use tokens::TokensArgs;
pub(crate) use translate::TranslateArgs;

use crate::args::{Args, Command};
use crate::exit_code::{Code, Failure, OrExit};

/// Does what the arguments say.
pub(crate) fn run(Args { global, command }: Args) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => args.run(&global),
        Command::Config(args) => args.run(&global),
        Command::Backup(args) => args.run(&global),
        Command::Restore(args) => args.run(&global),
        Command::Repair(args) => args.run(&global),
        Command::Emit(args) => wait(args.run(global)),
        Command::Tail(args) => wait(args.run(&global)),
        Command::Listen(args) => wait(args.run(&global)),
        Command::Simulate(args) => wait(args.run(global)),
        Command::Subscriptions(args) => wait(args.run(&global)),
        Command::DeadLetters(args) => wait(args.run(&global)),
        Command::Replay(args) => wait(args.run(&global)),
        Command::Status(args) => wait(args.run(&global)),
        Command::Balance(args) => wait(args.run(&global)),
        Command::Pause(args) => wait(args.run(&global)),
        Command::Resume(args) => wait(args.run(&global)),
        Command::Catalog(args) => args.run(&global),
        Command::Changes(args) => args.run(&global),
        Command::Check(args) => args.run(&global),
        Command::Demo(args) => args.run(&global),
        Command::Drift(args) => wait(args.run(&global)),
        Command::Tokens(args) => wait(args.run(&global)),
        Command::Quarantine(args) => wait(args.run(&global)),
        Command::Translate(args) => args.run(&global),
        Command::Completions(args) => args.run(),
    }
}

/// Runs a command that talks to a server; one thread is enough for that.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.or_exit(Code::Unavailable)?.block_on(command)
}
