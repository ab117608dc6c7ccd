//! `easel drift`

use std::collections::BTreeMap;

use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;

use crate::args::GlobalArgs;
use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::output;

const EXAMPLES: &str = "\
What came that the catalogue does not know: event types, fields, other kinds of values than
declared, values that are not listed. Events are delivered all the same. Values are shown with
letters as x and digits as 9. With --json, the root account and both times are shown too.

Examples:
  easel drift
  easel drift --event 'grade_*'
  easel drift --json | jq '.sightings[] | select(.drift == \"unknown_field\") | .path'
  easel drift clear";

/// Show what came that the catalogue does not know
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct DriftArgs {
    #[command(subcommand)]
    command: Option<DriftCommand>,
    /// Only event types whose name matches
    #[arg(long, value_name = "GLOB")]
    event: Option<String>,
    /// Only what came from the root account with this global id
    #[arg(long, value_name = "ID")]
    root_account: Option<String>,
}

#[derive(Debug, Subcommand)]
enum DriftCommand {
    /// Forget what was seen; what comes again is shown again
    Clear,
}

#[derive(Deserialize)]
struct DriftJson {
    sightings: Vec<SightingJson>,
    cursor: u64,
    missed: u64,
    untold: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct SightingJson {
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

/// The most characters of an example in a table.
const EXAMPLE_CHARS: usize = 32;

impl DriftArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::connect(global)?;
        match self.command {
            Some(DriftCommand::Clear) => {
                let answer = client.delete("/v1/drift").await?;
                if global.json {
                    return output::bytes(&answer);
                }
                let RemovedJson { removed } = client::read(&answer)?;
                output::talk(format_args!("forgot {removed}"));
                Ok(())
            }
            None => {
                let asked = [("event", &self.event), ("root_account", &self.root_account)];
                let asked = asked
                    .into_iter()
                    .filter_map(|(key, value)| Some(format!("{key}={}", escape(value.as_ref()?))));
                let query = asked.collect::<Vec<_>>().join("&");
                let answer = client.get(&format!("/v1/drift?{query}")).await?;
                if global.json {
                    return output::bytes(&answer);
                }
                client::read::<DriftJson>(&answer)?.print()
            }
        }
    }
}

impl DriftJson {
    fn print(self) -> Result<(), Failure> {
        if self.sightings.is_empty() {
            output::talk("nothing that the catalogue does not know");
        } else {
            let heads = ["DRIFT", "WHERE", "FOUND", "COUNT", "LAST SEEN"];
            let rows: Vec<_> = self.sightings.into_iter().map(SightingJson::row).collect();
            output::table(heads, &rows)?;
        }
        for (drift, count) in self.untold {
            output::talk(format_args!(
                "{drift}: {count} more that are not listed, there are too many"
            ));
        }
        if self.missed > 0 {
            let missed = self.missed;
            output::talk(format_args!(
                "{missed} events were gone before they could be looked at"
            ));
        }
        output::talk(format_args!(
            "{} events looked at",
            self.cursor - self.missed
        ));
        Ok(())
    }
}

impl SightingJson {
    fn row(self) -> [String; 5] {
        let mut example = self.example.value;
        if let Some((at, _)) = example.char_indices().nth(EXAMPLE_CHARS) {
            example.truncate(at);
            example.push('…');
        }
        let (found, example) = (output::plain(&self.found), output::plain(&example));
        let found = match self.declared {
            Some(declared) => format!("{found} ({declared} declared): {example}"),
            None => format!("{found}: {example}"),
        };
        [
            self.drift,
            output::plain(format!("{} {}", self.event, self.path).trim_end()),
            found,
            self.count.to_string(),
            self.last_seen.strftime("%Y-%m-%d").to_string(),
        ]
    }
}
