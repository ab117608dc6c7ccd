//! `easel changes explain`

use std::fmt::Write;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Subcommand;
use easel_triggers::{Change, ChangeFault, Outcome, Subject, Triggers};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::args::GlobalArgs;
use crate::catalog;
use crate::exit_code::{Code, Failure};
use crate::input::{Batch, Input};
use crate::output;
use crate::settings::{Settings, SettingsFaults};

const EXPLAIN_HELP: &str = "\
A change is what POST /v1/changes takes: {\"record\", \"operation\", \"before\", \"after\", \"related\",
\"context\"}, or {\"action\", \"with\", \"related\", \"context\"}. Which change makes which events is in
docs/triggers.md. Needs no server, and stores nothing; settings triggers.* count.

Examples:
  easel changes explain change.json
  easel changes explain --events < changes.ndjson > events.ndjson
  easel changes explain --json change.json";

/// See which events changes of records mean
#[derive(Debug, clap::Args)]
pub(crate) struct ChangesArgs {
    #[command(subcommand)]
    command: ChangesCommand,
}

#[derive(Debug, Subcommand)]
enum ChangesCommand {
    /// Say of each change which events it means, and what stopped those that it does not
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
}

#[derive(Debug, clap::Args)]
struct ExplainArgs {
    #[command(flatten)]
    input: Input,
    /// Print the events themselves, a line each, and nothing else
    #[arg(long, conflicts_with = "json")]
    events: bool,
}

/// How what is found is printed.
#[derive(Clone, Copy)]
enum Style {
    Text,
    Json,
    Events,
}

/// What was found of some changes.
#[derive(Default)]
struct Explained {
    text: String,
    complaints: Vec<String>,
    changes: u64,
    events: u64,
}

impl ChangesArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let ChangesCommand::Explain(args) = self.command;
        let settings = Settings::load(global, &[])?;
        let catalog = Arc::new(catalog::load(global)?);
        let triggers = settings.config.triggers(&catalog);
        let triggers = triggers.map_err(|error| SettingsFaults(vec![settings.refused(&error)]))?;
        let style = match (args.events, global.json) {
            (true, _) => Style::Events,
            (false, true) => Style::Json,
            (false, false) => Style::Text,
        };
        let now = Timestamp::now();
        let (mut changes, mut events, mut faults) = (0, 0, 0);
        args.input.each_batch(
            |batch| explain(batch, &triggers, now, style),
            |explained| {
                output::text(&explained.text)?;
                explained.complaints.iter().for_each(output::talk);
                changes += explained.changes;
                events += explained.events;
                faults += explained.complaints.len();
                Ok(())
            },
        )?;
        output::talk(format_args!("changes: {changes}, events: {events}"));
        if faults == 0 {
            return Ok(());
        }
        Err(Failure::new(
            Code::BadInput,
            anyhow!("changes with a fault: {faults}"),
        ))
    }
}

fn explain(batch: &Batch, triggers: &Triggers, now: Timestamp, style: Style) -> Explained {
    let mut explained = Explained::default();
    for value in batch.elements() {
        explained.changes += 1;
        let (line, found) = match value {
            Ok(value) => (value.line, outcome(value.bytes, triggers, now)),
            Err((line, fault)) => (
                line,
                Err(ChangeFault {
                    at: String::new(),
                    what: fault.to_string(),
                }),
            ),
        };
        match found {
            Ok((outcome, change)) => {
                explained.events += outcome.events.len() as u64;
                match style {
                    Style::Text => {
                        append(&mut explained.text, format_args!("{}:{line}: ", batch.file));
                        told(&mut explained.text, &change, &outcome);
                    }
                    Style::Json => {
                        let json = json_of((&batch.file, line), &outcome);
                        append(&mut explained.text, format_args!("{json}\n"));
                    }
                    Style::Events => {
                        for event in &outcome.events {
                            let json = String::from_utf8_lossy(&event.bytes);
                            append(&mut explained.text, format_args!("{json}\n"));
                        }
                    }
                }
            }
            Err(ChangeFault { at, what }) => {
                if let Style::Json = style {
                    let fault = json!({ "file": &*batch.file, "line": line, "fault": { "at": at, "detail": what } });
                    append(&mut explained.text, format_args!("{fault}\n"));
                }
                let place = if at.is_empty() {
                    String::new()
                } else {
                    format!("{at}: ")
                };
                let file = &batch.file;
                let complaint = output::plain(&format!("{file}:{line}: {place}{what}"));
                explained.complaints.push(complaint);
            }
        }
    }
    explained
}

fn outcome(
    json: &[u8],
    triggers: &Triggers,
    now: Timestamp,
) -> Result<(Outcome, Change), ChangeFault> {
    let change = Change::read(json)?;
    Ok((triggers.events(&change, now)?, change))
}

/// What came of a change, in words.
fn told(text: &mut String, change: &Change, outcome: &Outcome) {
    match &change.subject {
        Subject::Record { kind, operation } => {
            let operation = operation.name();
            append(text, format_args!("{kind} {operation}\n"));
        }
        Subject::Action { name } => append(text, format_args!("{name}\n")),
    }
    for event in &outcome.events {
        append(text, format_args!("  {} {}\n", event.event_type, event.id));
    }
    for stop in &outcome.stops {
        match stop.event_type {
            Some(event_type) => {
                append(text, format_args!("  no {event_type}: {}\n", stop.gate));
            }
            None => append(text, format_args!("  no event: {}\n", stop.gate)),
        }
    }
}

fn json_of((file, line): (&str, usize), outcome: &Outcome) -> Value {
    let events = outcome.events.iter().map(|event| {
        let json: Value = serde_json::from_slice(&event.bytes).unwrap_or_default();
        json!({ "event_name": event.event_type, "id": event.id.to_string(), "event": json })
    });
    let stops = outcome.stops.iter().map(|stop| match stop.event_type {
        Some(event_type) => json!({ "event_name": event_type, "gate": stop.gate }),
        None => json!({ "gate": stop.gate }),
    });
    json!({
        "file": file,
        "line": line,
        "events": events.collect::<Vec<_>>(),
        "no_event": stops.collect::<Vec<_>>(),
    })
}

fn append(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    if text.write_fmt(what).is_err() {}
}
