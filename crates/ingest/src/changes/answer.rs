//! The answers of the door for changes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use easel_catalog::Event;
use easel_log::{Appended, Offset};
use easel_triggers::{ChangeFaults, ChangeOutcome, StoppedEvent};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// The most faults in the answer of a rejected request. The count includes all faults.
const MAX_FAULTS: usize = 100;

type ChangeResults = [Result<ChangeOutcome, ChangeFaults>];

/// Returns the answer for changes whose events were appended with the results `appended`.
pub(super) fn stored(results: &ChangeResults, appended: Vec<Appended>) -> Response {
    let mut answer = ChangesAnswerJson::default();
    let mut appended = appended.into_iter();
    for result in results {
        let mut change = ChangeJson::new(result);
        let events = result.iter().flat_map(|outcome| &outcome.events);
        // The log returns a result for every record. An event without a result is left out.
        for (event, appended) in events.zip(&mut appended) {
            change
                .events
                .push(ChangeEventJson::appended(event, appended));
            match appended {
                Appended::Stored(_) => answer.accepted += 1,
                Appended::Duplicate(_) => answer.duplicates += 1,
            }
        }
        answer.changes.push(change);
    }
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}

/// Returns the answer of a dry run: the events of each change, without offsets.
pub(super) fn dry_run(results: &ChangeResults) -> Response {
    let explain = |result: &Result<ChangeOutcome, ChangeFaults>| {
        let mut change = ChangeJson::new(result);
        let events = result.iter().flat_map(|outcome| &outcome.events);
        change.events = events.map(ChangeEventJson::explained).collect();
        change
    };
    let answer = ChangesAnswerJson {
        dry_run: true,
        changes: results.iter().map(explain).collect(),
        ..ChangesAnswerJson::default()
    };
    Json(answer).into_response()
}

/// Returns the result of each change, without events, for the problem of a rejected request.
pub(super) fn changes(results: &ChangeResults) -> Value {
    results
        .iter()
        .map(|result| json!(ChangeJson::new(result)))
        .collect()
}

/// Returns the number of faults of all changes.
pub(super) fn fault_count(results: &ChangeResults) -> usize {
    let faults = results.iter().filter_map(|result| result.as_ref().err());
    faults.map(|faults| faults.as_slice().len()).sum()
}

/// Returns the first faults of a request, each with the index of its change, from 0, and its place.
pub(super) fn faults(results: &ChangeResults) -> Value {
    let faulty = results.iter().enumerate();
    let faulty = faulty.filter_map(|(number, result)| Some((number, result.as_ref().err()?)));
    let faults = faulty.flat_map(|(number, faults)| {
        let faults = faults.as_slice().iter();
        faults.map(move |fault| json!({ "change": number, "at": fault.at, "detail": fault.what }))
    });
    faults.take(MAX_FAULTS).collect()
}

/// The results of the changes of a request.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = TakenChanges)]
pub(super) struct ChangesAnswerJson {
    /// Whether the request was a dry run, which stores nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    accepted: u64,
    duplicates: u64,
    /// The result of each change, in order.
    changes: Vec<ChangeJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TakenChange)]
struct ChangeJson {
    /// The events of the change, in order.
    events: Vec<ChangeEventJson>,
    /// The events that a gate stopped, with the gate.
    no_event: Vec<StopJson>,
    /// Unusual values. They do not stop the events.
    warnings: Vec<NoteJson>,
    /// Errors. A change with a fault is skipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<NoteJson>,
}

/// A fault or a warning.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangeNote)]
struct NoteJson {
    /// The JSON pointer of the value in the change.
    at: String,
    detail: String,
}

impl ChangeJson {
    /// Creates the result of a change without its events.
    fn new(result: &Result<ChangeOutcome, ChangeFaults>) -> Self {
        let mut change = Self {
            events: Vec::new(),
            no_event: Vec::new(),
            warnings: Vec::new(),
            faults: Vec::new(),
        };
        let note = |at: &String, what: &String| NoteJson {
            at: at.clone(),
            detail: what.clone(),
        };
        match result {
            Ok(outcome) => {
                change.no_event = outcome.stopped.iter().map(StopJson::from).collect();
                let warnings = outcome.warnings.iter();
                let warnings = warnings.map(|warning| note(&warning.at, &warning.what));
                change.warnings = warnings.collect();
            }
            Err(faults) => {
                let faults = faults.as_slice().iter();
                let faults = faults.map(|fault| note(&fault.at, &fault.what));
                change.faults = faults.collect();
            }
        }
        change
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = MadeEvent)]
struct ChangeEventJson {
    event_name: String,
    #[schema(value_type = String)]
    id: Uuid,
    #[schema(value_type = Option<u64>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<Offset>,
    /// `accepted`, or `duplicate` if the same bytes were stored before. Missing in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// The event itself. Only in a dry run.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StoppedEvent)]
struct StopJson {
    /// The event type. Missing if no rule exists for this record or action and operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<&'static str>,
    /// The closed gate that stopped the event.
    gate: &'static str,
}

impl ChangeEventJson {
    fn appended(event: &Event, appended: Appended) -> Self {
        let (offset, status) = match appended {
            Appended::Stored(offset) => (offset, "accepted"),
            Appended::Duplicate(offset) => (offset, "duplicate"),
        };
        Self {
            event_name: event.event_type.as_ref().to_owned(),
            id: event.id,
            offset: Some(offset),
            status: Some(status),
            event: None,
        }
    }

    fn explained(event: &Event) -> Self {
        let json = String::from_utf8_lossy(&event.bytes).into_owned();
        Self {
            event_name: event.event_type.as_ref().to_owned(),
            id: event.id,
            offset: None,
            status: None,
            // An admitted event is valid JSON.
            event: RawValue::from_string(json).ok(),
        }
    }
}

impl From<&StoppedEvent> for StopJson {
    fn from(stop: &StoppedEvent) -> Self {
        Self {
            event_name: stop.event_type,
            gate: stop.reason,
        }
    }
}
