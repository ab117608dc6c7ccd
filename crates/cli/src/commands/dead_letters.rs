//! `easel dead-letters`

use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::client::{self, Client, escape};
use crate::exit_code::Failure;
use crate::global_args::GlobalArgs;
use crate::output;

const AFTER_HELP: &str = "\
A delivery becomes a dead letter after the last attempt of its schedule, or
immediately if the endpoint rejects the event. Dead letters are stored for 30
days; the setting `delivery.dead_letter_retention` changes this time. A dead
letter can be redelivered while the log still has its event. The list also shows
parked deliveries that wait for an operator. The commands `redeliver` and
`discard` apply to them too.

Examples:
  easel dead-letters list grades
  easel dead-letters show grades 4711
  easel dead-letters redeliver grades --event 'grade_*'
  easel dead-letters redeliver grades --offset 4711 --offset 4712
  easel dead-letters discard grades --reason 'answered 422'   # select by failure
  easel dead-letters redeliver grades --all --lane 3";

/// Inspect, redeliver or discard failed deliveries
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    command: DeadLettersCommand,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// List the dead letters and the deliveries that wait for an operator
    List(ListArgs),
    /// Show one dead letter with its attempts, the endpoint's answer and its event
    Show(ShowArgs),
    /// Redeliver the selected dead letters
    Redeliver(CommandArgs),
    /// Discard the selected dead letters; they will not be redelivered
    Discard(CommandArgs),
}

#[derive(Debug, clap::Args)]
struct LaneArgs {
    /// Name of the subscription
    name: String,
    /// Lane: `live`, or the number of a replay
    #[arg(long, default_value = "live")]
    lane: String,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    target: LaneArgs,
    /// Only event types that match; * matches any characters
    #[arg(long, value_name = "GLOB")]
    event: Option<String>,
    /// Only dead letters whose recorded failure reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only discarded dead letters
    #[arg(long)]
    discarded: bool,
    /// Start at this offset
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    from: u64,
    /// Maximum number of dead letters
    #[arg(short = 'n', value_name = "N", default_value_t = 100)]
    limit: u16,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    target: LaneArgs,
    /// Offset of the dead letter, as listed
    offset: u64,
}

#[derive(Debug, clap::Args)]
struct CommandArgs {
    #[command(flatten)]
    target: LaneArgs,
    #[command(flatten)]
    selection: SelectionArgs,
}

/// The selected dead letters. All given conditions must match.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct SelectionArgs {
    /// Select event types that match; * matches any characters
    #[arg(long, value_name = "GLOB")]
    event: Option<String>,
    /// Select dead letters whose recorded failure reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Select the dead letter at this offset; can be repeated
    #[arg(long = "offset", value_name = "N")]
    offsets: Vec<u64>,
    /// Select all dead letters of the lane
    #[arg(long, conflicts_with_all = ["event", "reason", "offsets"])]
    all: bool,
}

#[derive(Deserialize)]
struct DeadLetterPageJson {
    dead_letters: Vec<DeadLetterJson>,
    waiting: Vec<WaitingJson>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct DeadLetterJson {
    offset: u64,
    event_id: String,
    event_type: String,
    reason: String,
    attempt_count: u32,
    attempts: Vec<AttemptJson>,
    answer: Option<String>,
    answer_status: Option<u16>,
    died_at: Timestamp,
    discarded: bool,
    redeliverable: bool,
    event: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct WaitingJson {
    offset: u64,
    event_type: Option<String>,
    reason: String,
    attempt_count: u32,
}

#[derive(Deserialize)]
struct AttemptJson {
    at: Timestamp,
    outcome: String,
    status: Option<u16>,
    took_ms: u32,
}

#[derive(Deserialize)]
struct RedeliveredJson {
    redelivered: u64,
    gone: u64,
    full: bool,
}

#[derive(Deserialize)]
struct DiscardedJson {
    discarded: u64,
}

impl DeadLettersArgs {
    pub(super) async fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let client = Client::from_args(global)?;
        match self.command {
            DeadLettersCommand::List(args) => args.list(&client, global).await,
            DeadLettersCommand::Show(args) => {
                let ShowArgs { target, offset } = args;
                let path = format!("{}/{offset}?lane={}", target.path(), escape(&target.lane));
                let answer = client.get(&path).await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                client::read::<DeadLetterJson>(&answer)?.print()
            }
            DeadLettersCommand::Redeliver(args) => {
                let answer = args.post(&client, "redeliver").await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let RedeliveredJson {
                    redelivered,
                    gone,
                    full,
                } = client::read(&answer)?;
                let gone = (gone > 0).then(|| {
                    format!("{gone} cannot be redelivered: the log no longer has their events")
                });
                let full = full.then(|| {
                    "the limit of parked deliveries is reached: try again later".to_owned()
                });
                let parts = [Some(format!("redelivered {redelivered}")), gone, full];
                let parts: Vec<_> = parts.into_iter().flatten().collect();
                output::notice(parts.join("; "));
                Ok(())
            }
            DeadLettersCommand::Discard(args) => {
                let answer = args.post(&client, "discard").await?;
                if global.json {
                    return output::with_line_break(&answer);
                }
                let DiscardedJson { discarded } = client::read(&answer)?;
                output::notice(format_args!("discarded {discarded}"));
                Ok(())
            }
        }
    }
}

impl LaneArgs {
    fn path(&self) -> String {
        format!("/v1/subscriptions/{}/dead-letters", escape(&self.name))
    }
}

impl ListArgs {
    async fn list(self, client: &Client, global: &GlobalArgs) -> Result<(), Failure> {
        if global.json {
            return output::with_line_break(&client.get(&self.path(self.from, self.limit)).await?);
        }
        let (mut rows, mut from, mut limit) = (Vec::new(), self.from, self.limit);
        // A page can have fewer items than `limit` although a later page has more.
        let next = loop {
            let page: DeadLetterPageJson =
                client::read(&client.get(&self.path(from, limit)).await?)?;
            let dead = page.dead_letters.into_iter().map(DeadLetterJson::row);
            let waiting = page.waiting.into_iter().map(WaitingJson::row);
            let mut found: Vec<_> = dead.chain(waiting).collect();
            found.sort_by_key(|(offset, _)| *offset);
            let found_count = u16::try_from(found.len()).unwrap_or(u16::MAX);
            rows.extend(found.into_iter().map(|(_, row)| row));
            limit = limit.saturating_sub(found_count);
            match page.next {
                Some(next) if limit > 0 => from = next,
                next => break next,
            }
        };
        if rows.is_empty() {
            output::notice("no dead letters found");
            return Ok(());
        }
        output::table(["OFFSET", "GIVEN UP", "ATTEMPTS", "EVENT", "REASON"], &rows)?;
        if let Some(next) = next {
            output::notice(format_args!(
                "there may be more; continue with --from {next}"
            ));
        }
        Ok(())
    }

    fn path(&self, from: u64, limit: u16) -> String {
        let lane = escape(&self.target.lane);
        let discarded = self.discarded;
        let path = self.target.path();
        let filters = [("event", &self.event), ("reason", &self.reason)];
        let filters = filters.into_iter().filter_map(|(name, value)| {
            let value = escape(value.as_deref()?);
            Some(format!("&{name}={value}"))
        });
        let filters: String = filters.collect();
        format!("{path}?lane={lane}&from={from}&limit={limit}&discarded={discarded}{filters}")
    }
}

impl CommandArgs {
    /// Posts a command on the selected dead letters.
    async fn post(&self, client: &Client, command: &str) -> Result<bytes::Bytes, Failure> {
        let path = format!("{}/{command}", self.target.path());
        client.post(&path, Some(&self.selection())).await
    }

    fn selection(&self) -> Value {
        let SelectionArgs {
            event,
            reason,
            offsets,
            all,
        } = &self.selection;
        let members = [
            ("lane", Some(Value::from(self.target.lane.as_str()))),
            ("event", event.as_deref().map(Value::from)),
            ("reason", reason.as_deref().map(Value::from)),
            (
                "offsets",
                (!offsets.is_empty()).then(|| offsets.clone().into()),
            ),
            ("all", all.then_some(Value::Bool(true))),
        ];
        let members = members.into_iter();
        let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        members.collect::<Map<_, _>>().into()
    }
}

impl DeadLetterJson {
    fn row(self) -> (u64, [String; 5]) {
        let row = [
            self.offset.to_string(),
            format!("{:.0}", self.died_at),
            self.attempt_count.to_string(),
            self.event_type,
            output::printable(&self.reason),
        ];
        (self.offset, row)
    }

    fn print(self) -> Result<(), Failure> {
        let state = match (self.discarded, self.redeliverable) {
            (true, _) => "discarded",
            (false, true) => "can be redelivered",
            (false, false) => "cannot be redelivered: the log no longer has its event",
        };
        let mut lines = vec![
            ("offset", self.offset.to_string()),
            ("event", format!("{} {}", self.event_type, self.event_id)),
            ("given up", format!("{:.0}, {state}", self.died_at)),
            ("reason", output::printable(&self.reason)),
            ("attempts", self.attempt_count.to_string()),
        ];
        for attempt in &self.attempts {
            let status = attempt
                .status
                .map_or("-".to_owned(), |status| status.to_string());
            let AttemptJson {
                at,
                outcome,
                took_ms,
                ..
            } = attempt;
            lines.push(("", format!("{at:.0}  {outcome}  {status}  {took_ms} ms")));
        }
        if let Some(answer) = &self.answer {
            let status = self.answer_status.map(|status| format!("{status}: "));
            let status = status.unwrap_or_default();
            lines.push(("answer", format!("{status}{}", output::printable(answer))));
        }
        output::fields(&lines)?;
        match self.event {
            Some(event) => output::line(event.get()),
            None => Ok(()),
        }
    }
}

impl WaitingJson {
    fn row(self) -> (u64, [String; 5]) {
        let row = [
            self.offset.to_string(),
            "waits for you".to_owned(),
            self.attempt_count.to_string(),
            self.event_type.unwrap_or_default(),
            output::printable(&self.reason),
        ];
        (self.offset, row)
    }
}
