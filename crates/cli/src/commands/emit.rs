//! `easel emit`

mod assignment;

use std::time::Duration;

use anyhow::anyhow;
use easel_catalog::{Catalog, EventOrigin, event_time};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::catalog;
use crate::client::{self, Client};
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;
use crate::progress::Progress;
use crate::url::Url;
use assignment::{FieldAssignment, assign};

const AFTER_HELP: &str = "\
The command sends the catalogue's example of the event type. --set changes
fields of the example. A value that is valid JSON is parsed as JSON, any other
value is a string. A dot separates the names of nested objects. metadata.FIELD
is a field of the metadata; every other field is in the body. With --count, the
times of the events are one microsecond apart, and the last one is now. Unknown
event types and fields are rejected, unless --force is given.

Examples:
  easel emit course_created --set name=Botany --set account_id='\"10000000007\"'
  easel emit grade_change --set grade=A- --set metadata.user_id='\"42\"'
  easel emit sis_batch_updated --job
  easel emit logged_in --count 10000 --to https://easel.example.edu
  easel emit page_liked --force --set page_id='\"140\"'";

/// The maximum number of events in one request.
const MAX_REQUEST_EVENTS: usize = 500;

/// Send sample events of any type
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct EmitArgs {
    /// Event type, such as `course_created`
    event: String,
    /// Set a field of the body, or with metadata.FIELD a field of the metadata; can be repeated
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = FieldAssignment::parse)]
    fields: Vec<FieldAssignment>,
    /// Use the metadata of an event from a web request (default)
    #[arg(long, conflicts_with = "job")]
    request: bool,
    /// Use the metadata of an event from a background job
    #[arg(long)]
    job: bool,
    /// Send the event even if the catalogue does not know its type or a field
    #[arg(long)]
    force: bool,
    /// Number of events to send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Address of the server; the same as --url
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    to: Option<Url>,
}

/// The answer of the native door.
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
        // Reject invalid fields before anything is sent.
        self.check(&catalog, &self.event_at(&catalog, now)?)?;
        global.url = self.to.clone().or(global.url);
        let client = Client::from_args(&global)?;
        let progress = Progress::of_events(u64::from(self.count));
        let mut numbers = (0..self.count).peekable();
        while numbers.peek().is_some() {
            let mut latest = now;
            let events = numbers.by_ref().take(MAX_REQUEST_EVENTS).map(|n| {
                latest = now + Duration::from_micros(u64::from(n));
                self.event_at(&catalog, latest)
            });
            let mut events = events.collect::<Result<Vec<_>, _>>()?;
            let count = events.len();
            // A single event is not sent as an array, so that a rejection names this event.
            let body = match (events.pop(), events.is_empty()) {
                (Some(event), true) => event,
                (last, _) => events.into_iter().chain(last).collect(),
            };
            // All event times are between the start and the end of this process, so that no other run
            // sends the same events.
            if let Ok(ahead) = Duration::try_from(latest.duration_since(Timestamp::now())) {
                tokio::time::sleep(ahead).await;
            }
            let answer = client.post("/v1/events", Some(&body)).await?;
            progress.hide_while(|| print_results(&answer, global.json))?;
            progress.add(count);
        }
        Ok(())
    }

    /// Rejects event types and fields that the catalogue does not know. Warns about unexpected values.
    fn check(&self, catalog: &Catalog, event: &Value) -> Result<(), Failure> {
        let Some(event_type) = catalog.get(&self.event) else {
            let message = catalog::unknown_type_message(catalog, &self.event);
            if self.force {
                output::notice(format_args!("{message}; sending only the fields of --set"));
                return Ok(());
            }
            let error = anyhow!("{message} (--force sends it anyway)");
            return Err(Failure::new(Code::BadInput, error));
        };
        for finding in assignment::findings(catalog, event_type, event, &self.fields) {
            if finding.is_unknown && !self.force {
                let error = anyhow!("{} (--force sends it anyway)", finding.text);
                return Err(Failure::new(Code::BadInput, error));
            }
            output::notice(format_args!("warning: {}", finding.text));
        }
        Ok(())
    }

    /// Creates the event that occurs at `at`.
    fn event_at(&self, catalog: &Catalog, at: Timestamp) -> Result<Value, Failure> {
        let origin = if self.job {
            EventOrigin::Job
        } else {
            EventOrigin::Request
        };
        let example = catalog
            .get(&self.event)
            .map(|event_type| catalog.example(event_type, origin, at));
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

/// Prints the result of each sent event.
fn print_results(answer: &[u8], as_json: bool) -> Result<(), Failure> {
    if as_json {
        output::with_line_break(answer)?;
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
                let error = anyhow!("{} ({code})", result.detail.unwrap_or_default());
                return Err(Failure::new(Code::BadInput, error));
            }
        }
    }
    Ok(())
}
