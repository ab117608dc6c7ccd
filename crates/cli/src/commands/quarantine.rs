//! `easel quarantine`

use anyhow::anyhow;
use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;

use crate::args::GlobalArgs;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure};
use crate::output;

const EXAMPLES: &str = "\
The Kinesis door refuses no record: what is no valid event is accepted and kept here.

Examples:
  easel quarantine list
  easel quarantine show 7
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
    /// Drop records
    Empty {
        /// Keep the records from this offset on
        #[arg(long, value_name = "OFFSET")]
        before: Option<u64>,
    },
}

#[derive(Deserialize)]
struct PageJson {
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
                let PageJson { records, count } = client::read(&answer)?;
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
                let PageJson { records, .. } = client::read(&answer)?;
                match records.into_iter().find(|it| it.offset == offset) {
                    Some(_) if global.json => output::bytes(&answer),
                    Some(it) => output::line(it.data.or(it.data_base64).unwrap_or_default()),
                    None => {
                        let told = anyhow!("there is no record at offset {offset}");
                        Err(Failure::new(Code::BadInput, told))
                    }
                }
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

fn page_path(from: u64, limit: u16) -> String {
    format!("/v1/quarantine?from={from}&limit={limit}")
}
