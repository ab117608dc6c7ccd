//! What the native door answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use easel_catalog::{Fault, Place};
use easel_log::{Appended, Offset};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::doors::Door;
use crate::metrics;

/// The answer about events of which some, with their ids, went onto the log as `appended`.
pub(super) fn accepted(verdicts: Vec<Result<Uuid, Fault>>, appended: Vec<Appended>) -> Response {
    let mut answer = AnswerJson::default();
    let mut appended = appended.into_iter();
    for verdict in verdicts {
        let result = match verdict.map(|id| (id, appended.next())) {
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
    (StatusCode::ACCEPTED, Json(answer)).into_response()
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
