//! `easel simulate`

mod pace;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use clap::ValueEnum;
use easel_keys::Secret;
use easel_simulator::{Campus, TermOptions};
use easel_triggers::{Change, Triggers};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::catalog;
use crate::client::{self, Client, KeyPair};
use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::{GlobalArgs, secret};
use crate::output;
use crate::progress::Progress;
use crate::settings::{Settings, SettingsFaults};

pub(super) use pace::Pace;

const AFTER_HELP: &str = "\
The command simulates a term of a campus with accounts, courses and people. The
people log in during the day, submit shortly before the due date and get grades
some days later. Easel's rules (triggers) turn the changes into events, as with
POST /v1/changes; the settings triggers.* apply. The same arguments produce the
same events.

Examples:
  easel simulate --students 100 --days 7 > events.ndjson
  easel simulate --students 2000 --days 30 --seed 7 | easel check --summary
  easel simulate --to events --rate 200
  easel simulate --to changes --speed 3600
  easel simulate --to kinesis --access-key-id easel --secret-access-key \"$KEY\"
  easel simulate --changes --days 1 | easel changes explain";

/// The maximum number of events or changes, and of bytes, in one request.
const MAX_REQUEST_LINES: usize = 500;
const MAX_REQUEST_BYTES: usize = 4 << 20;

/// Generate test events of a simulated campus
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SimulateArgs {
    /// Destination: a door of the server, or stdout
    #[arg(long, value_enum, default_value_t = Destination::Stdout)]
    to: Destination,
    /// Print the changes instead of their events
    #[arg(long, conflicts_with = "to")]
    changes: bool,
    /// Number of students
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    students: u32,
    /// Length of the term in days
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Random seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// First day of the term
    #[arg(long, value_name = "DATE", default_value = "2026-01-12")]
    begins: Date,
    /// Maximum number of events per second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Simulated seconds per real second [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    speed: Option<u32>,
    /// Stream of the Kinesis door
    #[arg(long, value_name = "NAME", default_value = "live-events")]
    stream: String,
    /// Access key ID for the Kinesis door, if it requires one
    #[arg(
        long,
        value_name = "ID",
        env = "AWS_ACCESS_KEY_ID",
        hide_env_values = true
    )]
    access_key_id: Option<String>,
    /// Secret access key for the Kinesis door
    #[arg(
        long,
        value_name = "SECRET",
        env = "AWS_SECRET_ACCESS_KEY",
        hide_env_values = true,
        value_parser = secret
    )]
    secret_access_key: Option<Secret<String>>,
}

/// Where events are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Destination {
    /// Standard output, one event or change on each line
    Stdout,
    /// POST /v1/events
    Events,
    /// POST /v1/changes, which takes changes; the server makes their events
    Changes,
    /// PutRecords of the Kinesis protocol
    Kinesis,
}

/// The lines of one request.
#[derive(Default)]
struct EventBatch {
    lines: Vec<bytes::Bytes>,
    bytes: usize,
}

impl SimulateArgs {
    pub(super) async fn run(self, global: GlobalArgs) -> Result<(), Failure> {
        let settings = Settings::load(&global, &[])?;
        let catalog = Arc::new(catalog::load(&global)?);
        let triggers = settings.config.triggers(&catalog);
        let triggers = triggers.map_err(|error| SettingsFaults(vec![settings.locate(&error)]))?;
        let begins = self.begins.to_zoned(TimeZone::UTC).or_exit(Code::Usage)?;
        let options = TermOptions {
            seed: self.seed,
            students: self.students,
            days: self.days,
            begins: begins.timestamp(),
        };
        let sender = Sender::new(&self, &global)?;
        let mut pace = Pace::new(options.begins, self.speed, self.rate);
        let progress = Progress::of_days(u64::from(self.days));
        let mut counts: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        let (mut changes, mut without_event, mut day) = (0_u64, 0_u64, 0);
        let (mut batch, mut answer_counts) = (EventBatch::default(), AnswerCountsJson::default());
        for change in Campus::new(options) {
            let at = change.occurred_at.unwrap_or(options.begins);
            let events = events(&triggers, &change)?;
            changes += 1;
            without_event += u64::from(events.is_empty());
            if pace.is_ahead(at) {
                sender
                    .send(&mut batch, &progress, &mut answer_counts)
                    .await?;
                pace.wait(at).await;
            }
            let elapsed = at.duration_since(options.begins).as_secs() / 86_400;
            progress.add(usize::try_from(elapsed - day).unwrap_or(0));
            day = elapsed;
            pace.add(events.len());
            for event in &events {
                *counts.entry(Arc::clone(&event.event_type)).or_default() += 1;
            }
            if self.changes || self.to == Destination::Changes {
                batch.add(change.to_json().to_string().into());
            } else {
                for event in events {
                    batch.add(event.bytes);
                }
            }
            if batch.is_full() {
                sender
                    .send(&mut batch, &progress, &mut answer_counts)
                    .await?;
            }
        }
        sender
            .send(&mut batch, &progress, &mut answer_counts)
            .await?;
        drop(progress);
        // With --to stdout, stdout already contains the events.
        if global.json && self.to != Destination::Stdout {
            let AnswerCountsJson { duplicates, .. } = answer_counts;
            return output::line(json!({
                "events": counts.values().sum::<u64>(), "changes": changes,
                "changes_without_event": without_event, "duplicates": duplicates, "event_types": by_name(&counts),
            }));
        }
        summarise(&counts, changes, without_event);
        if answer_counts.duplicates > 0 {
            let AnswerCountsJson { duplicates, .. } = answer_counts;
            output::notice(format_args!(
                "{duplicates} of these events were already in the log"
            ));
        }
        Ok(())
    }
}

/// Returns the events of a change. An error is a bug: triggers and simulator have the same version.
fn events(triggers: &Triggers, change: &Change) -> Result<Vec<easel_catalog::Event>, Failure> {
    match triggers.events(change, Timestamp::UNIX_EPOCH) {
        Ok(outcome) => Ok(outcome.events),
        Err(fault) => {
            let error = anyhow!("the simulator produced an invalid change: {fault}");
            Err(Failure::new(Code::Bug, error))
        }
    }
}

fn by_name(counts: &BTreeMap<Arc<str>, u64>) -> Value {
    let counts = counts.iter();
    let counts = counts.map(|(event_type, count)| ((**event_type).to_owned(), (*count).into()));
    Value::Object(counts.collect::<Map<_, _>>())
}

/// Prints the number of events of each type.
fn summarise(counts: &BTreeMap<Arc<str>, u64>, changes: u64, without_event: u64) {
    let total: u64 = counts.values().sum();
    let mut by_count: Vec<_> = counts.iter().collect();
    by_count.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (event_type, count) in by_count {
        #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
        let share = *count as f64 * 100.0 / total as f64;
        output::notice(format_args!("{count:>9}  {share:>5.2} %  {event_type}"));
    }
    output::notice(format_args!(
        "{total:>9} events of {} types, from {changes} changes ({without_event} changes without an event)",
        counts.len()
    ));
}

impl EventBatch {
    fn add(&mut self, line: bytes::Bytes) {
        self.bytes += line.len();
        self.lines.push(line);
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= MAX_REQUEST_LINES || self.bytes >= MAX_REQUEST_BYTES
    }

    fn lines(&self) -> Vec<u8> {
        let mut lines = Vec::with_capacity(self.bytes + self.lines.len());
        for line in &self.lines {
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
        lines
    }
}

/// The counts in the server's answer.
#[derive(Clone, Copy, Default, Deserialize)]
struct AnswerCountsJson {
    duplicates: u64,
    #[serde(default)]
    rejected: u64,
}

impl AnswerCountsJson {
    fn add(&mut self, other: Self) -> Result<(), Failure> {
        self.duplicates += other.duplicates;
        match other.rejected {
            0 => Ok(()),
            count => {
                let error = anyhow!("the server rejected {count} events");
                Err(Failure::new(Code::BadInput, error))
            }
        }
    }
}

/// A destination with its client and keys.
enum Sender {
    Stdout,
    Lines {
        client: Client,
        path: &'static str,
    },
    Kinesis {
        client: Client,
        stream: String,
        keys: Option<KeyPair>,
    },
}

impl Sender {
    fn new(args: &SimulateArgs, global: &GlobalArgs) -> Result<Self, Failure> {
        let path = match args.to {
            Destination::Stdout => return Ok(Self::Stdout),
            Destination::Events => "/v1/events",
            Destination::Changes => "/v1/changes",
            Destination::Kinesis => {
                let keys = match (&args.access_key_id, &args.secret_access_key) {
                    (None, None) => None,
                    (Some(id), Some(secret)) => Some(KeyPair {
                        access_key_id: id.clone(),
                        secret_access_key: secret.clone(),
                    }),
                    (Some(_), None) | (None, Some(_)) => {
                        let error =
                            anyhow!("--access-key-id and --secret-access-key require each other");
                        return Err(Failure::new(Code::Usage, error));
                    }
                };
                return Ok(Self::Kinesis {
                    client: Client::from_args(global)?,
                    stream: args.stream.clone(),
                    keys,
                });
            }
        };
        let client = Client::from_args(global)?;
        Ok(Self::Lines { client, path })
    }

    /// Sends and clears the batch. Does nothing if the batch is empty.
    async fn send(
        &self,
        batch: &mut EventBatch,
        progress: &Progress,
        counts: &mut AnswerCountsJson,
    ) -> Result<(), Failure> {
        let batch = std::mem::take(batch);
        if batch.lines.is_empty() {
            return Ok(());
        }
        match self {
            Self::Stdout => progress.hide_while(|| output::raw(&batch.lines())),
            Self::Lines { client, path } => {
                let answer = client.post_lines(path, batch.lines()).await?;
                counts.add(client::read(&answer)?)
            }
            Self::Kinesis {
                client,
                stream,
                keys,
            } => {
                client
                    .put_records(stream, &batch.lines, keys.as_ref())
                    .await
            }
        }
    }
}
