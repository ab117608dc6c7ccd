//! `easel emit`

use anyhow::anyhow;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::GlobalArgs;
use crate::client::{self, Client};
use crate::contact::Url;
use crate::exit_code::{Code, Failure};
use crate::output;

const EXAMPLES: &str = "\
A value that reads as JSON is taken as JSON, anything else as text. A dot leads into an object;
metadata. leads into the metadata, every other field is in the body.

Examples:
  easel emit course_created --set name=Botany --set account_id='\"10000000000007\"'
  easel emit grade_change --set grade=A- --set metadata.user_id='\"42\"'
  easel emit quiz_submitted --set submission.score=7.5 --to https://easel.example.edu";

/// Send an event, made up of fields given here
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EmitArgs {
    /// Event type, such as `course_created`
    event: String,
    /// Set a field of the body, or of the metadata with metadata.FIELD; can be repeated
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = Assignment::parse)]
    fields: Vec<Assignment>,
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
        let event = event(&self.event, &self.fields, Timestamp::now())?;
        global.url = self.to.or(global.url);
        let client = Client::connect(&global)?;
        let answer = client.post("/v1/events", Some(&event)).await?;
        if global.json {
            output::bytes(&answer)?;
        }
        let AnswerJson { results } = client::read(&answer)?;
        for result in results {
            match (result.id, result.offset) {
                (Some(id), Some(offset)) if !global.json => {
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

fn event(name: &str, fields: &[Assignment], now: Timestamp) -> Result<Value, Failure> {
    let time = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let mut event = json!({ "metadata": { "event_name": name, "event_time": time }, "body": {} });
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

    #[track_caller]
    fn check(fields: &[&str], wanted: &Value) {
        let fields: Vec<_> = fields
            .iter()
            .map(|it| Assignment::parse(it).unwrap())
            .collect();
        let mut event = event("x", &fields, Timestamp::UNIX_EPOCH).unwrap();
        let metadata = event["metadata"].as_object_mut().unwrap();
        assert_eq!(metadata.remove("event_name"), Some(json!("x")));
        assert_eq!(
            metadata.remove("event_time"),
            Some(json!("1970-01-01T00:00:00.000Z"))
        );
        assert_eq!(&event, wanted);
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
        let fields = ["a=1", "a.b=2"].map(|it| Assignment::parse(it).unwrap());
        assert!(event("x", &fields, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_field_needs_a_name() {
        for text in ["name", "=1", ".a=1", "a..b=1", "a.=1"] {
            assert!(Assignment::parse(text).is_err(), "{text:?}");
        }
    }
}
