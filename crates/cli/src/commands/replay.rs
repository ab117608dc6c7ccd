//! `easel replay`

use std::time::Duration;

use anyhow::anyhow;
use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::start_position::StartPosition;
use super::subscriptions::{condition, conditions_json, object};
use crate::balance_json::BalanceJson;
use crate::client::{self, Client, escape};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::progress::Progress;

const AFTER_HELP: &str = "\
A replay sends a range of the log to a subscription again. It has its own lane
and its own balance. The filter of the subscription applies; --event and
--condition restrict it further. Live deliveries continue. Replayed events have
the header `easel-replay` with the number of the replay.

Examples:
  easel replay start grades --from 2026-11-22 --to 2026-11-23 --dry-run
  easel replay start grades --from 6h --event 'grade_*' --rate 200 --wait
  easel replay list grades
  easel replay cancel grades 3";

/// The polling interval of `--wait`.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Send a range of the log to a subscription again
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ReplayArgs {
    #[command(subcommand)]
    command: ReplayCommand,
}

#[derive(Debug, Subcommand)]
enum ReplayCommand {
    /// Start a replay
    Start(StartArgs),
    /// List the replays of a subscription
    List {
        /// Name of the subscription
        name: String,
    },
    /// Stop a replay if it still runs, and delete it with its parked deliveries and dead letters
    Cancel {
        /// Name of the subscription
        name: String,
        /// Number of the replay, as listed
        number: u32,
    },
}

#[derive(Debug, clap::Args)]
struct StartArgs {
    /// Name of the subscription
    name: String,
    /// First event: an offset, `earliest`, a time, or an age such as 6h
    #[arg(long, value_name = "WHERE")]
    from: StartPosition,
    /// End of the range (exclusive): an offset, a time, or an age [default: now]
    #[arg(long, value_name = "WHERE")]
    to: Option<StartPosition>,
    /// Event types to send; * matches any characters; can be repeated [default: all]
    #[arg(long = "event", value_name = "GLOB")]
    events: Vec<String>,
    /// Additional condition on the metadata, such as `course=10000000000301`; can be repeated
    #[arg(long = "condition", value_name = "KEY=VALUE", value_parser = condition)]
    conditions: Vec<(String, String)>,
    /// Maximum number of events per second [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Only count the events that would be sent
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Wait until the replay has ended
    #[arg(long)]
    wait: bool,
}

#[derive(Deserialize)]
struct ReplayListJson {
    replays: Vec<ReplayJson>,
}

#[derive(Deserialize)]
struct ReplayJson {
    number: u32,
    from: u64,
    to: u64,
    created_at: Timestamp,
    state: String,
    reason: Option<String>,
    progress: ProgressJson,
    rate: f64,
    balance: BalanceJson,
}

#[derive(Deserialize)]
struct ProgressJson {
    done: u64,
    total: u64,
}

#[derive(Deserialize)]
struct DryRunJson {
    from: u64,
    to: u64,
    events: u64,
    matches: u64,
    counted_to: u64,
}

impl ReplayArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        match self.command {
            ReplayCommand::Start(args) => args.start(&client, global).await,
            ReplayCommand::List { name } => {
                let answer = client.get(&replays_path(&name)).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let ReplayListJson { replays } = client::read(&answer)?;
                if replays.is_empty() {
                    output::notice(format_args!("{name} has no replays"));
                    return Ok(());
                }
                let rows: Vec<_> = replays.into_iter().map(ReplayJson::row).collect();
                let heads = ["NUMBER", "STATE", "FROM", "TO", "DONE", "RATE", "STARTED"];
                output::table(heads, &rows)
            }
            ReplayCommand::Cancel { name, number } => {
                client
                    .remove(&format!("{}/{number}", replays_path(&name)))
                    .await?;
                if global.json {
                    return output::line(json!({ "cancelled": number }));
                }
                output::notice(format_args!("cancelled replay {number} of {name}"));
                Ok(())
            }
        }
    }
}

impl StartArgs {
    async fn start(self, client: &Client, global: &GlobalArgs) -> Result<(), Failure> {
        let path = replays_path(&self.name);
        let mut answer = client.post(&path, Some(&self.request_json())).await?;
        if self.dry_run {
            if global.json {
                return output::with_line_break(&answer);
            }
            return client::read::<DryRunJson>(&answer)?.print();
        }
        let ReplayJson { number, .. } = client::read(&answer)?;
        if self.wait {
            answer = self.wait(client, &format!("{path}/{number}")).await?;
        }
        if global.json {
            return output::with_line_break(&answer);
        }
        let replay: ReplayJson = client::read(&answer)?;
        let name = &self.name;
        if self.wait {
            let balance = replay.balance.sentence();
            output::notice(format_args!("replay {number} of {name} has ended"));
            output::notice(balance);
            return Ok(());
        }
        let total = replay.progress.total;
        output::notice(format_args!(
            "replay {number} of {name} processes {total} events; for its progress, run \
             `easel replay list {name}`"
        ));
        Ok(())
    }

    /// Waits until the replay at `path` has ended and shows its progress.
    async fn wait(&self, client: &Client, path: &str) -> Result<bytes::Bytes, Failure> {
        let mut bar = None;
        let mut shown = 0;
        loop {
            let answer = client.get(path).await?;
            let ReplayJson {
                number,
                state,
                reason,
                progress: ProgressJson { done, total },
                ..
            } = client::read(&answer)?;
            let bar = bar.get_or_insert_with(|| Progress::of_events(total));
            bar.add(usize::try_from(done.saturating_sub(shown)).unwrap_or(usize::MAX));
            shown = std::cmp::max(shown, done);
            match state.as_str() {
                "ended" => return Ok(answer),
                "paused" => {
                    let reason = reason.map(|reason| format!(" ({})", output::printable(&reason)));
                    let error = anyhow!(
                        "replay {number} of {} is paused{}; it continues when the subscription is resumed",
                        self.name,
                        reason.unwrap_or_default()
                    );
                    return Err(Failure::new(Code::Unavailable, error));
                }
                _ => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Returns the body of the API request.
    fn request_json(&self) -> Value {
        object([
            ("from", Some(position_json(self.from))),
            ("to", self.to.map(position_json)),
            (
                "events",
                (!self.events.is_empty()).then(|| json!(self.events)),
            ),
            ("conditions", conditions_json(&self.conditions)),
            ("max_rate", self.rate.map(Value::from)),
            ("dry_run", self.dry_run.then_some(Value::Bool(true))),
        ])
        .into()
    }
}

/// Returns one end of the range for the API request.
fn position_json(position: StartPosition) -> Value {
    match position {
        StartPosition::Earliest => "earliest".into(),
        StartPosition::Latest => "now".into(),
        StartPosition::Offset(offset) => offset.into(),
        StartPosition::Time(time) => time.to_string().into(),
    }
}

fn replays_path(name: &str) -> String {
    format!("/v1/subscriptions/{}/replays", escape(name))
}

impl DryRunJson {
    fn print(&self) -> Result<(), Failure> {
        let Self {
            from,
            to,
            events,
            matches,
            counted_to,
        } = self;
        output::line(format_args!(
            "{matches} of {events} events from {from} to {to} would be sent"
        ))?;
        if counted_to < to {
            output::notice(format_args!(
                "counting took too long: only events before offset {counted_to} were counted"
            ));
        }
        Ok(())
    }
}

impl ReplayJson {
    fn row(self) -> [String; 7] {
        let state = match &self.reason {
            Some(reason) => format!("{}: {}", self.state, output::printable(reason)),
            None => self.state,
        };
        let ProgressJson { done, total } = self.progress;
        [
            self.number.to_string(),
            state,
            self.from.to_string(),
            self.to.to_string(),
            format!("{done}/{total}"),
            format!("{:.1}/s", self.rate),
            format!("{:.0}", self.created_at),
        ]
    }
}
