//! `easel quarantine`

use anyhow::anyhow;
use clap::Subcommand;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::args::GlobalArgs;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure};
use crate::output;

const EXAMPLES: &str = "\
The Kinesis door refuses no record: what is no valid event is accepted and kept here.

Examples:
  easel quarantine list
  easel quarantine show 7
  easel quarantine retry
  easel quarantine empty --before 100";

/// Look at what came in and is no event
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
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
        /// List at most this many
        #[arg(short = 'n', value_name = "N", default_value_t = 100)]
        limit: u16,
    },
    /// Print a record as it came in, in base64 if it is not text
    Show {
        /// Its offset, as listed
        offset: u64,
    },
    /// Admit what is a valid event for this version of the server; the rest stays
    Retry,
    /// Drop records
    Empty {
        /// Keep the records from this offset on
        #[arg(long, value_name = "OFFSET")]
        before: Option<u64>,
    },
}

#[derive(Deserialize)]
struct QuarantinePageJson {
    records: Vec<QuarantinedJson>,
    count: u64,
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

/// What became of some records.
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
        let client = Client::connect(global)?;
        match self.command {
            QuarantineCommand::List { from, limit } => {
                let answer = client.get(&page_path(from, limit)).await?;
                if global.json {
                    return output::bytes(&answer);
                }
                let QuarantinePageJson { records, count } = client::read(&answer)?;
                let rows = records
                    .into_iter()
                    .map(QuarantinedJson::row)
                    .collect::<Vec<_>>();
                output::table(["OFFSET", "RECEIVED", "DOOR", "CODE", "WHY"], &rows)?;
                output::talk(format_args!("{count} in quarantine"));
                Ok(())
            }
            QuarantineCommand::Show { offset } => {
                let answer = client.get(&page_path(offset, 1)).await?;
                let QuarantinePageJson { records, .. } = client::read(&answer)?;
                match records.into_iter().find(|it| it.offset == offset) {
                    Some(_) if global.json => output::bytes(only_record(&answer)?),
                    Some(it) => output::line(it.data.or(it.data_base64).unwrap_or_default()),
                    None => {
                        let told = anyhow!("there is no record at offset {offset}");
                        Err(Failure::new(Code::BadInput, told))
                    }
                }
            }
            QuarantineCommand::Retry => {
                let told = retry(&client).await?;
                if global.json {
                    return output::line(json!(told));
                }
                let RetriedJson {
                    admitted,
                    duplicates,
                    kept,
                    ..
                } = told;
                output::talk(format_args!(
                    "admitted {admitted}, already on the log {duplicates}, still no event {kept}"
                ));
                Ok(())
            }
            QuarantineCommand::Empty { before } => {
                let before = before
                    .map(|offset| format!("?before={offset}"))
                    .unwrap_or_default();
                let answer = client.delete(&format!("/v1/quarantine{before}")).await?;
                if global.json {
                    return output::bytes(&answer);
                }
                let RemovedJson { removed } = client::read(&answer)?;
                output::talk(format_args!("dropped {removed}"));
                Ok(())
            }
        }
    }
}

/// Has the server look at everything in quarantine again, part by part.
async fn retry(client: &Client) -> Result<RetriedJson, Failure> {
    let mut total = RetriedJson::default();
    loop {
        let path = format!("/v1/quarantine/retry?from={}", total.next);
        let part: RetriedJson = client::read(&client.post(&path, None).await?)?;
        total.admitted += part.admitted;
        total.duplicates += part.duplicates;
        total.kept += part.kept;
        if part.next <= total.next {
            return Ok(total);
        }
        total.next = part.next;
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

/// The record of a page that has one, as the server wrote it.
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
