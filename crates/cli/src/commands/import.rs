//! `easel import`

#[cfg(feature = "s3")]
mod aws_profile;
mod checkpoint;
mod dry_run;
mod import_api;
mod import_file;
mod import_record;
mod part_source;
mod record_reader;
#[cfg(feature = "s3")]
mod s3;
mod totals;

use std::num::NonZeroU32;
use std::path::Path;

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::json;

use super::simulate::Pace;
use crate::client::Client;
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::progress::Progress;
use crate::signals::Signals;
use dry_run::DryRun;
use import_api::ImportedFileJson;
use import_file::FileToImport;
use part_source::PartSource;
use record_reader::{PartLimits, StartPlace};
use totals::Totals;

const AFTER_HELP: &str = "\
A FILE is a file, a folder with all files in it, an address such as
s3://bucket/folder, or - for stdin. A file has JSON events: one on each line,
an array, or without separators, as Amazon Firehose writes them; plain, gzip or
zstd. Messages that were received from SQS are unpacked.

The server stores how far each file was imported. If an import is interrupted,
run the same command again: it continues without repeating an event. A file
that was imported to its end is skipped.

Records that are not events are stored in the quarantine, with file and byte.
The exit code is 65 if there are any, or if a file cannot be read.

Examples:
  easel import archive/
  easel import --dry-run events.ndjson.gz
  easel import s3://meadow-events/2026/ --max-rate 2000
  easel import --list
  easel import --forget 0123456789abcdef";

/// The most files that are begun in one request.
const MAX_FILES: usize = 500;
/// The most records of a part, and about the most bytes.
const MAX_PART_RECORDS: usize = 2000;
const MAX_PART_BYTES: usize = 1 << 20;

/// Import events from files or from S3
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ImportArgs {
    #[expect(clippy::doc_markdown, reason = "the text is shown by --help")]
    /// File, folder, s3://BUCKET/PREFIX, or - for stdin
    #[arg(value_name = "FILE", required_unless_present_any = ["list", "forget"])]
    files: Vec<String>,
    /// Read and validate everything, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Import under this name; a file is imported once under each name [default: default]
    #[arg(long)]
    name: Option<String>,
    /// Maximum number of events per second
    #[arg(long, value_name = "N")]
    max_rate: Option<NonZeroU32>,
    /// Address of a store with the API of S3
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// List the files that were imported, and how far
    #[arg(long, conflicts_with_all = ["files", "forget", "dry_run"])]
    list: bool,
    /// Forget a file, so that it can be imported again; its events stay
    #[arg(long, value_name = "KEY", conflicts_with_all = ["files", "dry_run"])]
    forget: Option<String>,
}

impl ImportArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        if self.list {
            return list(global).await;
        }
        if let Some(key) = &self.forget {
            let path = format!("/v1/imports/{}", crate::client::escape(key));
            Client::from_args(global)?.remove(&path).await?;
            output::notice(format_args!("forgot the file {key}; its events stay"));
            return Ok(());
        }
        let files = self.files_to_import().await?;
        if self.dry_run {
            return DryRun::default()
                .run(files, self.limits(), global.json)
                .await;
        }
        let run = ImportRun {
            client: Client::from_args(global)?,
            limits: self.limits(),
            pace: Pace::new(Timestamp::now(), None, self.max_rate.map(NonZeroU32::get)),
            progress: Progress::of_bytes(files.iter().map(|file| file.size).sum()),
            totals: Totals::default(),
            signals: Signals::listen().or_exit(Code::Unavailable)?,
        };
        let totals = run.import(self.name.as_deref(), files).await?;
        totals.print(global.json)?;
        totals.result()
    }

    /// Returns all files of the arguments. A file that is named twice is imported once.
    async fn files_to_import(&self) -> Result<Vec<FileToImport>, Failure> {
        let mut files: Vec<FileToImport> = Vec::new();
        for argument in &self.files {
            let found = match argument.as_str() {
                "-" => vec![FileToImport::stdin()],
                #[cfg(feature = "s3")]
                address if address.starts_with(s3::SCHEME) => {
                    FileToImport::all_in_s3(address, self.endpoint_url.as_deref()).await?
                }
                path => FileToImport::all_at(Path::new(path))?,
            };
            for file in found {
                if !files.iter().any(|known| known.location == file.location) {
                    files.push(file);
                }
            }
        }
        Ok(files)
    }

    /// Returns the limits of a part. A slow import has small parts, so that it is steady.
    fn limits(&self) -> PartLimits {
        let rate = self
            .max_rate
            .and_then(|rate| usize::try_from(rate.get()).ok());
        PartLimits {
            max_records: std::cmp::min(MAX_PART_RECORDS, rate.unwrap_or(MAX_PART_RECORDS)),
            max_bytes: MAX_PART_BYTES,
        }
    }
}

async fn list(global: &GlobalArgs) -> Result<(), Failure> {
    let client = Client::from_args(global)?;
    let mut files = import_api::list(&client).await?;
    if global.json {
        return output::line(json!({ "files": files }));
    }
    files.sort_by(|a, b| (&a.name, &a.location).cmp(&(&b.name, &b.location)));
    let row = |file: &ImportedFileJson| {
        [
            file.key.clone(),
            match &*file.name {
                "default" => output::printable(&file.location),
                name => format!("{name}: {}", output::printable(&file.location)),
            },
            if file.finished {
                "finished".to_owned()
            } else {
                format!("byte {}", file.position)
            },
            file.accepted.to_string(),
            file.duplicates.to_string(),
            file.rejected.to_string(),
        ]
    };
    let heads = ["KEY", "FILE", "STATE", "ACCEPTED", "DUPLICATES", "REJECTED"];
    output::table(heads, &files.iter().map(row).collect::<Vec<_>>())
}

/// A running import.
struct ImportRun {
    client: Client,
    limits: PartLimits,
    pace: Pace,
    progress: Progress,
    totals: Totals,
    signals: Signals,
}

impl ImportRun {
    /// Imports the files in order. A file that cannot be read does not stop the others.
    async fn import(
        mut self,
        name: Option<&str>,
        files: Vec<FileToImport>,
    ) -> Result<Totals, Failure> {
        let mut rest = files.into_iter().peekable();
        while rest.peek().is_some() && !self.totals.stopped {
            let group: Vec<_> = rest.by_ref().take(MAX_FILES).collect();
            let states = import_api::begin(&self.client, name, &group).await?;
            if states.len() != group.len() {
                let error = anyhow!("the server knows {} of {} files", states.len(), group.len());
                return Err(Failure::new(Code::Unavailable, error));
            }
            for (file, state) in group.into_iter().zip(states) {
                if self.totals.stopped {
                    break;
                }
                if state.finished {
                    self.totals.files_finished_before += 1;
                    let size = file.size.and_then(|size| usize::try_from(size).ok());
                    self.progress.add(size.unwrap_or(0));
                } else {
                    self.import_file(file, state).await?;
                }
            }
        }
        Ok(self.totals)
    }

    async fn import_file(
        &mut self,
        file: FileToImport,
        mut state: ImportedFileJson,
    ) -> Result<(), Failure> {
        let location = file.location.clone();
        let start = StartPlace {
            position: state.position,
            checkpoint: state.checkpoint.clone(),
        };
        let mut parts = PartSource::open(file, self.limits, start);
        loop {
            let part = tokio::select! {
                part = parts.next() => part,
                () = self.signals.stop_requested() => {
                    self.totals.stopped = true;
                    return Ok(());
                }
            };
            let part = match part {
                None => return Ok(()),
                Some(Ok(part)) => part,
                Some(Err(error)) => {
                    let totals = &mut self.totals;
                    self.progress
                        .hide_while(|| totals.add_failed(&location, error.to_string()));
                    return Ok(());
                }
            };
            let count = part.records.len();
            let stored = tokio::select! {
                stored = import_api::send_part(&self.client, &state, &part) => stored?,
                () = self.signals.stop_requested() => {
                    self.totals.stopped = true;
                    return Ok(());
                }
            };
            self.totals.read += count as u64;
            self.totals.accepted += stored.file.accepted.saturating_sub(state.accepted);
            self.totals.duplicates += stored.file.duplicates.saturating_sub(state.duplicates);
            let totals = &mut self.totals;
            self.progress.hide_while(|| {
                for fault in &stored.faults {
                    let reason = format!("{} ({})", fault.detail, fault.code);
                    totals.add_rejected(&location, fault.at, &reason);
                }
            });
            self.progress.add(part.read_bytes);
            state = stored.file;
            if part.is_last {
                self.totals.files += 1;
            }
            self.pace.add(count);
            tokio::select! {
                () = self.pace.wait(Timestamp::now()) => (),
                () = self.signals.stop_requested() => self.totals.stopped = true,
            }
            if self.totals.stopped && !part.is_last {
                return Ok(());
            }
        }
    }
}
