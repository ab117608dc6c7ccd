//! `easel repair`

use anyhow::anyhow;
use easel_server::{FolderError, Repair};
use serde_json::json;

use crate::args::GlobalArgs;
use crate::exit_code::{Code, Failure};
use crate::output;
use crate::settings::Settings;

const EXAMPLES: &str = "\
For a data folder that `easel serve` rejects since its files do not belong together. If there are
the right files, put them back instead. Nothing is deleted: a file that cannot be used is renamed.
The log goes on above every offset that any file has seen; what is missing counts as expired.

Examples:
  easel repair                   say what would be done
  easel repair --yes             do it
  easel repair --above 250000    a destination has seen the log up to this offset";

/// Make a data folder whole again whose files do not belong together
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RepairArgs {
    /// Do it, rather than say what would be done
    #[arg(long)]
    yes: bool,
    /// Continue the log at this offset at least
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
        let repair = Repair::plan(&data, self.above).map_err(not_repaired)?;
        let steps = repair.steps().to_vec();
        let is_done = self.yes && !steps.is_empty();
        if is_done {
            repair.run().map_err(not_repaired)?;
        }
        if global.json {
            return output::line(json!({ "steps": steps, "done": is_done }));
        }
        steps.iter().try_for_each(output::line)?;
        output::talk(match (steps.is_empty(), is_done) {
            (true, _) => "nothing to repair: the files belong together",
            (false, true) => "repaired",
            (false, false) => "nothing was changed; `easel repair --yes` does this",
        });
        Ok(())
    }
}

fn not_repaired(error: FolderError) -> Failure {
    Failure::new(
        Code::Configuration,
        anyhow!("failed to {:#}", anyhow::Error::new(error)),
    )
}
