//! `easel config check`

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::server_args::ServerArgs;
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;
use crate::settings::EffectiveSetting;

const CHECK_HELP: &str = "\
The settings file (./easel.toml or --config) overrides the defaults, EASEL_*
variables override the file, and flags override the variables. The name of a
variable is the key in capitals, with two underscores for each dot: log.max_age
is EASEL_LOG__MAX_AGE. Durations are written as 30s, 2h or 30d, sizes as 16MiB.
All relative paths, also those in the file, start at the working directory.

If the check succeeds without a warning, `easel serve` will start with the same
options, unless the address is in use, the data folder is in use or damaged, or
its master key is missing. One check prints all errors.

Examples:
  easel config check
  easel config check --config /etc/easel/easel.toml
  EASEL_LOG__MAX_AGE=30d easel config check";

/// Check the settings
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print each setting with its value and origin, or all errors of the settings
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
    let (settings, prepared) = server.prepare(global, faults, |_config| ())?;
    let warnings = prepared.warnings(Timestamp::now());
    for warning in settings.refused_addresses().into_iter().chain(warnings) {
        output::notice(format_args!("warning: {warning}"));
    }
    let effective = settings.effective();
    if global.json {
        let settings = effective.iter().map(|EffectiveSetting { key, value, origin }| {
            json!({ "key": key, "value": value, "origin": origin })
        });
        return output::line(json!({ "settings": settings.collect::<Vec<_>>() }));
    }
    let rows = effective
        .into_iter()
        .map(|EffectiveSetting { key, value, origin }| [key.to_owned(), value, origin]);
    output::table(["SETTING", "VALUE", "FROM"], &rows.collect::<Vec<_>>())
}
