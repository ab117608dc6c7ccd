//! From a change to the events that it means.

use std::sync::Arc;

use easel_catalog::{
    Catalog, Column, Context, Event, EventType, Origin, Rule as Conformance, admit,
};
use jiff::Timestamp;
use thiserror::Error;

use crate::body::{body, place_of};
use crate::change::{Change, Subject};
use crate::fault::ChangeFault;
use crate::json::Json;
use crate::metadata::metadata;
use crate::options::Options;
use crate::place::Place;
use crate::row::Row;
use crate::rule::{Operation, Rule};
use crate::rules;
use crate::scene::Scene;
use crate::worked;

/// Decides which events a change means, and makes them.
#[derive(Clone, Debug)]
pub struct Triggers {
    catalog: Arc<Catalog>,
    options: Options,
}

/// Why a catalogue cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TriggersError {
    /// A field is made by a rule that there is not.
    #[error("{event_type}: `{field}` is made by the rule @{rule}, which there is not")]
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
pub struct Outcome {
    /// The events that it means, in order.
    pub events: Vec<Event>,
    /// The events that it does not mean, and why.
    pub stops: Vec<Stop>,
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
    pub fn new(catalog: Arc<Catalog>, options: Options) -> Result<Self, TriggersError> {
        for of in catalog.types() {
            of.body
                .iter()
                .try_for_each(|field| check_rules(of, field.name, &field.from))?;
            check_rules(of, "further", of.further.as_slice())?;
        }
        Ok(Self { catalog, options })
    }

    /// The events that a change means, sent `now` unless it says when.
    ///
    /// Every event conforms to the catalogue; of a change that would make one that does not, the
    /// fault names the place.
    pub fn events(&self, change: &Change, now: Timestamp) -> Result<Outcome, ChangeFault> {
        let (subject, operation) = match &change.subject {
            Subject::Record { kind, operation } => (kind, *operation),
            Subject::Action { name } => (name, Operation::Act),
        };
        check_subject(subject, operation)?;
        check_rows(change)?;
        let scene = Scene {
            change,
            options: self.options,
        };
        let mut outcome = Outcome::default();
        let mut has_fired = false;
        let mut is_known = false;
        for rule in rules::of(subject, operation) {
            is_known = true;
            if rule.otherwise && has_fired {
                continue;
            }
            let closed = closed_gate(rule, scene)?;
            has_fired = closed.is_none();
            match closed {
                Some(gate) => outcome.stops.push(Stop {
                    event_type: Some(rule.event),
                    gate,
                }),
                None => {
                    let event = self.event(rule.event, scene, now)?;
                    outcome.events.push(event);
                }
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
        Ok(outcome)
    }

    fn event(
        &self,
        event_type: &'static str,
        scene: Scene<'_>,
        now: Timestamp,
    ) -> Result<Event, ChangeFault> {
        let Some(of) = self.catalog.get(event_type) else {
            let what = format!("the catalogue has no event type {event_type}");
            return Err(ChangeFault::new("", what));
        };
        let at = scene.change.occurred_at.unwrap_or(now);
        let mut json = Json::with_capacity(2048);
        json.begin(None);
        json.begin(Some("metadata"));
        metadata(&self.catalog, of, scene, at, &mut json)?;
        json.end();
        json.begin(Some("body"));
        body(of, scene, &mut json)?;
        json.end();
        json.end();
        let event = admit(&json.into_bytes(), &self.options.limits)
            .map_err(|fault| ChangeFault::new("", format!("{event_type}: {fault}")))?;
        self.conform(of, &event, scene)?;
        Ok(event)
    }

    /// Refuses an event that the catalogue would find something about.
    fn conform(&self, of: &EventType, event: &Event, scene: Scene<'_>) -> Result<(), ChangeFault> {
        let mut fault = None;
        self.catalog.check(of.name, &event.bytes, |finding| {
            // A value nobody saw before is news, and no fault, where others are to be expected; and
            // a record of another shard is told by its global id.
            let is_known = matches!(finding.rule, Conformance::NewValue | Conformance::GlobalId);
            if fault.is_none() && !is_known {
                let pointer = finding.pointer();
                let at = match pointer.split('/').collect::<Vec<_>>().as_slice() {
                    ["", "body", member, ..] => place_of(of, member, scene),
                    ["", "metadata", member] => context_place(of, scene, member),
                    _ => String::new(),
                };
                fault = Some(ChangeFault::new(
                    at,
                    format!("{} {pointer}: {finding}", of.name),
                ));
            }
        });
        fault.map_or(Ok(()), Err)
    }
}

/// Refuses what no rule is about.
fn check_subject(subject: &str, operation: Operation) -> Result<(), ChangeFault> {
    let is_action = operation == Operation::Act;
    let mut of_kind = rules::all().filter(|it| (it.operation == Operation::Act) == is_action);
    if of_kind.any(|it| it.subject == subject) {
        return Ok(());
    }
    Err(if is_action {
        ChangeFault::new("/action", format!("no action is called {subject:?}"))
    } else {
        ChangeFault::new("/record", format!("no record is of the type {subject:?}"))
    })
}

/// Refuses an update of which one row has a column that the other has not: it would be taken for a
/// change to or from nothing.
fn check_rows(change: &Change) -> Result<(), ChangeFault> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return Ok(());
    };
    let lacks = |row: &Row, other: &Row| {
        let mut columns = other.0.keys();
        columns.find(|it| row.get(it).is_none()).cloned()
    };
    for (place, row, other) in [("/before", before, after), ("/after", after, before)] {
        if let Some(column) = lacks(row, other) {
            let what = "this is missing; both rows have all columns, null where there is nothing";
            return Err(ChangeFault::new(Place::Member(place, &column), what));
        }
    }
    Ok(())
}

/// Where a field of the metadata is to be given.
fn context_place(of: &EventType, scene: Scene<'_>, member: &str) -> String {
    let of_record = member.starts_with("root_account_") || member.starts_with("context_");
    match scene.change.origin {
        Origin::Request => format!("/context/request/{member}"),
        Origin::Job => format!("/context/job/{member}"),
        Origin::Neither if of.context == Context::Record && of_record => "/related".to_owned(),
        Origin::Neither => "/context".to_owned(),
    }
}

/// What the first closed gate of a rule says; a fault where a gate has not what it needs.
fn closed_gate(rule: &Rule, scene: Scene<'_>) -> Result<Option<&'static str>, ChangeFault> {
    for gate in rule.all_gates() {
        if let Some(at) = gate.needs.and_then(|it| it.missing(scene)) {
            let what = format!(
                "this is missing, or not of its kind; it decides whether there is {}",
                rule.event
            );
            return Err(ChangeFault::new(at, what));
        }
        if !(gate.is_open)(scene) {
            return Ok(Some(gate.closed));
        }
    }
    Ok(None)
}

/// Refuses rules that there are not.
fn check_rules(of: &EventType, field: &str, from: &[Column]) -> Result<(), TriggersError> {
    for column in from {
        if let Column::Worked(rule) = column
            && worked::rule(rule).is_none()
        {
            return Err(TriggersError::NoRule {
                event_type: of.name.to_owned(),
                field: field.to_owned(),
                rule: (*rule).to_owned(),
            });
        }
    }
    Ok(())
}
