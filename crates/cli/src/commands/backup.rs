//! `easel backup`

use std::path::PathBuf;

use easel_server::{Config, Copied, CopyError, backup, copy_bytes};
use serde_json::json;

use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;

const AFTER_HELP: &str = "\
The server may run during the backup. The backup contains every event that was
acknowledged before the backup started. If the folder has an earlier backup, the
new backup replaces it, but only when the new one is complete.

The secrets in the backup are encrypted with the master key, which is not in the
backup. Keep a copy of the file with the master key in another place.

Examples:
  easel backup /backup/easel
  easel backup --data /var/lib/easel /backup/easel-$(date +%F)";

/// Copy the data folder, even while the server runs
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BackupArgs {
    /// Target folder: a new or empty one, or an earlier backup
    folder: PathBuf,
}

impl BackupArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let Config { data, keys, .. } = Settings::load(global, &[])?.config;
        let progress = Progress::of_bytes(Some(copy_bytes(&data)));
        let copied = backup(&data, &self.folder, &mut |bytes| {
            progress.add(usize::try_from(bytes).unwrap_or(usize::MAX));
        });
        drop(progress);
        let copied = copied.map_err(copy_failure)?;
        let folder = self.folder.display();
        let result = if copied.replaced {
            "replaced"
        } else {
            "created"
        };
        print_copied(global, &copied, &format!("backup {folder} {result}"))?;
        if keys.master_key.is_none() {
            let file = keys.master_key_path(&data);
            let key = if file.exists() {
                file.display().to_string()
            } else {
                "the key".to_owned()
            };
            output::notice(format_args!(
                "the backup needs the master key, which it does not contain; keep a copy of {key} \
                 in another place"
            ));
        }
        Ok(())
    }
}

/// Prints the copied files.
pub(super) fn print_copied(
    global: &GlobalArgs,
    copied: &Copied,
    message: &str,
) -> Result<(), Failure> {
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
    output::notice(format_args!(
        "{message}; its log ends at offset {}",
        copied.head
    ));
    Ok(())
}

/// Converts a copy error to a failure with its exit code.
pub(super) fn copy_failure(error: CopyError) -> Failure {
    let code = match &error {
        CopyError::Target { .. } => Code::BadInput,
        CopyError::NoManifest { .. }
        | CopyError::Manifest { .. }
        | CopyError::InUse { .. }
        | CopyError::Folder(_) => Code::Configuration,
        CopyError::File(_)
        | CopyError::Io { .. }
        | CopyError::KeysRotated { .. }
        | CopyError::Keys(_)
        | CopyError::Subscriptions(_)
        | CopyError::Sources(_)
        | CopyError::Audit(_) => Code::Unavailable,
    };
    Failure::new(
        code,
        anyhow::anyhow!("failed to {:#}", anyhow::Error::new(error)),
    )
}
