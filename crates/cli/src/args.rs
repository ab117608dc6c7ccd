//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use easel_keys::Secret;

use crate::commands::{
    BackupArgs, BalanceArgs, CatalogArgs, ChangesArgs, CheckArgs, CompletionsArgs, ConfigArgs,
    DeadLettersArgs, DemoArgs, DriftArgs, EmitArgs, ListenArgs, PauseArgs, QuarantineArgs,
    RepairArgs, ReplayArgs, RestoreArgs, ResumeArgs, ServeArgs, SimulateArgs, StatusArgs,
    SubscriptionsArgs, TailArgs, TokensArgs, TranslateArgs,
};
use crate::contact::Url;

const AFTER_HELP: &str = "\
First steps:
  easel demo                                     see the whole job, with a campus made up
  easel serve                                    start a server in this folder
  easel emit course_created --set name=Botany    send it an event
  easel tail                                     see what it has

Commands find a server on this machine through its data folder; --url and --token name any other.

Exit codes:
  0   done
  1   `easel status` found something that needs attention
  64  the command line is wrong
  65  what was given was refused
  69  no server could be reached, it could not take the work, or output could not be written
  70  a bug in Easel
  78  a setting, the data folder or the token is wrong";

/// The open Live Events service for Canvas LMS.
#[derive(Debug, Parser)]
#[command(name = "easel", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Settings file [default: ./easel.toml, if there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "EASEL_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// Folder the server keeps its data in
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Address of the server to talk to [default: the one running on the data folder]
    #[arg(long, global = true, env = "EASEL_URL", hide_env_values = true)]
    pub(crate) url: Option<Url>,
    /// Token to show to the server
    #[arg(long, global = true, env = "EASEL_TOKEN", hide_env_values = true, value_parser = secret)]
    pub(crate) token: Option<Secret<String>>,
    /// Print the server's JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Serve(ServeArgs),
    Config(ConfigArgs),
    Emit(EmitArgs),
    Simulate(SimulateArgs),
    Tail(TailArgs),
    Listen(ListenArgs),
    Subscriptions(Box<SubscriptionsArgs>),
    DeadLetters(DeadLettersArgs),
    Replay(ReplayArgs),
    Status(StatusArgs),
    Balance(BalanceArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Catalog(CatalogArgs),
    Check(CheckArgs),
    Changes(ChangesArgs),
    Drift(DriftArgs),
    Tokens(TokensArgs),
    Quarantine(QuarantineArgs),
    Translate(TranslateArgs),
    Backup(BackupArgs),
    Restore(RestoreArgs),
    Repair(RepairArgs),
    Completions(CompletionsArgs),
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "clap asks for a function that may refuse"
)]
fn secret(text: &str) -> Result<Secret<String>, String> {
    Ok(Secret::new(text.to_owned()))
}
