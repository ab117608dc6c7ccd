//! `easel emit`

mod assignment;

use std::time::Duration;

use anyhow::anyhow;
use easel_catalog::{Catalog, EventOrigin, event_time};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::GlobalArgs;
use crate::catalog;
use crate::client::{self, Client};
use crate::contact::Url;
use crate::exit_code::{Code, Failure};
use crate::output;
use crate::progress::Progress;
use assignment::{FieldAssignment, assign};

const EXAMPLES: &str = "\
An event is the catalogue's example of its type, as a request or a job would send it, with the
fields set that are given here. A value that reads as JSON is taken as JSON, anything else as text.
A dot leads into an object; metadata. leads into the metadata, every other field is in the body.
Several events differ in their time, by a microsecond each, and none is in the future. An event type
or a field that the catalogue does not know is refused, unless --force is given.

Examples:
  easel emit course_created --set name=Botany --set account_id='\"10000000000007\"'
  easel emit grade_change --set grade=A- --set metadata.user_id='\"42\"'
  easel emit sis_batch_updated --job
  easel emit logged_in --count 10000 --to https://easel.example.edu
  easel emit page_liked --force --set page_id='\"140\"'";

/// Events sent in one request at most.
const MAX_SENT: usize = 500;

/// Send valid events of any type
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EmitArgs {
    /// Event type, such as `course_created`
    event: String,
    /// Set a field of the body, or of the metadata with metadata.FIELD; can be repeated
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = FieldAssignment::parse)]
    fields: Vec<FieldAssignment>,
    /// With the metadata of an event from a request (default)
    #[arg(long, conflicts_with = "job")]
    request: bool,
    /// With the metadata of an event from a background job
    #[arg(long)]
    job: bool,
    /// Send it even if the catalogue does not know its type or a field that is set
    #[arg(long)]
    force: bool,
    /// Send so many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Server to send it to; the same as --url
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    to: Option<Url>,
}

/// What the native door answers.
#[derive(Deserialize)]
struct EventsAnswerJson {
    results: Vec<EventResultJson>,
}

#[derive(Deserialize)]
struct EventResultJson {
    status: String,
    id: Option<String>,
    offset: Option<u64>,
    code: Option<String>,
    detail: Option<String>,
}

impl EmitArgs {
    pub(super) async fn run(self, mut global: GlobalArgs) -> Result<(), Failure> {
        let catalog = catalog::load(&global)?;
        let now = Timestamp::now();
        // What cannot be set is refused before anything is sent.
        self.check(&catalog, &self.made(&catalog, now)?)?;
        global.url = self.to.clone().or(global.url);
        let client = Client::connect(&global)?;
        let progress = Progress::of_events(u64::from(self.count));
        let mut numbers = (0..self.count).peekable();
        while numbers.peek().is_some() {
            let mut latest = now;
            let events = numbers.by_ref().take(MAX_SENT).map(|n| {
                latest = now + Duration::from_micros(u64::from(n));
                self.made(&catalog, latest)
            });
            let mut events = events.collect::<Result<Vec<_>, _>>()?;
            let count = events.len();
            // One alone is told alone about, should it be refused.
            let sent = match (events.pop(), events.is_empty()) {
                (Some(one), true) => one,
                (last, _) => events.into_iter().chain(last).collect(),
            };
            // Everything sent lies between the start and the end of this process, so that no other
            // run makes the same events.
            if let Ok(ahead) = Duration::try_from(latest.duration_since(Timestamp::now())) {
                tokio::time::sleep(ahead).await;
            }
            let answer = client.post("/v1/events", Some(&sent)).await?;
            progress.pause(|| tell(&answer, global.json))?;
            progress.add(count);
        }
        Ok(())
    }

    /// Refuses what the catalogue does not know, and warns of values that it does not expect.
    fn check(&self, catalog: &Catalog, event: &Value) -> Result<(), Failure> {
        let Some(event_type) = catalog.get(&self.event) else {
            let told = catalog::unknown(catalog, &self.event);
            if self.force {
                output::talk(format_args!("{told}; only what is set is sent"));
                return Ok(());
            }
            let told = anyhow!("{told} (--force sends it all the same)");
            return Err(Failure::new(Code::BadInput, told));
        };
        for remark in assignment::remarks(catalog, event_type, event, &self.fields) {
            if remark.is_unknown && !self.force {
                let told = anyhow!("{} (--force sends it all the same)", remark.text);
                return Err(Failure::new(Code::BadInput, told));
            }
            output::talk(format_args!("warning: {}", remark.text));
        }
        Ok(())
    }

    /// The event that happens at `at`.
    fn made(&self, catalog: &Catalog, at: Timestamp) -> Result<Value, Failure> {
        let origin = if self.job {
            EventOrigin::Job
        } else {
            EventOrigin::Request
        };
        let example = catalog
            .get(&self.event)
            .map(|it| catalog.example(it, origin, at));
        let mut event = match example.map(|json| serde_json::from_str(&json)) {
            Some(Ok(example)) => example,
            Some(Err(error)) => return Err(Failure::new(Code::Bug, error)),
            None => json!({
                "metadata": { "event_name": self.event, "event_time": event_time(at) }, "body": {},
            }),
        };
        if self.count > 1 {
            let time = at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
            event = assign(event, &[FieldAssignment::event_time(time)])?;
        }
        assign(event, &self.fields)
    }
}

/// Says what became of the events sent.
fn tell(answer: &[u8], as_json: bool) -> Result<(), Failure> {
    if as_json {
        output::bytes(answer)?;
    }
    let EventsAnswerJson { results } = client::read(answer)?;
    for result in results {
        match (result.id, result.offset) {
            (Some(id), Some(offset)) if !as_json => {
                output::line(format_args!("{} {id} at offset {offset}", result.status))?;
            }
            (Some(_), Some(_)) => (),
            _ => {
                let code = result.code.unwrap_or(result.status);
                let told = anyhow!("{} ({code})", result.detail.unwrap_or_default());
                return Err(Failure::new(Code::BadInput, told));
            }
        }
    }
    Ok(())
}
