//! `easel repair`

use anyhow::anyhow;
use easel_server::{FolderError, Repair};
use serde_json::json;

use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::settings::Settings;

const AFTER_HELP: &str = "\
Use this command if `easel serve` rejects a data folder because its files do not
belong together, for example if one file is an old copy. If you still have the
right files, put them back instead. The repair deletes nothing; it renames files
that cannot be used. The log continues above the highest offset that any file
contains. Missing events count as expired.

Examples:
  easel repair                   print the steps, change nothing
  easel repair --yes             do the repair
  easel repair --above 250000    a receiver already has events up to this offset";

/// Repair a data folder whose files come from different times or folders
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RepairArgs {
    /// Do the repair instead of only printing the steps
    #[arg(long)]
    yes: bool,
    /// Give new events only offsets higher than this one
    #[arg(
        long,
        value_name = "OFFSET",
        default_value_t = 0,
        hide_default_value = true
    )]
    above: u64,
}

impl RepairArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let data = Settings::load(global, &[])?.config.data;
        let repair = Repair::plan(&data, self.above).map_err(repair_failure)?;
        let steps = repair.steps().to_vec();
        let is_done = self.yes && !steps.is_empty();
        if is_done {
            repair.run().map_err(repair_failure)?;
        }
        if global.json {
            return output::line(json!({ "steps": steps, "done": is_done }));
        }
        steps.iter().try_for_each(output::line)?;
        output::notice(match (steps.is_empty(), is_done) {
            (true, _) => "nothing to repair: the files belong together",
            (false, true) => "repaired",
            (false, false) => "nothing was changed; to do this, run `easel repair --yes`",
        });
        Ok(())
    }
}

fn repair_failure(error: FolderError) -> Failure {
    Failure::new(
        Code::Configuration,
        anyhow!("failed to {:#}", anyhow::Error::new(error)),
    )
}
