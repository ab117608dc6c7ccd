//! What the native door answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use easel_catalog::{Fault, Place};
use easel_log::{Appended, Offset};
use serde::Serialize;
use serde_json::json;
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
                    at: place(&fault.at),
                }
            }
        };
        answer.results.push(result);
    }
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}

/// A place on the wire.
pub(super) fn place(at: &Place) -> serde_json::Value {
    let Place {
        byte,
        line,
        column,
        path,
    } = at;
    json!({ "byte": byte, "line": line, "column": column, "path": path })
}

#[derive(Default, Serialize)]
struct AnswerJson {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    results: Vec<ResultJson>,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum ResultJson {
    Accepted {
        id: Uuid,
        offset: Offset,
    },
    Duplicate {
        id: Uuid,
        offset: Offset,
    },
    Rejected {
        code: &'static str,
        detail: String,
        at: serde_json::Value,
    },
}
