//! `easel quarantine`

use anyhow::anyhow;
use clap::Subcommand;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::client::{self, Client};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;

const AFTER_HELP: &str = "\
The Kinesis door rejects no record. It stores invalid records in the quarantine.

Examples:
  easel quarantine list
  easel quarantine show 7
  easel quarantine retry
  easel quarantine empty --before 100";

/// Inspect invalid records
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct QuarantineArgs {
    #[command(subcommand)]
    command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// List records, oldest first
    List {
        /// Start at this offset of the quarantine
        #[arg(long, value_name = "OFFSET", default_value_t = 0)]
        from: u64,
        /// Maximum number of records
        #[arg(short = 'n', value_name = "N", default_value_t = 100)]
        limit: u16,
    },
    /// Print a record as it was received, in base64 if it is not text
    Show {
        /// Offset of the record, as listed
        offset: u64,
    },
    /// Validate all records again; append valid events to the log and keep the rest
    Retry,
    /// Delete all records, or with --before only the records before an offset
    Empty {
        /// Delete only records before this offset
        #[arg(long, value_name = "OFFSET")]
        before: Option<u64>,
    },
}

#[derive(Deserialize)]
struct QuarantinePageJson {
    records: Vec<QuarantinedJson>,
    /// Absent for a token of one root account.
    count: Option<u64>,
}

#[derive(Deserialize)]
struct QuarantinedJson {
    offset: u64,
    door: String,
    code: String,
    detail: String,
    received_at: Timestamp,
    data: Option<String>,
    data_base64: Option<String>,
}

/// The result of a retry.
#[derive(Default, Deserialize, Serialize)]
struct RetriedJson {
    admitted: u64,
    duplicates: u64,
    kept: u64,
    #[serde(skip_serializing)]
    next: u64,
}

#[derive(Deserialize)]
struct RemovedJson {
    removed: u64,
}

impl QuarantineArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        match self.command {
            QuarantineCommand::List { from, limit } => {
                let answer = client.get(&page_path(from, limit)).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let QuarantinePageJson { records, count } = client::read(&answer)?;
                let rows = records
                    .into_iter()
                    .map(QuarantinedJson::row)
                    .collect::<Vec<_>>();
                output::table(["OFFSET", "RECEIVED", "DOOR", "CODE", "REASON"], &rows)?;
                if let Some(count) = count {
                    output::notice(format_args!("{count} in quarantine"));
                }
                Ok(())
            }
            QuarantineCommand::Show { offset } => {
                let answer = client.get(&page_path(offset, 1)).await?;
                let QuarantinePageJson { records, .. } = client::read(&answer)?;
                match records.into_iter().find(|record| record.offset == offset) {
                    Some(_) if global.json => output::with_line_break(only_record(&answer)?),
                    Some(record) => {
                        output::line(record.data.or(record.data_base64).unwrap_or_default())
                    }
                    None => {
                        let error = anyhow!("there is no record at offset {offset}");
                        Err(Failure::new(Code::BadInput, error))
                    }
                }
            }
            QuarantineCommand::Retry => {
                let retried = retry(&client).await?;
                if global.json {
                    return output::line(json!(retried));
                }
                let RetriedJson {
                    admitted,
                    duplicates,
                    kept: still_invalid,
                    ..
                } = retried;
                output::notice(format_args!(
                    "appended {admitted}, already in the log {duplicates}, still invalid {still_invalid}"
                ));
                Ok(())
            }
            QuarantineCommand::Empty { before } => {
                let before = before
                    .map(|offset| format!("?before={offset}"))
                    .unwrap_or_default();
                let answer = client.delete(&format!("/v1/quarantine{before}")).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let RemovedJson { removed } = client::read(&answer)?;
                output::notice(format_args!("deleted {removed} records"));
                Ok(())
            }
        }
    }
}

/// Makes the server validate all records of the quarantine again, page by page.
async fn retry(client: &Client) -> Result<RetriedJson, Failure> {
    let mut total = RetriedJson::default();
    loop {
        let path = format!("/v1/quarantine/retry?from={}", total.next);
        let page: RetriedJson = client::read(&client.post(&path, None).await?)?;
        total.admitted += page.admitted;
        total.duplicates += page.duplicates;
        total.kept += page.kept;
        if page.next <= total.next {
            return Ok(total);
        }
        total.next = page.next;
    }
}

impl QuarantinedJson {
    fn row(self) -> [String; 5] {
        [
            self.offset.to_string(),
            format!("{:.0}", self.received_at),
            self.door,
            self.code,
            self.detail,
        ]
    }
}

/// Returns the only record of a page, as the server wrote it.
fn only_record(page: &[u8]) -> Result<&[u8], Failure> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        records: Vec<&'a RawValue>,
    }
    let Page { records } = client::read(page)?;
    Ok(records
        .first()
        .map_or(page, |record| record.get().as_bytes()))
}

fn page_path(from: u64, limit: u16) -> String {
    format!("/v1/quarantine?from={from}&limit={limit}")
}
