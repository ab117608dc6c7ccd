//! `easel check`

mod caliper;

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::anyhow;
use easel_catalog::{Catalog, Fault, Limits, admit_stored};
use serde_json::json;

use crate::catalog;
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::input::{Input, InputBatch, InputValue};
use crate::output;

const AFTER_HELP: &str = "\
The command validates each field of every event against its declaration in the
catalogue. A finding is a field that differs from it. An invalid event is one
that a server would reject. The command prints each of them with file, line and
JSON pointer, and at the end a summary by event type. The exit code is 65 if
there is any finding or any invalid event.

Examples:
  easel check events.ndjson
  easel check --summary archive/*.gz
  easel translate --to caliper events.ndjson | easel check --caliper
  easel check --json dump.json | jq 'select(.rule == \"unknown_field\") | .path'";

/// Validate events against the catalogue
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    input: Input,
    /// Print only the summary
    #[arg(long)]
    summary: bool,
    /// Validate Caliper envelopes instead of events, against the rules of Caliper 1.1
    #[arg(long)]
    caliper: bool,
}

/// The counts of one event type.
#[derive(Clone, Copy, Debug, Default)]
struct FindingCounts {
    events: u64,
    /// Events with findings.
    flawed: u64,
    findings: u64,
}

/// The findings of a batch of events.
#[derive(Debug, Default)]
struct CheckedEvents {
    /// The findings, formatted for output.
    lines: String,
    counts_by_type: BTreeMap<String, FindingCounts>,
    /// The number of values that are not valid events.
    faults: u64,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug)]
enum FindingStyle {
    Lines,
    Json,
    Nothing,
}

/// Validates events and formats the findings.
struct EventChecker<'a> {
    catalog: &'a Catalog,
    style: FindingStyle,
}

impl CheckArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let style = match (self.summary, global.json) {
            (true, _) => FindingStyle::Nothing,
            (false, true) => FindingStyle::Json,
            (false, false) => FindingStyle::Lines,
        };
        if self.caliper {
            return caliper::run(&self.input, style, global.json);
        }
        let catalog = catalog::load(global)?;
        let checker = EventChecker {
            catalog: &catalog,
            style,
        };
        let mut all = CheckedEvents::default();
        self.input.each_batch(
            |batch| checker.check(batch),
            |checked| {
                output::text(&checked.lines)?;
                all.add(checked);
                Ok(())
            },
        )?;
        if global.json {
            output::line(all.summary())?;
        } else {
            all.print_summary()?;
        }
        all.verdict()
    }
}

impl EventChecker<'_> {
    fn check(&self, batch: &InputBatch) -> CheckedEvents {
        let mut checked = CheckedEvents::default();
        for value in batch.elements() {
            match value {
                Ok(value) => self.check_event(&batch.file, value, &mut checked),
                Err((line, fault)) => self.add_fault(&batch.file, line, &fault, &mut checked),
            }
        }
        checked
    }

    fn check_event(&self, file: &str, value: InputValue<'_>, checked: &mut CheckedEvents) {
        let event = match admit_stored(value.bytes, &Limits::default()) {
            Ok(event) => event,
            Err(fault) => return self.add_fault(file, value.line, &fault, checked),
        };
        let mut findings = 0;
        let (mut counted_to, mut line) = (0, value.line);
        let lines = &mut checked.lines;
        self.catalog
            .check(&event.event_type, value.bytes, |finding| {
                findings += 1;
                if let Some(passed) = value.bytes.get(counted_to..finding.at) {
                    line += memchr::memchr_iter(b'\n', passed).count();
                    counted_to = finding.at;
                }
                let (event_type, rule) = (&*event.event_type, finding.rule.code());
                match self.style {
                    FindingStyle::Nothing => (),
                    FindingStyle::Lines => {
                        let path = finding.pointer();
                        let event_and_path = [event_type, &path].join(" ");
                        // Escape the names, because they come from outside and must not control a terminal.
                        let event_and_path = event_and_path.trim_end().escape_debug();
                        push_line(
                            lines,
                            format_args!("{file}:{line}: {event_and_path} {rule}: {finding}"),
                        );
                    }
                    FindingStyle::Json => push_line(
                        lines,
                        json!({
                            "file": file, "line": line, "event": event_type, "rule": rule,
                            "path": finding.pointer(), "found": finding.found.code(),
                            "detail": finding.to_string(),
                        }),
                    ),
                }
            });
        let counts = match checked.counts_by_type.get_mut(&*event.event_type) {
            Some(counts) => counts,
            None => checked
                .counts_by_type
                .entry(event.event_type.as_ref().to_owned())
                .or_default(),
        };
        counts.add(FindingCounts {
            events: 1,
            flawed: u64::from(findings > 0),
            findings,
        });
    }

    fn add_fault(&self, file: &str, line: usize, fault: &Fault, checked: &mut CheckedEvents) {
        checked.faults += 1;
        let line = line + fault.at.line - 1;
        match self.style {
            FindingStyle::Nothing => (),
            FindingStyle::Lines => {
                let (path, what) = (fault.at.path.escape_debug(), fault.message());
                let spaced_path = if fault.at.path.is_empty() {
                    String::new()
                } else {
                    format!(" {path}")
                };
                push_line(
                    &mut checked.lines,
                    format_args!("{file}:{line}: invalid event:{spaced_path} {what}"),
                );
            }
            FindingStyle::Json => push_line(
                &mut checked.lines,
                json!({
                    "file": file, "line": line, "event": null, "rule": fault.code.as_str(),
                    "path": fault.at.path, "detail": fault.message(),
                }),
            ),
        }
    }
}

impl FindingCounts {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.flawed += other.flawed;
        self.findings += other.findings;
    }
}

impl CheckedEvents {
    fn add(&mut self, other: Self) {
        self.faults += other.faults;
        for (event_type, counts) in other.counts_by_type {
            self.counts_by_type
                .entry(event_type)
                .or_default()
                .add(counts);
        }
    }

    fn total(&self) -> FindingCounts {
        let mut total = FindingCounts::default();
        self.counts_by_type
            .values()
            .for_each(|counts| total.add(*counts));
        total
    }

    fn summary(&self) -> serde_json::Value {
        let counts_json = |counts: &FindingCounts| {
            json!({
                "events": counts.events, "flawed": counts.flawed, "findings": counts.findings,
            })
        };
        let types = self.counts_by_type.iter();
        let types = types.map(|(name, counts)| (name.clone(), counts_json(counts)));
        let types: serde_json::Map<_, _> = types.collect();
        json!({ "summary": {
            "event_types": types, "total": counts_json(&self.total()), "no_events": self.faults,
        } })
    }

    fn print_summary(&self) -> Result<(), Failure> {
        let row = |name: String, counts: &FindingCounts| {
            [
                name,
                counts.events.to_string(),
                counts.flawed.to_string(),
                counts.findings.to_string(),
            ]
        };
        let types = self
            .counts_by_type
            .iter()
            .map(|(name, counts)| row(name.escape_debug().to_string(), counts));
        let rows: Vec<_> = types
            .chain([row("total".to_owned(), &self.total())])
            .collect();
        output::table(["EVENT TYPE", "EVENTS", "WITH FINDINGS", "FINDINGS"], &rows)
    }

    fn verdict(&self) -> Result<(), Failure> {
        let FindingCounts { flawed, .. } = self.total();
        let error = match (flawed, self.faults) {
            (0, 0) => return Ok(()),
            (_, 0) => anyhow!("events with findings: {flawed}"),
            (0, _) => anyhow!("invalid events: {}", self.faults),
            _ => anyhow!(
                "events with findings: {flawed}, invalid events: {}",
                self.faults
            ),
        };
        Err(Failure::new(Code::BadInput, error))
    }
}

/// Appends a line.
fn push_line(lines: &mut String, line: impl std::fmt::Display) {
    // Writing to a string does not fail.
    if writeln!(lines, "{line}").is_err() {}
}
