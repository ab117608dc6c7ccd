//! Reads and validates files without sending anything.

use std::collections::BTreeMap;

use easel_catalog::{Limits, admit_hosted};
use jiff::Timestamp;
use serde_json::json;

use super::import_file::FileToImport;
use super::part_source::PartSource;
use super::record_reader::{ImportPart, PartLimits, StartPlace};
use super::totals::Totals;
use crate::exit_code::Failure;
use crate::output;
use crate::progress::Progress;

/// What an import would do.
#[derive(Default)]
pub(super) struct DryRun {
    totals: Totals,
    events_by_type: BTreeMap<String, u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl DryRun {
    /// Reads all files and prints what was found.
    pub(super) async fn run(
        mut self,
        files: Vec<FileToImport>,
        limits: PartLimits,
        as_json: bool,
    ) -> Result<(), Failure> {
        let sizes = files.iter().map(|file| file.size).sum::<Option<u64>>();
        let progress = Progress::of_bytes(sizes);
        for file in files {
            let location = file.location.clone();
            let start = StartPlace {
                position: 0,
                checkpoint: String::new(),
            };
            let mut parts = PartSource::open(file, limits, start);
            loop {
                match parts.next().await {
                    Some(Ok(part)) => {
                        progress.hide_while(|| self.add(&location, &part));
                        progress.add(part.read_bytes);
                    }
                    Some(Err(error)) => {
                        progress
                            .hide_while(|| self.totals.add_failed(&location, format!("{error}")));
                        break;
                    }
                    None => {
                        self.totals.files += 1;
                        break;
                    }
                }
            }
        }
        drop(progress);
        self.print(as_json)?;
        self.totals.result()
    }

    fn add(&mut self, location: &str, part: &ImportPart) {
        let limits = Limits::default();
        for record in &part.records {
            self.totals.read += 1;
            if let Some(total) = record.total_length {
                let reason = format!("the event has {total} bytes (too_large)");
                self.totals.add_rejected(location, record.at, &reason);
                continue;
            }
            match admit_hosted(&record.bytes, &limits, record.event_name.as_deref()) {
                Ok(event) => {
                    self.totals.accepted += 1;
                    *self
                        .events_by_type
                        .entry(event.event_type.to_string())
                        .or_default() += 1;
                    let at = event.occurred_at;
                    self.first = Some(self.first.map_or(at, |first| std::cmp::min(first, at)));
                    self.last = std::cmp::max(self.last, Some(at));
                }
                Err(fault) => {
                    let reason = format!("{fault} ({})", fault.code.as_str());
                    self.totals.add_rejected(location, record.at, &reason);
                }
            }
        }
    }

    fn print(&self, as_json: bool) -> Result<(), Failure> {
        let Totals {
            files,
            failed_files,
            read,
            accepted,
            rejected,
            ..
        } = &self.totals;
        if as_json {
            return output::line(json!({
                "dry_run": true,
                "files": files,
                "failed_files": failed_files,
                "read": read,
                "events": accepted,
                "rejected": rejected,
                "events_by_type": self.events_by_type,
                "first_event_at": self.first,
                "last_event_at": self.last,
            }));
        }
        let mut rows: Vec<_> = self.events_by_type.iter().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(name, count)| [output::printable(name), count.to_string()])
            .collect();
        output::table(["EVENT TYPE", "EVENTS"], &rows)?;
        let mut fields = vec![
            ("files", format!("{files}")),
            ("events", accepted.to_string()),
            ("rejected", rejected.to_string()),
        ];
        if let (Some(first), Some(last)) = (self.first, self.last) {
            fields.push(("first event", format!("{first:.0}")));
            fields.push(("last event", format!("{last:.0}")));
        }
        output::fields(&fields)?;
        output::notice("nothing was sent, because of --dry-run");
        Ok(())
    }
}
