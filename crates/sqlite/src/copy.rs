//! Copies a data file, also while another process writes to it.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::ffi;

use crate::inspection::{connect_at_rest, connect_live};
use crate::permissions::create_private;
use crate::{Layout, OpenError};

/// Pages copied in one step.
const STEP_PAGES: i32 = 256;

/// Whether another process may write to a file while it is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopySource {
    /// Another process may write to it.
    Live,
    /// No process writes to it.
    AtRest,
}

/// Copies the file at `from` to `to`, which must not exist yet. Calls `progress` with the bytes of
/// each step.
///
/// The copy is a snapshot of one moment, page by page, including damaged pages. It is synced, has
/// mode 0600 and has no WAL. Writers of `from` continue, but their WAL grows until the copy is done.
pub fn copy(
    (from, source): (&Path, CopySource),
    to: &Path,
    layout: &Layout,
    progress: &mut dyn FnMut(u64),
) -> Result<(), OpenError> {
    let failed_from = |error| OpenError::sqlite(from, layout, error);
    let reader = match source {
        CopySource::Live => connect_live(from),
        CopySource::AtRest => connect_at_rest(from),
    }
    .map_err(failed_from)?;
    // One read transaction for all steps. Otherwise every commit would restart the copy.
    let transaction = reader.unchecked_transaction().map_err(failed_from)?;
    let page_bytes: u32 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_row| Ok(()))
        .and_then(|()| transaction.query_row("PRAGMA page_size", [], |row| row.get(0)))
        .map_err(failed_from)?;
    create_private(to).map_err(OpenError::io(to))?;
    let failed_to = |error| OpenError::sqlite(to, layout, error);
    let mut writer = Connection::open(to).map_err(failed_to)?;
    {
        let backup = Backup::new(&transaction, &mut writer).map_err(failed_to)?;
        let mut remaining_pages = None;
        loop {
            let step = backup.step(STEP_PAGES).map_err(failed_to)?;
            let backup_progress = backup.progress();
            let before = remaining_pages.unwrap_or(backup_progress.pagecount);
            let copied_pages = u32::try_from(before - backup_progress.remaining).unwrap_or(0);
            progress(u64::from(copied_pages) * u64::from(page_bytes));
            remaining_pages = Some(backup_progress.remaining);
            match step {
                StepResult::Done => break,
                StepResult::More => (),
                // This cannot happen: no other connection uses the copy, and WAL readers never wait.
                _ => {
                    let busy = ffi::Error::new(ffi::SQLITE_BUSY);
                    return Err(failed_to(rusqlite::Error::SqliteFailure(busy, None)));
                }
            }
        }
    }
    writer
        .close()
        .map_err(|(_connection, error)| failed_to(error))?;
    File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(OpenError::io(to))
}
