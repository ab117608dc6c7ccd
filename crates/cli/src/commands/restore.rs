//! `easel restore`

use std::path::PathBuf;

use easel_server::{Config, copy_bytes, restore};

use super::backup::{copy_failure, print_copied};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;

const AFTER_HELP: &str = "\
The data folder must be new or empty; nothing is overwritten. Subscriptions
continue from their cursors in the backup. Events in the backup that were
delivered after the backup was made are delivered again.

The server needs the master key of the backup: put its file beside the data
folder, or name the file in the setting `keys.master_key_file`.

Examples:
  easel restore /backup/easel
  easel restore --data /var/lib/easel /backup/easel";

/// Restore a data folder from a backup
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RestoreArgs {
    /// Folder of the backup
    folder: PathBuf,
}

impl RestoreArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let Config { data, keys, .. } = Settings::load(global, &[])?.config;
        let progress = Progress::of_bytes(Some(copy_bytes(&self.folder)));
        let copied = restore(&self.folder, &data, &mut |bytes| {
            progress.add(usize::try_from(bytes).unwrap_or(usize::MAX));
        });
        drop(progress);
        let copied = copied.map_err(copy_failure)?;
        print_copied(
            global,
            &copied,
            &format!("data folder {} restored", data.display()),
        )?;
        if keys.master_key.is_none() {
            let file = keys.master_key_path(&data);
            output::notice(format_args!(
                "the server needs the master key of the backup; put it into {}",
                file.display()
            ));
        }
        Ok(())
    }
}
