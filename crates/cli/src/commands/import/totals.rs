//! The counts of a run, and the files that failed.

use anyhow::anyhow;
use serde::Serialize;

use crate::exit_code::{Code, Failure};
use crate::output;

/// The rejected records that are shown one by one.
const MAX_SHOWN: u64 = 100;

/// The result of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Totals {
    /// Files that were imported to their end.
    pub(super) files: u64,
    /// Files that an earlier run has imported to their end.
    pub(super) files_finished_before: u64,
    /// Files that could not be read to their end.
    pub(super) failed_files: Vec<FailedFile>,
    /// Records that were read.
    pub(super) read: u64,
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
    /// Whether the run was stopped before its end.
    pub(super) stopped: bool,
}

/// A file that could not be read to its end.
#[derive(Debug, Serialize)]
pub(super) struct FailedFile {
    pub(super) location: String,
    pub(super) reason: String,
}

impl Totals {
    /// Counts a file that could not be read on.
    pub(super) fn add_failed(&mut self, location: &str, reason: String) {
        let shown = output::printable(location);
        output::notice(format_args!("{shown}: {reason}"));
        self.failed_files.push(FailedFile {
            location: location.to_owned(),
            reason,
        });
    }

    /// Counts a record that is not an event, and shows it.
    pub(super) fn add_rejected(&mut self, location: &str, at: u64, reason: &str) {
        self.rejected += 1;
        if self.rejected <= MAX_SHOWN {
            let shown = output::printable(location);
            output::notice(format_args!(
                "{shown} at byte {at}: {}",
                output::printable(reason)
            ));
        } else if self.rejected == MAX_SHOWN + 1 {
            output::notice("further rejected records are only counted");
        }
    }

    /// Prints the counts.
    pub(super) fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            return output::line(serde_json::json!(self));
        }
        let mut files = vec![self.files.to_string()];
        if self.files_finished_before > 0 {
            files.push(format!(
                "and {} imported before",
                self.files_finished_before
            ));
        }
        if !self.failed_files.is_empty() {
            files.push(format!("and {} failed", self.failed_files.len()));
        }
        let files = files.join(", ");
        output::fields(&[
            ("files", files),
            ("read", self.read.to_string()),
            ("accepted", self.accepted.to_string()),
            ("duplicates", self.duplicates.to_string()),
            ("rejected", self.rejected.to_string()),
        ])
    }

    /// Returns an error if something needs attention.
    pub(super) fn result(&self) -> Result<(), Failure> {
        if self.stopped {
            let error = anyhow!("stopped; run the same command again to continue");
            return Err(Failure::new(Code::Unavailable, error));
        }
        if !self.failed_files.is_empty() {
            let count = self.failed_files.len();
            let error = anyhow!("{count} of the files could not be imported to the end");
            return Err(Failure::new(Code::BadInput, error));
        }
        if self.rejected > 0 {
            let error = anyhow!(
                "{} records are not events; `easel quarantine list` shows them",
                self.rejected
            );
            return Err(Failure::new(Code::BadInput, error));
        }
        Ok(())
    }
}
