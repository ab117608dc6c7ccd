//! `easel config check`

use std::sync::Arc;

use clap::Subcommand;
use easel_server::load_catalog;
use serde_json::json;

use crate::args::GlobalArgs;
use crate::exit_code::{Code, Failure, OrExit};
use crate::output;
use crate::settings::{Effective, Settings};

const CHECK_HELP: &str = "\
Settings come from four places, each over the one before it: defaults, the file (./easel.toml or
--config), EASEL_* variables, flags. A variable is the key in capitals with two underscores for each
dot: log.max_age is EASEL_LOG__MAX_AGE. Lengths of time are written 30s, 2h or 30d, sizes 16MiB.
Relative paths are relative to the working directory, also those in the file.

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
    Check,
}

impl ConfigArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        match self.command {
            ConfigCommand::Check => check(global),
        }
    }
}

fn check(global: &GlobalArgs) -> Result<(), Failure> {
    let settings = Settings::load(global, &[])?;
    settings.check()?;
    let folder = settings.config.catalog.folder.as_deref();
    let catalog = Arc::new(load_catalog(folder).or_exit(Code::Configuration)?);
    let refused = |error| settings.refused(error);
    settings.config.translator(&catalog).map_err(refused)?;
    settings.config.triggers(&catalog).map_err(refused)?;
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
