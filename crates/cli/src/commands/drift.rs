//! `easel drift`

use std::collections::BTreeMap;

use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;

use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;

const AFTER_HELP: &str = "\
Drift is what the catalogue does not know: new event types, new fields, values
of another type than declared, values that are not listed. Events with drift are
delivered as usual. Example values are masked: letters become x, digits become
9. --json also prints the root account and the times of the first and the last
occurrence.

Examples:
  easel drift
  easel drift --event 'grade_*'
  easel drift --json | jq '.sightings[] | select(.drift == \"unknown_field\")'
  easel drift clear";

/// Show drift: event types, fields and values that the catalogue does not know
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct DriftArgs {
    #[command(subcommand)]
    command: Option<DriftCommand>,
    /// Only event types that match; * matches any characters
    #[arg(long, value_name = "GLOB")]
    event: Option<String>,
    /// Only drift from the root account with this global id
    #[arg(long, value_name = "ID")]
    root_account: Option<String>,
}

#[derive(Debug, Subcommand)]
enum DriftCommand {
    /// Delete all findings; drift that occurs again is listed again
    Clear,
}

#[derive(Deserialize)]
struct DriftJson {
    sightings: Vec<DriftRecordJson>,
    cursor: u64,
    missed: u64,
    untold: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct DriftRecordJson {
    drift: String,
    event: String,
    path: String,
    declared: Option<String>,
    found: String,
    last_seen: Timestamp,
    count: u64,
    example: ExampleJson,
}

#[derive(Deserialize)]
struct ExampleJson {
    value: String,
}

#[derive(Deserialize)]
struct RemovedJson {
    removed: u64,
}

/// The maximum length of an example in the table, in characters.
const MAX_EXAMPLE_CHARS: usize = 32;

impl DriftArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        match self.command {
            Some(DriftCommand::Clear) => {
                let answer = client.delete("/v1/drift").await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let RemovedJson { removed } = client::read(&answer)?;
                output::notice(format_args!("deleted {removed} findings"));
                Ok(())
            }
            None => {
                let filters = [("event", &self.event), ("root_account", &self.root_account)];
                let filters = filters
                    .into_iter()
                    .filter_map(|(key, value)| Some(format!("{key}={}", escape(value.as_ref()?))));
                let query = filters.collect::<Vec<_>>().join("&");
                let answer = client.get(&format!("/v1/drift?{query}")).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                client::read::<DriftJson>(&answer)?.print()
            }
        }
    }
}

impl DriftJson {
    fn print(self) -> Result<(), Failure> {
        if self.sightings.is_empty() {
            output::notice("no drift found");
        } else {
            let heads = ["DRIFT", "WHERE", "FOUND", "COUNT", "LAST SEEN"];
            let rows: Vec<_> = self
                .sightings
                .into_iter()
                .map(DriftRecordJson::row)
                .collect();
            output::table(heads, &rows)?;
        }
        for (drift, count) in self.untold {
            output::notice(format_args!(
                "{drift}: {count} more findings are not listed (limit reached)"
            ));
        }
        if self.missed > 0 {
            let missed = self.missed;
            output::notice(format_args!(
                "{missed} events were trimmed before they could be checked"
            ));
        }
        output::notice(format_args!("{} events checked", self.cursor - self.missed));
        Ok(())
    }
}

impl DriftRecordJson {
    fn row(self) -> [String; 5] {
        let mut example = self.example.value;
        if let Some((at, _)) = example.char_indices().nth(MAX_EXAMPLE_CHARS) {
            example.truncate(at);
            example.push('…');
        }
        let (found, example) = (output::printable(&self.found), output::printable(&example));
        let found = match self.declared {
            Some(declared) => format!("{found} ({declared} declared): {example}"),
            None => format!("{found}: {example}"),
        };
        [
            self.drift,
            output::printable(format!("{} {}", self.event, self.path).trim_end()),
            found,
            self.count.to_string(),
            self.last_seen.strftime("%Y-%m-%d").to_string(),
        ]
    }
}
