//! `easel config check`

use clap::Subcommand;
use serde_json::json;

use super::server_args::ServerArgs;
use crate::args::GlobalArgs;
use crate::exit_code::Failure;
use crate::output;
use crate::settings::Effective;

const CHECK_HELP: &str = "\
Settings come from four places, each over the one before it: defaults, the file (./easel.toml or
--config), EASEL_* variables, flags. A variable is the key in capitals with two underscores for each
dot: log.max_age is EASEL_LOG__MAX_AGE. Lengths of time are written 30s, 2h or 30d, sizes 16MiB.
Relative paths are relative to the working directory, also those in the file.

What passes, `easel serve` with the same options does not refuse, unless the address is taken or the
data folder is in use or damaged. All faults are printed at once.

Examples:
  easel config check
  easel config check --config /etc/easel/easel.toml
  EASEL_LOG__MAX_AGE=30d easel config check";

/// Look into the settings
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the settings in force and where each came from, or what is wrong with them
    #[command(after_help = CHECK_HELP)]
    Check(ServerArgs),
}

impl ConfigArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        match self.command {
            ConfigCommand::Check(server) => check(&server, global),
        }
    }
}

fn check(server: &ServerArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let faults = server.logging().faults;
    let (settings, _prepared) = server.prepare(global, faults, |_config| ())?;
    let effective = settings.effective();
    if global.json {
        let settings = effective.iter().map(|Effective { key, value, origin }| {
            json!({ "key": key, "value": value, "origin": origin })
        });
        return output::line(json!({ "settings": settings.collect::<Vec<_>>() }));
    }
    let rows = effective
        .into_iter()
        .map(|Effective { key, value, origin }| [key.to_owned(), value, origin]);
    output::table(["SETTING", "VALUE", "FROM"], &rows.collect::<Vec<_>>())
}
