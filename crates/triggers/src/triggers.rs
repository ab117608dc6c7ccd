//! Turns a change into events.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use easel_catalog::{Catalog, Column, Event, EventType, JsonWriter, admit};
use jiff::Timestamp;
use thiserror::Error;

use crate::body::body;
use crate::change::{Change, Subject};
use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;
use crate::column_reads::ColumnRead;
use crate::computed;
use crate::fault::{ChangeFault, ChangeFaults, Notes, Warning};
use crate::inputs::{Inputs, KnownNames, RuleInputs};
use crate::metadata::metadata;
use crate::nearest::did_you_mean;
use crate::operation::Operation;
use crate::options::TriggerOptions;
use crate::row::Row;
use crate::rule::TriggerRule;
use crate::rules;

/// Decides which events follow from a change, and makes them.
#[derive(Clone, Debug)]
pub struct Triggers {
    catalog: Arc<Catalog>,
    options: TriggerOptions,
    /// Computed when they are needed for the first time.
    inputs: Arc<OnceLock<Inputs>>,
}

/// An error in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TriggersError {
    /// A field names a computation that does not exist.
    #[error("{event_type}: `{field}` names the computation @{computation}, which does not exist")]
    UnknownComputation {
        /// The event type.
        event_type: String,
        /// The field.
        field: String,
        /// The name of the computation.
        computation: String,
    },
}

/// The result of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeOutcome {
    /// The events of the change, in order.
    pub events: Vec<Event>,
    /// The events that a closed gate stopped.
    pub stopped: Vec<StoppedEvent>,
    /// The warnings, at most 100.
    pub warnings: Vec<Warning>,
}

/// An event that a change did not make, because a gate was closed, or the fact that it has no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoppedEvent {
    /// The event type. `None` if no rule is for this subject and operation.
    pub event_type: Option<&'static str>,
    /// The text of the closed gate: a sentence without a full stop.
    pub reason: &'static str,
}

impl Triggers {
    /// Creates triggers for the event types of `catalog`. Rejects a catalogue that names an unknown
    /// computation.
    pub fn new(catalog: Arc<Catalog>, options: TriggerOptions) -> Result<Self, TriggersError> {
        if let Some(error) = unknown_computations(&catalog).into_iter().next() {
            return Err(error);
        }
        Ok(Self {
            catalog,
            options,
            inputs: Arc::default(),
        })
    }

    /// Returns the events of a change. Their time is `occurred_at` of the change, or else `now`.
    ///
    /// A value that the catalogue does not expect only causes a warning. A change is rejected, with all its
    /// faults, if an event cannot be made, or if it is unknown whether a gate is open.
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
        let ctx = ChangeContext::new(change, self.options);
        let mut outcome = ChangeOutcome::default();
        let mut has_fired = false;
        let mut has_rule = false;
        for (rule, inputs) in inputs.rules(subject, operation) {
            has_rule = true;
            if rule.otherwise && has_fired {
                continue;
            }
            let result = check_gates(rule, inputs, ctx, &mut notes);
            has_fired = result == GateResult::Open;
            match result {
                GateResult::Closed(reason) => outcome.stopped.push(StoppedEvent {
                    event_type: Some(rule.event_type),
                    reason,
                }),
                GateResult::Open => {
                    check_types(&inputs.computed, change, &mut notes);
                    let event = self.event(rule.event_type, ctx, now, &mut notes);
                    outcome.events.extend(event);
                }
                GateResult::Unknown => (),
            }
        }
        if !has_rule {
            outcome.stopped.push(StoppedEvent {
                event_type: None,
                reason: match operation {
                    Operation::Insert => "inserting this record makes no event",
                    Operation::Update => "updating this record makes no event",
                    Operation::Delete => "deleting this record makes no event",
                    Operation::Act => "this action makes no event",
                },
            });
        }
        notes.check()?;
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
        ctx: ChangeContext<'_>,
        now: Timestamp,
        notes: &mut Notes,
    ) -> Option<Event> {
        let Some(event_type) = self.catalog.get(event_type) else {
            notes.fault("", format!("the catalogue has no event type {event_type}"));
            return None;
        };
        let event_at = ctx.change.occurred_at.unwrap_or(now);
        let mut json = JsonWriter::with_capacity(2048);
        json.begin(None);
        json.begin(Some("metadata"));
        metadata(&self.catalog, event_type, (ctx, event_at), &mut json, notes);
        json.end();
        json.begin(Some("body"));
        body(event_type, ctx, &mut json, notes);
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

/// Rejects a subject that no rule has.
fn check_subject(subject: &str, operation: Operation) -> Result<(), ChangeFault> {
    let is_action = operation == Operation::Act;
    let subjects = || {
        let rules = rules::all().filter(|rule| (rule.operation == Operation::Act) == is_action);
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

/// Warns of columns and related rows that no gate or event uses.
fn check_names(change: &Change, known: &KnownNames, inputs: &Inputs, notes: &mut Notes) {
    // If there are two rows, `check_rows` verifies that both have the same columns.
    if let Some(row) = change.row().filter(|_| !known.accepts_any_column) {
        let place = change.row_pointer();
        check_columns(
            row,
            &known.columns,
            |column| ChangePath::Member(place, column),
            notes,
        );
    }
    for (name, row) in &change.related {
        // If only other subjects use a row of this name, check its columns too.
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
                let what = format!("no event uses a related {name:?}{near}");
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
        // The search for a similar name takes time, and a change can have many names.
        if !notes.have_room() {
            return;
        }
        let near = did_you_mean(column, known.iter().map(String::as_str));
        notes.warn(place(column), format!("this column is unknown{near}"));
    }
}

/// Notes a fault for each column that only one row of an update has.
///
/// Both rows of an update must have the same columns. A missing column would look like a change to null or
/// from null.
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

/// Notes a fault for each value that a gate or a computed value cannot read. Returns false if there is one.
fn check_types(reads: &[ColumnRead], change: &Change, notes: &mut Notes) -> bool {
    let mut are_readable = true;
    for read in reads {
        if let Some(wanted) = read.type_mismatch(change) {
            notes.fault(read.pointer(change), format!("this must be {wanted}"));
            are_readable = false;
        }
    }
    are_readable
}

/// The result of the gates of a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GateResult {
    /// All gates are open.
    Open,
    /// The text of the first closed gate.
    Closed(&'static str),
    /// An input of a gate is missing or invalid. This is a fault.
    Unknown,
}

fn check_gates(
    rule: &TriggerRule,
    inputs: &RuleInputs,
    ctx: ChangeContext<'_>,
    notes: &mut Notes,
) -> GateResult {
    for (gate, reads) in rule.all_gates().zip(&inputs.gates) {
        if let Some(place) = gate.needs.and_then(|need| need.missing(ctx)) {
            let what = format!("this is missing; the rule for {} needs it", rule.event_type);
            notes.fault(place, what);
            return GateResult::Unknown;
        }
        if !check_types(reads, ctx.change, notes) {
            return GateResult::Unknown;
        }
        if !(gate.is_open)(ctx) {
            return GateResult::Closed(gate.closed_text);
        }
    }
    GateResult::Open
}

/// Returns an error for each field of the catalogue that names an unknown computation.
pub fn unknown_computations(catalog: &Catalog) -> Vec<TriggersError> {
    let mut errors = Vec::new();
    for event_type in catalog.types() {
        for field in &*event_type.body {
            check_computations(event_type, field.name, &field.from, &mut errors);
        }
        check_computations(
            event_type,
            "further",
            event_type.further.as_slice(),
            &mut errors,
        );
    }
    errors
}

fn check_computations(
    event_type: &EventType,
    field: &str,
    columns: &[Column],
    errors: &mut Vec<TriggersError>,
) {
    for column in columns {
        if let Column::ComputedBy(name) = column
            && computed::computation(name).is_none()
        {
            errors.push(TriggersError::UnknownComputation {
                event_type: event_type.name.to_owned(),
                field: field.to_owned(),
                computation: (*name).to_owned(),
            });
        }
    }
}
