//! `easel changes`: explains changes, lists the known records and prints templates.

mod shapes;

use std::fmt::Write;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Subcommand;
use easel_catalog::parse_timestamp;
use easel_triggers::{Change, ChangeFault, ChangeFaults, ChangeOutcome, Series, Subject, Triggers};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::catalog;
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::input::{Input, InputBatch};
use crate::output;
use crate::settings::{Settings, SettingsFaults};
use shapes::{RowTypesArgs, TemplateArgs};

const EXPLAIN_HELP: &str = "\
The command reads changes in the format of POST /v1/changes: {\"record\",
\"operation\", \"before\", \"after\", \"related\", \"context\"} or {\"action\", \"with\",
\"related\", \"context\"}. docs/triggers.md describes which change produces which
events. The command needs no server and stores nothing. The settings triggers.*
apply. All input is treated as one request: if two changes are identical, the
event of the second change gets a time 1 ms later, so that its id differs.

Examples:
  easel changes explain change.json
  easel changes explain --events < changes.ndjson > events.ndjson
  easel changes explain --json change.json";

/// Show which events follow from changes of rows
#[derive(Debug, clap::Args)]
pub(crate) struct ChangesArgs {
    #[command(subcommand)]
    command: ChangesCommand,
}

#[derive(Debug, Subcommand)]
enum ChangesCommand {
    /// Print the events of each change, or the condition that prevents an event
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Print a sample change to fill in
    #[command(after_help = shapes::TEMPLATE_HELP)]
    Template(TemplateArgs),
    /// List the row types with their operations, columns and related rows, and the actions (things
    /// that change no row, such as `logged_in`)
    #[command(after_help = shapes::ROW_TYPES_HELP)]
    Records(RowTypesArgs),
}

#[derive(Debug, clap::Args)]
struct ExplainArgs {
    #[command(flatten)]
    input: Input,
    /// Print only the events, one on each line
    #[arg(long, conflicts_with = "json")]
    events: bool,
    /// Time of changes without `occurred_at`; event ids depend on it [default: now]
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    at: Option<Timestamp>,
}

fn read_time(text: &str) -> Result<Timestamp, String> {
    parse_timestamp(text).ok_or_else(|| "must be a time such as 2026-02-11T08:15:42Z".to_owned())
}

/// The output format.
#[derive(Clone, Copy)]
enum ChangeStyle {
    Text,
    Json,
    Events,
}

/// The changes of a batch with their lines. They are parsed on all cores and explained in order.
struct ParsedChanges {
    file: Arc<str>,
    changes: Vec<(usize, Result<Change, ChangeFaults>)>,
}

/// The output for a batch of changes.
#[derive(Default)]
struct Explained {
    text: String,
    complaints: Vec<String>,
}

/// The totals.
#[derive(Default)]
struct ChangeCounts {
    changes: u64,
    events: usize,
    faulty: u64,
    warnings: usize,
}

impl ChangesArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let settings = Settings::load(global, &[])?;
        let catalog = Arc::new(catalog::load(global)?);
        let triggers = settings.config.triggers(&catalog);
        let triggers = triggers.map_err(|error| SettingsFaults(vec![settings.locate(&error)]))?;
        match self.command {
            ChangesCommand::Explain(args) => args.run(&triggers, global.json),
            ChangesCommand::Template(args) => args.run(&triggers),
            ChangesCommand::Records(args) => args.run(&triggers, global.json),
        }
    }
}

impl ExplainArgs {
    fn run(self, triggers: &Triggers, is_json: bool) -> Result<(), Failure> {
        let style = match (self.events, is_json) {
            (true, _) => ChangeStyle::Events,
            (false, true) => ChangeStyle::Json,
            (false, false) => ChangeStyle::Text,
        };
        let mut series = Series::new(triggers, self.at.unwrap_or_else(Timestamp::now));
        let mut counts = ChangeCounts::default();
        self.input.each_batch(parse, |parsed| {
            let mut explained = Explained::default();
            for (line, change) in parsed.changes {
                let place = (&*parsed.file, line);
                let result = change.and_then(|change| Ok((series.events(&change)?, change)));
                counts.changes += 1;
                match result {
                    Ok((outcome, change)) => {
                        counts.events += outcome.events.len();
                        counts.warnings += outcome.warnings.len();
                        explained.add_outcome(place, &change, &outcome, style);
                    }
                    Err(faults) => {
                        counts.faulty += 1;
                        explained.add_faults(place, &faults, style);
                    }
                }
            }
            output::text(&explained.text)?;
            explained.complaints.iter().for_each(output::notice);
            Ok(())
        })?;
        let ChangeCounts {
            changes,
            events,
            faulty,
            warnings,
        } = counts;
        let warnings = match warnings {
            0 => String::new(),
            _ => format!(", warnings: {warnings}"),
        };
        output::notice(format_args!(
            "changes: {changes}, events: {events}{warnings}"
        ));
        if faulty == 0 {
            return Ok(());
        }
        Err(Failure::new(
            Code::BadInput,
            anyhow!("invalid changes: {faulty}"),
        ))
    }
}

fn parse(batch: &InputBatch) -> ParsedChanges {
    let changes = batch.elements().map(|value| match value {
        Ok(value) => (value.line, Change::read(value.bytes)),
        Err((line, fault)) => {
            let fault = ChangeFault {
                at: String::new(),
                what: fault.to_string(),
            };
            (line, Err(fault.into()))
        }
    });
    ParsedChanges {
        file: Arc::clone(&batch.file),
        changes: changes.collect(),
    }
}

impl Explained {
    fn add_outcome(
        &mut self,
        (file, line): (&str, usize),
        change: &Change,
        outcome: &ChangeOutcome,
        style: ChangeStyle,
    ) {
        match style {
            ChangeStyle::Text => {
                append(&mut self.text, format_args!("{file}:{line}: "));
                append_outcome(&mut self.text, change, outcome);
            }
            ChangeStyle::Json => {
                let json = json_of((file, line), outcome);
                append(&mut self.text, format_args!("{json}\n"));
            }
            ChangeStyle::Events => {
                for event in &outcome.events {
                    let json = String::from_utf8_lossy(&event.bytes);
                    append(&mut self.text, format_args!("{json}\n"));
                }
            }
        }
        if let ChangeStyle::Text | ChangeStyle::Events = style {
            for warning in &outcome.warnings {
                let what = format!("warning: {}", warning.what);
                self.add_complaint((file, line), &warning.at, &what);
            }
        }
    }

    fn add_faults(
        &mut self,
        (file, line): (&str, usize),
        faults: &ChangeFaults,
        style: ChangeStyle,
    ) {
        let faults = faults.as_slice();
        if let ChangeStyle::Json = style {
            let faults = faults
                .iter()
                .map(|fault| json!({ "at": fault.at, "detail": fault.what }));
            let json = json!({ "file": file, "line": line, "faults": faults.collect::<Vec<_>>() });
            append(&mut self.text, format_args!("{json}\n"));
        }
        for fault in faults {
            self.add_complaint((file, line), &fault.at, &fault.what);
        }
    }

    fn add_complaint(&mut self, (file, line): (&str, usize), at: &str, what: &str) {
        let prefix = if at.is_empty() {
            String::new()
        } else {
            format!("{at}: ")
        };
        let complaint = output::printable(&format!("{file}:{line}: {prefix}{what}"));
        self.complaints.push(complaint);
    }
}

/// Appends the outcome of a change as text.
fn append_outcome(text: &mut String, change: &Change, outcome: &ChangeOutcome) {
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
    for stop in &outcome.stopped {
        match stop.event_type {
            Some(event_type) => {
                append(text, format_args!("  no {event_type}: {}\n", stop.reason));
            }
            None => append(text, format_args!("  no event: {}\n", stop.reason)),
        }
    }
}

fn json_of((file, line): (&str, usize), outcome: &ChangeOutcome) -> Value {
    let events = outcome.events.iter().map(|event| {
        let json: Value = serde_json::from_slice(&event.bytes).unwrap_or_default();
        json!({ "event_name": event.event_type, "id": event.id.to_string(), "event": json })
    });
    let stops = outcome.stopped.iter().map(|stop| match stop.event_type {
        Some(event_type) => json!({ "event_name": event_type, "gate": stop.reason }),
        None => json!({ "gate": stop.reason }),
    });
    let warnings = outcome.warnings.iter();
    let warnings = warnings.map(|warning| json!({ "at": warning.at, "detail": warning.what }));
    json!({
        "file": file,
        "line": line,
        "events": events.collect::<Vec<_>>(),
        "no_event": stops.collect::<Vec<_>>(),
        "warnings": warnings.collect::<Vec<_>>(),
    })
}

fn append(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    if text.write_fmt(what).is_err() {}
}
