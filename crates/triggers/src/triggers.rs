//! From a change to the events that it means.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use easel_catalog::{Catalog, Column, Event, EventType, admit};
use jiff::Timestamp;
use thiserror::Error;

use crate::body::body;
use crate::change::{Change, Subject};
use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;
use crate::computed;
use crate::fault::{ChangeFault, ChangeFaults, Notes, Warning};
use crate::inputs::{Inputs, Known, RuleInputs};
use crate::json::ObjectWriter;
use crate::metadata::metadata;
use crate::nearest::did_you_mean;
use crate::options::TriggerOptions;
use crate::questions::Question;
use crate::row::Row;
use crate::rule::{Operation, TriggerRule};
use crate::rules;

/// Decides which events a change means, and makes them.
#[derive(Clone, Debug)]
pub struct Triggers {
    catalog: Arc<Catalog>,
    options: TriggerOptions,
    /// Found out when the first change comes.
    inputs: Arc<OnceLock<Inputs>>,
}

/// Why a catalogue cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TriggersError {
    /// A field is made by a rule that there is not.
    #[error("{event_type}: `{field}` names the rule @{rule}, which does not exist")]
    NoRule {
        /// The event type.
        event_type: String,
        /// The field.
        field: String,
        /// The rule.
        rule: String,
    },
}

/// What came of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeOutcome {
    /// The events that it means, in order.
    pub events: Vec<Event>,
    /// The events that it does not mean, and why.
    pub stops: Vec<Stop>,
    /// What is unusual about the change, at most a hundred.
    pub warnings: Vec<Warning>,
}

/// An event that a change does not mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Its type; none where such a change never means an event.
    pub event_type: Option<&'static str>,
    /// The gate that stopped it: a sentence without a full stop.
    pub gate: &'static str,
}

impl Triggers {
    /// For events as this catalogue has them.
    pub fn new(catalog: Arc<Catalog>, options: TriggerOptions) -> Result<Self, TriggersError> {
        if let Some(error) = unknown_rules(&catalog).into_iter().next() {
            return Err(error);
        }
        Ok(Self {
            catalog,
            options,
            inputs: Arc::default(),
        })
    }

    /// The events that a change means, sent `now` unless it says when.
    ///
    /// The row is the truth: what the catalogue does not expect is a warning of the outcome. A
    /// change is refused, with all of its faults, only if an event cannot be made of it, or if it
    /// does not say which.
    pub fn events(&self, change: &Change, now: Timestamp) -> Result<ChangeOutcome, ChangeFaults> {
        let (subject, operation) = match &change.subject {
            Subject::Record { kind, operation } => (kind, *operation),
            Subject::Action { name } => (name, Operation::Act),
        };
        check_subject(subject, operation)?;
        let mut notes = Notes::default();
        let inputs = self.inputs();
        if let Some(known) = inputs.known(subject) {
            check_names(change, known, inputs, &mut notes);
        }
        check_rows(change, &mut notes);
        let scene = ChangeContext::new(change, self.options);
        let mut outcome = ChangeOutcome::default();
        let mut has_fired = false;
        let mut is_known = false;
        for (rule, inputs) in inputs.rules(subject, operation) {
            is_known = true;
            if rule.otherwise && has_fired {
                continue;
            }
            let passage = pass(rule, inputs, scene, &mut notes);
            has_fired = passage == Passage::Open;
            match passage {
                Passage::Closed(gate) => outcome.stops.push(Stop {
                    event_type: Some(rule.event),
                    gate,
                }),
                Passage::Open => {
                    check_forms(&inputs.worked, change, &mut notes);
                    let event = self.event(rule.event, scene, now, &mut notes);
                    outcome.events.extend(event);
                }
                Passage::Unknown => (),
            }
        }
        if !is_known {
            outcome.stops.push(Stop {
                event_type: None,
                gate: match operation {
                    Operation::Insert => "an insertion of such a record means no event",
                    Operation::Update => "an update of such a record means no event",
                    Operation::Delete => "a deletion of such a record means no event",
                    Operation::Act => "such an action means no event",
                },
            });
        }
        notes.faults()?;
        outcome.warnings = notes.warnings;
        Ok(outcome)
    }

    pub(crate) fn inputs(&self) -> &Inputs {
        self.inputs.get_or_init(|| Inputs::new(&self.catalog))
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) const fn options(&self) -> TriggerOptions {
        self.options
    }

    fn event(
        &self,
        event_type: &'static str,
        scene: ChangeContext<'_>,
        now: Timestamp,
        notes: &mut Notes,
    ) -> Option<Event> {
        let Some(event_type) = self.catalog.get(event_type) else {
            notes.fault("", format!("the catalogue has no event type {event_type}"));
            return None;
        };
        let event_at = scene.change.occurred_at.unwrap_or(now);
        let mut json = ObjectWriter::with_capacity(2048);
        json.begin(None);
        json.begin(Some("metadata"));
        metadata(
            &self.catalog,
            event_type,
            (scene, event_at),
            &mut json,
            notes,
        );
        json.end();
        json.begin(Some("body"));
        body(event_type, scene, &mut json, notes);
        json.end();
        json.end();
        match admit(&json.into_bytes(), &self.options.limits) {
            Ok(event) => Some(event),
            Err(fault) => {
                notes.fault("", format!("{}: {fault}", event_type.name));
                None
            }
        }
    }
}

/// Refuses what no rule is about.
fn check_subject(subject: &str, operation: Operation) -> Result<(), ChangeFault> {
    let is_action = operation == Operation::Act;
    let subjects = || {
        let rules = rules::all().filter(|it| (it.operation == Operation::Act) == is_action);
        rules.map(|rule| rule.subject)
    };
    if subjects().any(|known| known == subject) {
        return Ok(());
    }
    let (place, kind) = if is_action {
        ("/action", "action")
    } else {
        ("/record", "record type")
    };
    let near = did_you_mean(subject, subjects());
    let what = format!("{subject:?} is an unknown {kind}{near}");
    Err(ChangeFault::new(place, what))
}

/// Warns of columns and related rows that no event is made of.
fn check_names(change: &Change, known: &Known, inputs: &Inputs, notes: &mut Notes) {
    // Where there are two rows, both have the same columns.
    if let Some(row) = change.row().filter(|_| !known.is_open) {
        let place = change.row_place();
        check_columns(
            row,
            &known.columns,
            |column| ChangePath::Member(place, column),
            notes,
        );
    }
    for (name, row) in &change.related {
        // A row that other events are made of is sent along for nothing, but it is known.
        let columns = known.related.get(name);
        match columns.or_else(|| inputs.columns_of_type(name)) {
            Some(columns) => {
                let place = |column| ChangePath::Related(name, column);
                check_columns(row, columns, place, notes);
            }
            None if !notes.have_room() => return,
            None => {
                let names = known.related.keys().map(String::as_str);
                let near = did_you_mean(name, names);
                let what = format!("no event is made of a related {name:?}{near}");
                notes.warn(ChangePath::Member("/related", name), what);
            }
        }
    }
}

fn check_columns<'a>(
    row: &'a Row,
    known: &HashSet<String>,
    place: impl Fn(&'a str) -> ChangePath<'a>,
    notes: &mut Notes,
) {
    for column in row
        .0
        .keys()
        .filter(|column| !known.contains(column.as_str()))
    {
        // To find what is like a name takes time, and a change can have many names.
        if !notes.have_room() {
            return;
        }
        let near = did_you_mean(column, known.iter().map(String::as_str));
        notes.warn(place(column), format!("this column is unknown{near}"));
    }
}

/// Refuses an update of which one row has a column that the other has not: it would be taken for a
/// change to or from nothing.
fn check_rows(change: &Change, notes: &mut Notes) {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return;
    };
    for (place, row, other) in [("/before", before, after), ("/after", after, before)] {
        for column in other.0.keys().filter(|column| row.get(column).is_none()) {
            let what = "this is missing; both rows must have the same columns, null where there is no value";
            notes.fault(ChangePath::Member(place, column), what);
        }
    }
}

/// Refuses values that a gate, or a worked-out value, cannot read.
fn check_forms(questions: &[Question], change: &Change, notes: &mut Notes) -> bool {
    let mut are_readable = true;
    for question in questions {
        if let Some(wanted) = question.unreadable(change) {
            notes.fault(question.place(change), format!("this must be {wanted}"));
            are_readable = false;
        }
    }
    are_readable
}

/// Whether a change passes the gates of a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passage {
    Open,
    /// What the first closed gate says.
    Closed(&'static str),
    /// A gate lacks what it needs, which is a fault.
    Unknown,
}

fn pass(
    rule: &TriggerRule,
    inputs: &RuleInputs,
    scene: ChangeContext<'_>,
    notes: &mut Notes,
) -> Passage {
    for (gate, questions) in rule.all_gates().zip(&inputs.gates) {
        if let Some(place) = gate.needs.and_then(|need| need.missing(scene)) {
            let what = format!(
                "this is missing; it decides whether there is {}",
                rule.event
            );
            notes.fault(place, what);
            return Passage::Unknown;
        }
        if !check_forms(questions, scene.change, notes) {
            return Passage::Unknown;
        }
        if !(gate.is_open)(scene) {
            return Passage::Closed(gate.closed);
        }
    }
    Passage::Open
}

/// Every field of the catalogue that is made by a rule that does not exist.
pub fn unknown_rules(catalog: &Catalog) -> Vec<TriggersError> {
    let mut errors = Vec::new();
    for event_type in catalog.types() {
        for field in &*event_type.body {
            check_rules(event_type, field.name, &field.from, &mut errors);
        }
        check_rules(
            event_type,
            "further",
            event_type.further.as_slice(),
            &mut errors,
        );
    }
    errors
}

fn check_rules(
    event_type: &EventType,
    field: &str,
    columns: &[Column],
    errors: &mut Vec<TriggersError>,
) {
    for column in columns {
        if let Column::ComputedBy(rule) = column
            && computed::rule(rule).is_none()
        {
            errors.push(TriggersError::NoRule {
                event_type: event_type.name.to_owned(),
                field: field.to_owned(),
                rule: (*rule).to_owned(),
            });
        }
    }
}
