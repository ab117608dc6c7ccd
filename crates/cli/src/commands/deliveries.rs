//! `easel pause` and `easel resume`

use serde::Deserialize;

use crate::args::GlobalArgs;
use crate::client::{self, Client};
use crate::exit_code::Failure;
use crate::output;

const PAUSE_HELP: &str = "\
Nothing is sent to any subscription until `easel resume` or the next start. Events still come in and
every subscription keeps its place. `easel serve --paused` starts a server like this.

Examples:
  easel pause
  easel subscriptions pause grades          one subscription alone";

const RESUME_HELP: &str = "\
Ends `easel pause` and `easel serve --paused`. A subscription that was paused by itself stays paused.

Examples:
  easel resume
  easel subscriptions resume grades         one subscription alone";

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
    let answer = Client::connect(global)?.post(path, None).await?;
    if global.json {
        return output::bytes(&answer);
    }
    let DeliveriesJson { paused } = client::read(&answer)?;
    let state = if paused { "paused" } else { "running" };
    output::talk(format_args!("deliveries are {state}"));
    Ok(())
}
