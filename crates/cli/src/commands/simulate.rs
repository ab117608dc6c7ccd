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

use crate::args::GlobalArgs;
use crate::catalog;
use crate::client::{self, Client, KeyPair};
use crate::exit_code::{Code, Failure, OrExit};
use crate::output;
use crate::progress::Progress;
use crate::settings::{Settings, SettingsFaults};

pub(super) use pace::Pace;

const EXAMPLES: &str = "\
A campus of accounts, courses and people lives a term: they log in by day, hand in shortly before it
is due, and are graded some days later. What changes by that goes through the triggers, as it would
through POST /v1/changes; settings triggers.* count. The same arguments give the same events.

Examples:
  easel simulate --students 100 --days 7 > events.ndjson
  easel simulate --students 2000 --days 30 --seed 7 | easel check --summary
  easel simulate --to events --rate 200
  easel simulate --to changes --speed 3600
  easel simulate --to kinesis --access-key-id easel --secret-access-key \"$SECRET\"
  easel simulate --changes --days 1 | easel changes explain";

/// Events sent in one request at most, and bytes of them.
const MAX_SENT: usize = 500;
const MAX_SENT_BYTES: usize = 4 << 20;

/// Let a campus live a term, and send or print what happens
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SimulateArgs {
    /// Where to send it: a door of the server, or stdout
    #[arg(long, value_enum, default_value_t = Destination::Stdout)]
    to: Destination,
    /// Print the changes instead of the events they mean
    #[arg(long, conflicts_with = "to")]
    changes: bool,
    /// Students there are
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    students: u32,
    /// Days the term lasts
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// What chance begins with
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// First day of the term
    #[arg(long, value_name = "DATE", default_value = "2026-01-12")]
    begins: Date,
    /// Events a second at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Seconds of the campus in one second here; without it, as fast as it goes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    speed: Option<u32>,
    /// Stream of the Kinesis door
    #[arg(long, value_name = "NAME", default_value = "live-events")]
    stream: String,
    /// Key for the Kinesis door, if it asks for one
    #[arg(
        long,
        value_name = "ID",
        env = "AWS_ACCESS_KEY_ID",
        hide_env_values = true
    )]
    access_key_id: Option<String>,
    /// Secret of that key
    #[arg(
        long,
        value_name = "SECRET",
        env = "AWS_SECRET_ACCESS_KEY",
        hide_env_values = true
    )]
    secret_access_key: Option<String>,
}

/// Where events are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Destination {
    /// Standard output, a line each
    Stdout,
    /// POST /v1/events
    Events,
    /// POST /v1/changes: the server makes the events
    Changes,
    /// PutRecords of the Kinesis protocol
    Kinesis,
}

/// What is sent together.
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
        let triggers = triggers.map_err(|error| SettingsFaults(vec![settings.refused(&error)]))?;
        let begins = self.begins.to_zoned(TimeZone::UTC).or_exit(Code::Usage)?;
        let options = TermOptions {
            seed: self.seed,
            students: self.students,
            days: self.days,
            begins: begins.timestamp(),
        };
        let sender = Sender::of(&self, &global)?;
        let mut pace = Pace::new(options.begins, self.speed, self.rate);
        let progress = Progress::of_days(u64::from(self.days));
        let mut counts: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        let (mut changes, mut silent, mut day) = (0_u64, 0_u64, 0);
        let (mut load, mut stored) = (EventBatch::default(), Stored::default());
        for change in Campus::new(options) {
            let at = change.occurred_at.unwrap_or(options.begins);
            let events = events(&triggers, &change)?;
            changes += 1;
            silent += u64::from(events.is_empty());
            if pace.is_ahead(at) {
                sender.send(&mut load, &progress, &mut stored).await?;
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
                load.add(change.to_json().to_string().into());
            } else {
                for event in events {
                    load.add(event.bytes);
                }
            }
            if load.is_full() {
                sender.send(&mut load, &progress, &mut stored).await?;
            }
        }
        sender.send(&mut load, &progress, &mut stored).await?;
        drop(progress);
        // On stdout there are the events already.
        if global.json && self.to != Destination::Stdout {
            let Stored { duplicates, .. } = stored;
            return output::line(json!({
                "events": counts.values().sum::<u64>(), "changes": changes,
                "changes_without_event": silent, "duplicates": duplicates, "event_types": by_name(&counts),
            }));
        }
        summarise(&counts, changes, silent);
        if stored.duplicates > 0 {
            let Stored { duplicates, .. } = stored;
            output::talk(format_args!("{duplicates} of them the server had already"));
        }
        Ok(())
    }
}

/// The events that a change means, for the triggers and the campus are of one version.
fn events(triggers: &Triggers, change: &Change) -> Result<Vec<easel_catalog::Event>, Failure> {
    match triggers.events(change, Timestamp::UNIX_EPOCH) {
        Ok(outcome) => Ok(outcome.events),
        Err(fault) => {
            let told = anyhow!("the campus made a change with a fault: {fault}");
            Err(Failure::new(Code::Bug, told))
        }
    }
}

fn by_name(counts: &BTreeMap<Arc<str>, u64>) -> Value {
    let counts = counts.iter();
    let counts = counts.map(|(event_type, count)| ((**event_type).to_owned(), (*count).into()));
    Value::Object(counts.collect::<Map<_, _>>())
}

/// Says how many events of each type there were.
fn summarise(counts: &BTreeMap<Arc<str>, u64>, changes: u64, silent: u64) {
    let total: u64 = counts.values().sum();
    let mut by_count: Vec<_> = counts.iter().collect();
    by_count.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (event_type, count) in by_count {
        #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
        let share = *count as f64 * 100.0 / total as f64;
        output::talk(format_args!("{count:>9}  {share:>5.2} %  {event_type}"));
    }
    output::talk(format_args!(
        "{total:>9} events of {} types, from {changes} changes, {silent} of which meant none",
        counts.len()
    ));
}

impl EventBatch {
    fn add(&mut self, line: bytes::Bytes) {
        self.bytes += line.len();
        self.lines.push(line);
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= MAX_SENT || self.bytes >= MAX_SENT_BYTES
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

/// What the server says that it did with events.
#[derive(Clone, Copy, Default, Deserialize)]
struct Stored {
    duplicates: u64,
    #[serde(default)]
    rejected: u64,
}

impl Stored {
    fn add(&mut self, other: Self) -> Result<(), Failure> {
        self.duplicates += other.duplicates;
        match other.rejected {
            0 => Ok(()),
            count => {
                let told = anyhow!("the server refused events: {count}");
                Err(Failure::new(Code::BadInput, told))
            }
        }
    }
}

/// A door, and what it takes to get in.
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
    fn of(args: &SimulateArgs, global: &GlobalArgs) -> Result<Self, Failure> {
        let path = match args.to {
            Destination::Stdout => return Ok(Self::Stdout),
            Destination::Events => "/v1/events",
            Destination::Changes => "/v1/changes",
            Destination::Kinesis => {
                let keys = match (&args.access_key_id, &args.secret_access_key) {
                    (None, None) => None,
                    (Some(id), Some(secret)) => Some(KeyPair {
                        access_key_id: id.clone(),
                        secret_access_key: Secret::new(secret.clone()),
                    }),
                    (Some(_), None) | (None, Some(_)) => {
                        let told =
                            anyhow!("--access-key-id and --secret-access-key are given together");
                        return Err(Failure::new(Code::Usage, told));
                    }
                };
                return Ok(Self::Kinesis {
                    client: Client::connect(global)?,
                    stream: args.stream.clone(),
                    keys,
                });
            }
        };
        let client = Client::connect(global)?;
        Ok(Self::Lines { client, path })
    }

    /// Sends what is loaded, if anything is, and unloads it.
    async fn send(
        &self,
        load: &mut EventBatch,
        progress: &Progress,
        stored: &mut Stored,
    ) -> Result<(), Failure> {
        let load = std::mem::take(load);
        if load.lines.is_empty() {
            return Ok(());
        }
        match self {
            Self::Stdout => progress.pause(|| output::raw(&load.lines())),
            Self::Lines { client, path } => {
                let answer = client.post_lines(path, load.lines()).await?;
                stored.add(client::read(&answer)?)
            }
            Self::Kinesis {
                client,
                stream,
                keys,
            } => client.put_records(stream, &load.lines, keys.as_ref()).await,
        }
    }
}
