//! `/v1/caliper/check`: a test endpoint for developers who send Caliper events.
//!
//! The endpoint answers as the standard requires: 2xx to an envelope, 400 to a body that is not an
//! envelope, 415 to another content type, 422 to an unknown data version. The version decides first:
//! an envelope of another version gets 422 even if it has other faults. Every answer lists the broken
//! rules. Nothing is stored.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use easel_access::Problem;
use easel_caliper::{Breach, Level, Rule, check};
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use crate::api_error::ApiError;
use crate::request::{body_bytes, is_json};

/// The rules that an envelope breaks.
#[derive(Serialize, ToSchema)]
#[schema(as = CaliperCheck)]
pub(crate) struct CheckedJson {
    /// Whether the envelope breaks no MUST rule.
    conforms: bool,
    findings: Vec<BreachJson>,
}

/// A broken rule of Caliper 1.1.
#[derive(Serialize, ToSchema)]
#[schema(as = CaliperFinding)]
struct BreachJson {
    rule: &'static str,
    /// `MUST`, `SHOULD`, or `sense` for a rule that is not in the standard.
    level: &'static str,
    /// The JSON pointer to the place that breaks the rule.
    path: String,
    detail: String,
    /// What the rule requires.
    asks: &'static str,
}

/// Validates a Caliper envelope against the standard.
#[utoipa::path(post, path = "/v1/caliper/check", tag = "caliper", operation_id = "check_envelope", request_body = Object, responses((status = OK, body = CheckedJson), (status = BAD_REQUEST, description = "`no_envelope`"), (status = UNPROCESSABLE_ENTITY, description = "`unknown_data_version`")))]
pub(crate) async fn check_envelope(
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    if !is_json(&headers) {
        let detail = "The content type of an envelope must be application/json.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Ok(Problem::new(status, "unsupported_type", detail).into_response());
    }
    let body = body_bytes(body)?;
    // A check can take long, so it must not block the threads of other requests.
    let breaches = match spawn_blocking(move || check(&body)).await? {
        Ok(breaches) => breaches,
        Err(error) => {
            let detail = format!("{error}.");
            let problem = Problem::new(StatusCode::BAD_REQUEST, "no_envelope", detail);
            return Ok(problem.into_response());
        }
    };
    let is_no_envelope = breaches.iter().any(|breach| is_envelope_rule(breach.rule));
    let is_other_version = breaches.iter().any(|breach| breach.rule == Rule::E6);
    let checked = CheckedJson {
        conforms: breaches
            .iter()
            .all(|breach| breach.rule.level() != Level::Must),
        findings: breaches.into_iter().map(BreachJson::from).collect(),
    };
    let problem = |status, code, detail: &str| {
        let problem = Problem::new(status, code, detail);
        problem
            .with("findings", json!(checked.findings))
            .into_response()
    };
    Ok(if is_other_version {
        let detail = "The data version is unknown. Only Caliper 1.1 can be checked.";
        problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_data_version",
            detail,
        )
    } else if is_no_envelope {
        let detail = "The body is not a complete envelope of Caliper 1.1.";
        problem(StatusCode::BAD_REQUEST, "no_envelope", detail)
    } else {
        Json(checked).into_response()
    })
}

/// Returns whether a body that breaks this rule is not an envelope at all.
fn is_envelope_rule(rule: Rule) -> bool {
    use Rule::{E1, E2, E3, E4, E5, E7, E8};
    [E1, E2, E3, E4, E5, E7, E8].contains(&rule)
}

impl From<Breach> for BreachJson {
    fn from(breach: Breach) -> Self {
        Self {
            rule: breach.rule.code(),
            level: breach.rule.level().code(),
            path: breach.path,
            detail: breach.detail,
            asks: breach.rule.meaning(),
        }
    }
}
