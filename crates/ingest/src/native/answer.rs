//! What the native door answers.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use easel_catalog::{Fault, Place};
use easel_log::{Appended, Offset};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::doors::Door;
use crate::metrics;

/// The answer about the parts of a request, of which the events went onto the log as `appended`.
pub(super) fn results(verdicts: Vec<Result<Uuid, Fault>>, appended: &[Appended]) -> Response {
    let mut answer = AnswerJson {
        results: Vec::with_capacity(verdicts.len()),
        ..AnswerJson::default()
    };
    let mut appended = appended.iter();
    for verdict in verdicts {
        let result = match verdict.map(|id| (id, appended.next().copied())) {
            Ok((id, Some(Appended::Stored(offset)))) => {
                answer.accepted += 1;
                ResultJson::Accepted { id, offset }
            }
            Ok((id, Some(Appended::Duplicate(offset)))) => {
                answer.duplicates += 1;
                ResultJson::Duplicate { id, offset }
            }
            // The log answers for every record; were it not to, nothing would be claimed.
            Ok((_, None)) => break,
            Err(fault) => {
                metrics::rejected(Door::Native, fault.code);
                answer.rejected += 1;
                ResultJson::Rejected {
                    code: fault.code.as_str(),
                    detail: fault.to_string(),
                    at: fault.at.into(),
                }
            }
        };
        answer.results.push(result);
    }
    if answer.accepted + answer.duplicates > 0 {
        return (StatusCode::ACCEPTED, Json(answer)).into_response();
    }
    let content_type = [(CONTENT_TYPE, "application/problem+json")];
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    (status, content_type, Json(NothingStoredJson::from(answer))).into_response()
}

/// The problem of a request of which every event was rejected, with what became of each.
#[derive(Serialize, ToSchema)]
#[schema(as = NothingStored)]
pub(super) struct NothingStoredJson {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'static str,
    #[serde(flatten)]
    answer: AnswerJson,
}

impl From<AnswerJson> for NothingStoredJson {
    fn from(answer: AnswerJson) -> Self {
        Self {
            r#type: "urn:easel:problem:nothing_stored",
            title: "Unprocessable Entity",
            status: StatusCode::UNPROCESSABLE_ENTITY.as_u16(),
            code: "nothing_stored",
            detail: "Every event was rejected; nothing was stored.",
            answer,
        }
    }
}

/// What became of the events of a request.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = Taken)]
pub(super) struct AnswerJson {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    /// One for each event, in order.
    results: Vec<ResultJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Result)]
#[serde(tag = "status", rename_all = "snake_case")]
enum ResultJson {
    /// On stable storage.
    Accepted {
        #[schema(value_type = String)]
        id: Uuid,
        #[schema(value_type = u64)]
        offset: Offset,
    },
    /// The same bytes were stored before, at this place; they are not stored again.
    Duplicate {
        #[schema(value_type = String)]
        id: Uuid,
        #[schema(value_type = u64)]
        offset: Offset,
    },
    /// Not an event, and not stored.
    Rejected {
        code: &'static str,
        detail: String,
        at: PlaceJson,
    },
}

/// Where a fault is: byte, line and column of the request, and a JSON pointer into the event.
#[derive(Serialize, ToSchema)]
#[schema(as = Place)]
pub(super) struct PlaceJson {
    byte: usize,
    line: usize,
    column: usize,
    path: String,
}

impl From<Place> for PlaceJson {
    fn from(at: Place) -> Self {
        Self {
            byte: at.byte,
            line: at.line,
            column: at.column,
            path: at.path,
        }
    }
}
