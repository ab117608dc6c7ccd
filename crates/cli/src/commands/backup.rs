//! `easel backup`

use std::path::PathBuf;

use easel_server::{Copied, CopyError, backup, copy_bytes};
use serde_json::json;

use crate::args::GlobalArgs;
use crate::exit_code::{Code, Failure};
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;

const EXAMPLES: &str = "\
The server may run meanwhile. The backup has every event that was acknowledged before it began.
A second backup into the same folder takes the place of the first once it is complete.

Examples:
  easel backup /backup/easel
  easel backup --data /var/lib/easel /backup/easel-$(date +%F)";

/// Copy the data folder, while the server runs
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BackupArgs {
    /// Folder to copy to: new, empty, or an earlier backup
    folder: PathBuf,
}

impl BackupArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let data = Settings::load(global, &[])?.config.data;
        let progress = Progress::of_bytes(Some(copy_bytes(&data)));
        let copied = backup(&data, &self.folder, &mut |bytes| {
            progress.add(usize::try_from(bytes).unwrap_or(usize::MAX));
        });
        drop(progress);
        let copied = copied.map_err(not_copied)?;
        let folder = self.folder.display();
        let done = if copied.replaced { "replaced" } else { "made" };
        tell(global, &copied, &format!("backup {folder} {done}"))
    }
}

/// Says what was copied.
pub(super) fn tell(global: &GlobalArgs, copied: &Copied, done: &str) -> Result<(), Failure> {
    if global.json {
        let file = |(name, bytes): &(&str, u64)| json!({ "name": name, "bytes": bytes });
        let files: Vec<_> = copied.files.iter().map(file).collect();
        return output::line(json!({
            "files": files,
            "head": copied.head,
            "replaced": copied.replaced,
        }));
    }
    let row = |(name, bytes): &(&str, u64)| [(*name).to_owned(), bytes.to_string()];
    let rows: Vec<_> = copied.files.iter().map(row).collect();
    output::table(["FILE", "BYTES"], &rows)?;
    output::talk(format_args!(
        "{done}; its log ends at offset {}",
        copied.head
    ));
    Ok(())
}

/// Why nothing was copied, with the exit code for it.
pub(super) fn not_copied(error: CopyError) -> Failure {
    let code = match &error {
        CopyError::Target { .. } => Code::BadInput,
        CopyError::NoManifest { .. }
        | CopyError::Manifest { .. }
        | CopyError::InUse { .. }
        | CopyError::Folder(_) => Code::Configuration,
        CopyError::File(_) | CopyError::Io { .. } => Code::Unavailable,
    };
    Failure::new(
        code,
        anyhow::anyhow!("failed to {:#}", anyhow::Error::new(error)),
    )
}
