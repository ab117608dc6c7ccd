//! What the door for changes answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use easel_catalog::Event;
use easel_log::{Appended, Offset};
use easel_triggers::{ChangeFault, Outcome, Stop};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// The answer about changes whose events went onto the log as `appended`.
pub(super) fn taken(outcomes: &[Outcome], appended: Vec<Appended>) -> Response {
    let mut answer = AnswerJson::default();
    let mut appended = appended.into_iter();
    for Outcome { events, stops } in outcomes {
        let mut change = ChangeJson {
            events: Vec::with_capacity(events.len()),
            no_event: stops.iter().map(StopJson::from).collect(),
        };
        // The log answers for every record; were it not to, nothing would be claimed.
        for (event, appended) in events.iter().zip(&mut appended) {
            change.events.push(EventJson::of(event, appended));
            match appended {
                Appended::Stored(_) => answer.accepted += 1,
                Appended::Duplicate(_) => answer.duplicates += 1,
            }
        }
        answer.changes.push(change);
    }
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}

/// Faults, with the number of the change, from 0, and the place in it.
pub(super) fn faults(faults: Vec<(usize, ChangeFault)>) -> Value {
    let fault =
        |(change, ChangeFault { at, what })| json!({ "change": change, "at": at, "detail": what });
    faults.into_iter().map(fault).collect()
}

/// What became of the changes of a request.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = TakenChanges)]
pub(super) struct AnswerJson {
    accepted: u64,
    duplicates: u64,
    /// One for each change, in order.
    changes: Vec<ChangeJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TakenChange)]
struct ChangeJson {
    /// The events it means, in order.
    events: Vec<EventJson>,
    /// The events it does not mean, and why.
    no_event: Vec<StopJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = MadeEvent)]
struct EventJson {
    event_name: String,
    #[schema(value_type = String)]
    id: Uuid,
    #[schema(value_type = u64)]
    offset: Offset,
    /// `accepted`, or `duplicate` when the same bytes were stored before.
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StoppedEvent)]
struct StopJson {
    /// None where such a change never means an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<&'static str>,
    /// What stopped it.
    gate: &'static str,
}

impl EventJson {
    fn of(event: &Event, appended: Appended) -> Self {
        let (offset, status) = match appended {
            Appended::Stored(offset) => (offset, "accepted"),
            Appended::Duplicate(offset) => (offset, "duplicate"),
        };
        Self {
            event_name: event.event_type.as_ref().to_owned(),
            id: event.id,
            offset,
            status,
        }
    }
}

impl From<&Stop> for StopJson {
    fn from(stop: &Stop) -> Self {
        Self {
            event_name: stop.event_type,
            gate: stop.gate,
        }
    }
}
