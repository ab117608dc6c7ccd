//! The answers of the native door.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use easel_catalog::{Fault, Place};
use easel_log::{Appended, Offset};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::door::Door;
use crate::metrics;

/// Returns the answer for the parts of a request, whose events were appended with the results
/// `appended`.
pub(super) fn results(verdicts: &[Result<Uuid, Fault>], appended: &[Appended]) -> Response {
    let mut answer = EventsAnswerJson {
        accepted: 0,
        duplicates: 0,
        rejected: 0,
        results: EventResults { verdicts, appended },
    };
    for appended in appended {
        match appended {
            Appended::Stored(_) => answer.accepted += 1,
            Appended::Duplicate(_) => answer.duplicates += 1,
        }
    }
    for fault in verdicts.iter().filter_map(|verdict| verdict.as_ref().err()) {
        metrics::rejected(Door::Native, fault.code);
        answer.rejected += 1;
    }
    if answer.accepted + answer.duplicates > 0 {
        return (StatusCode::ACCEPTED, Json(answer)).into_response();
    }
    let content_type = [(CONTENT_TYPE, "application/problem+json")];
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    (status, content_type, Json(NothingStoredJson::from(answer))).into_response()
}

/// The result of each part. It is serialised part by part, because there can be many.
struct EventResults<'a> {
    verdicts: &'a [Result<Uuid, Fault>],
    appended: &'a [Appended],
}

impl Serialize for EventResults<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut appended = self.appended.iter();
        let result = |verdict: &Result<Uuid, Fault>| match verdict {
            Err(fault) => Some(EventResultJson::from(fault)),
            // The log returns a result for every record. Without one, the results end here.
            Ok(id) => Some(EventResultJson::new(*id, *appended.next()?)),
        };
        serializer.collect_seq(self.verdicts.iter().map_while(result))
    }
}

/// The problem of a request whose events were all rejected, with the result of each.
#[derive(Serialize, ToSchema)]
#[schema(as = NothingStored)]
pub(super) struct NothingStoredJson<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'static str,
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    /// The result of each event, in order.
    #[schema(value_type = Vec<EventResultJson>)]
    results: EventResults<'a>,
}

impl<'a> From<EventsAnswerJson<'a>> for NothingStoredJson<'a> {
    fn from(answer: EventsAnswerJson<'a>) -> Self {
        let EventsAnswerJson {
            accepted,
            duplicates,
            rejected,
            results,
        } = answer;
        Self {
            r#type: "urn:easel:problem:nothing_stored",
            title: "Unprocessable Entity",
            status: StatusCode::UNPROCESSABLE_ENTITY.as_u16(),
            code: "nothing_stored",
            detail: "Every event was rejected; nothing was stored.",
            accepted,
            duplicates,
            rejected,
            results,
        }
    }
}

/// The results of the events of a request.
#[derive(Serialize, ToSchema)]
#[schema(as = Taken)]
pub(super) struct EventsAnswerJson<'a> {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    /// The result of each event, in order.
    #[schema(value_type = Vec<EventResultJson>)]
    results: EventResults<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Result)]
#[serde(tag = "status", rename_all = "snake_case")]
enum EventResultJson {
    /// The event is on stable storage.
    Accepted {
        #[schema(value_type = String)]
        id: Uuid,
        #[schema(value_type = u64)]
        offset: Offset,
    },
    /// The same bytes were stored before, at this offset. They are not stored again.
    Duplicate {
        #[schema(value_type = String)]
        id: Uuid,
        #[schema(value_type = u64)]
        offset: Offset,
    },
    /// The event is invalid. It is not stored.
    Rejected {
        code: &'static str,
        detail: String,
        at: FaultPlaceJson,
    },
}

impl EventResultJson {
    fn new(id: Uuid, appended: Appended) -> Self {
        match appended {
            Appended::Stored(offset) => Self::Accepted { id, offset },
            Appended::Duplicate(offset) => Self::Duplicate { id, offset },
        }
    }
}

impl From<&Fault> for EventResultJson {
    fn from(fault: &Fault) -> Self {
        Self::Rejected {
            code: fault.code.as_str(),
            detail: fault.to_string(),
            at: fault.at.clone().into(),
        }
    }
}

/// The place of a fault: byte, line and column in the request, and the JSON pointer in the event.
#[derive(Serialize, ToSchema)]
#[schema(as = Place)]
pub(super) struct FaultPlaceJson {
    byte: usize,
    line: usize,
    column: usize,
    path: String,
}

impl From<Place> for FaultPlaceJson {
    fn from(at: Place) -> Self {
        Self {
            byte: at.byte,
            line: at.line,
            column: at.column,
            path: at.path,
        }
    }
}
