//! `easel pause` and `easel resume`

use serde::Deserialize;

use crate::client::{self, Client};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;

const PAUSE_HELP: &str = "\
Deliveries stop until `easel resume` or the next start of the server. The server
still accepts events, and every subscription keeps its cursor. `easel serve
--paused` starts a server in this state.

Examples:
  easel pause
  easel subscriptions pause grades     pause only one subscription";

const RESUME_HELP: &str = "\
Deliveries continue after `easel pause` or `easel serve --paused`. But a
subscription that `easel subscriptions pause` has paused stays paused.

Examples:
  easel resume
  easel subscriptions resume grades    resume only one subscription";

/// Pause all deliveries of the running server
#[derive(Debug, clap::Args)]
#[command(after_help = PAUSE_HELP)]
pub(crate) struct PauseArgs {}

/// Resume all deliveries of the running server
#[derive(Debug, clap::Args)]
#[command(after_help = RESUME_HELP)]
pub(crate) struct ResumeArgs {}

#[derive(Deserialize)]
struct DeliveriesJson {
    paused: bool,
}

impl PauseArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        switch(global, "/v1/deliveries/pause").await
    }
}

impl ResumeArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        switch(global, "/v1/deliveries/resume").await
    }
}

async fn switch(global: &GlobalArgs, path: &str) -> Result<(), Failure> {
    let answer = Client::from_args(global)?.post(path, None).await?;
    if global.json {
        return output::with_line_break(&answer);
    }
    let DeliveriesJson { paused } = client::read(&answer)?;
    let state = if paused { "paused" } else { "running" };
    output::notice(format_args!("deliveries are {state}"));
    Ok(())
}
