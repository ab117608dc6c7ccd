//! `easel emit`

use std::time::Duration;

use anyhow::anyhow;
use easel_catalog::{Catalog, Origin, event_time};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::GlobalArgs;
use crate::catalog;
use crate::client::{self, Client};
use crate::contact::Url;
use crate::exit_code::{Code, Failure};
use crate::output;
use crate::progress::Progress;

const EXAMPLES: &str = "\
An event is the catalogue's example of its type, as a request or a job would send it, with the
fields set that are given here. A value that reads as JSON is taken as JSON, anything else as text.
A dot leads into an object; metadata. leads into the metadata, every other field is in the body.
Several events differ in their time, by a millisecond each.

Examples:
  easel emit course_created --set name=Botany --set account_id='\"10000000000007\"'
  easel emit grade_change --set grade=A- --set metadata.user_id='\"42\"'
  easel emit sis_batch_updated --job
  easel emit logged_in --count 10000 --to https://easel.example.edu";

/// Events sent in one request at most.
const MAX_SENT: usize = 500;

/// Send valid events of any type
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EmitArgs {
    /// Event type, such as `course_created`
    event: String,
    /// Set a field of the body, or of the metadata with metadata.FIELD; can be repeated
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = Assignment::parse)]
    fields: Vec<Assignment>,
    /// With the metadata of an event from a request (default)
    #[arg(long, conflicts_with = "job")]
    request: bool,
    /// With the metadata of an event from a background job
    #[arg(long)]
    job: bool,
    /// Send so many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Server to send it to; the same as --url
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    to: Option<Url>,
}

/// What the native door answers.
#[derive(Deserialize)]
struct AnswerJson {
    results: Vec<ResultJson>,
}

#[derive(Deserialize)]
struct ResultJson {
    status: String,
    id: Option<String>,
    offset: Option<u64>,
    code: Option<String>,
    detail: Option<String>,
}

impl EmitArgs {
    pub(super) async fn run(self, mut global: GlobalArgs) -> Result<(), Failure> {
        let catalog = catalog::load(&global)?;
        if catalog.get(&self.event).is_none() {
            output::talk(catalog::unknown(&catalog, &self.event));
            output::talk("only what is set is sent");
        }
        let now = Timestamp::now();
        // A field that cannot be set is refused before anything is sent.
        self.made(&catalog, now)?;
        global.url = self.to.clone().or(global.url);
        let client = Client::connect(&global)?;
        let progress = Progress::of_events(u64::from(self.count));
        let mut numbers = (0..self.count).peekable();
        while numbers.peek().is_some() {
            let events = numbers.by_ref().take(MAX_SENT).map(|n| {
                let at = now + Duration::from_millis(u64::from(n));
                self.made(&catalog, at)
            });
            let mut events = events.collect::<Result<Vec<_>, _>>()?;
            let count = events.len();
            // One alone is told alone about, should it be refused.
            let sent = match (events.pop(), events.is_empty()) {
                (Some(one), true) => one,
                (last, _) => events.into_iter().chain(last).collect(),
            };
            let answer = client.post("/v1/events", Some(&sent)).await?;
            progress.pause(|| tell(&answer, global.json))?;
            progress.add(count);
        }
        Ok(())
    }

    /// The event that happens at `at`.
    fn made(&self, catalog: &Catalog, at: Timestamp) -> Result<Value, Failure> {
        let origin = if self.job {
            Origin::Job
        } else {
            Origin::Request
        };
        let example = catalog
            .get(&self.event)
            .map(|it| catalog.example(it, origin, at));
        let event = match example.map(|json| serde_json::from_str(&json)) {
            Some(Ok(example)) => example,
            Some(Err(error)) => return Err(Failure::new(Code::Bug, error)),
            None => json!({
                "metadata": { "event_name": self.event, "event_time": event_time(at) }, "body": {},
            }),
        };
        assign(event, &self.fields)
    }
}

/// Says what became of the events sent.
fn tell(answer: &[u8], as_json: bool) -> Result<(), Failure> {
    if as_json {
        output::bytes(answer)?;
    }
    let AnswerJson { results } = client::read(answer)?;
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

/// One field and what it is to be.
#[derive(Clone, Debug, PartialEq)]
struct Assignment {
    path: String,
    value: Value,
}

impl Assignment {
    fn parse(text: &str) -> Result<Self, String> {
        let Some((path, value)) = text.split_once('=') else {
            return Err("a field and its value are given as FIELD=VALUE".to_owned());
        };
        if path.split('.').any(str::is_empty) {
            return Err(format!("{path:?} names no field"));
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_not_json| Value::from(value));
        Ok(Self {
            path: path.to_owned(),
            value,
        })
    }
}

/// Sets the fields of an event.
fn assign(mut event: Value, fields: &[Assignment]) -> Result<Value, Failure> {
    for Assignment { path, value } in fields {
        let part = if path.starts_with("metadata.") {
            ""
        } else {
            "body."
        };
        let names = part.split_terminator('.').chain(path.split('.'));
        if set(&mut event, names, value.clone()).is_none() {
            let told = anyhow!("--set {path}: a part of this path is a value, not an object");
            return Err(Failure::new(Code::Usage, told));
        }
    }
    Ok(event)
}

/// Sets the field at `path`, making the objects on the way.
fn set<'a>(place: &mut Value, path: impl Iterator<Item = &'a str>, value: Value) -> Option<()> {
    let mut place = place;
    for name in path {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place = place.as_object_mut()?.entry(name).or_insert(Value::Null);
    }
    *place = value;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(fields: &[&str]) -> Result<Value, Failure> {
        let fields: Vec<_> = fields
            .iter()
            .map(|it| Assignment::parse(it).unwrap())
            .collect();
        assign(json!({ "metadata": {}, "body": {} }), &fields)
    }

    #[track_caller]
    fn check(fields: &[&str], wanted: &Value) {
        assert_eq!(&assigned(fields).unwrap(), wanted);
    }

    #[test]
    fn fields_are_of_the_body_unless_they_say_metadata() {
        check(
            &["name=Botany", "metadata.user_id=\"42\"", "metadata=1"],
            &json!({ "metadata": { "user_id": "42" }, "body": { "name": "Botany", "metadata": 1 } }),
        );
    }

    #[test]
    fn values_are_json_where_they_read_as_json() {
        check(
            &[
                "a=1",
                "b=true",
                "c=null",
                "d=[1]",
                "e=A-",
                "f=",
                "g=x=y",
                "h={\"i\":2}",
            ],
            &json!({ "metadata": {}, "body": {
                "a": 1, "b": true, "c": null, "d": [1], "e": "A-", "f": "", "g": "x=y",
                "h": { "i": 2 },
            } }),
        );
    }

    #[test]
    fn dots_lead_into_objects() {
        check(
            &["a.b.c=1", "a.b.d=2"],
            &json!({ "metadata": {}, "body": { "a": { "b": { "c": 1, "d": 2 } } } }),
        );
    }

    #[test]
    fn a_field_of_a_value_is_refused() {
        assert!(assigned(&["a=1", "a.b=2"]).is_err());
    }

    #[test]
    fn a_field_needs_a_name() {
        for text in ["name", "=1", ".a=1", "a..b=1", "a.=1"] {
            assert!(Assignment::parse(text).is_err(), "{text:?}");
        }
    }
}
