//! `/v1/caliper/check`: a test partner for whoever makes Caliper events.
//!
//! It answers as the standard asks an endpoint to: 2xx to an envelope it received, 400 to what is
//! none, 415 to another type of content, 422 to a version of the data that it cannot handle. The
//! version decides first: an envelope of another version is 422 whatever else is wrong with it. In
//! every answer it says what rules are broken. Nothing is kept.

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
use crate::request::{is_json, whole};

/// What an envelope breaks.
#[derive(Serialize, ToSchema)]
#[schema(as = CaliperCheck)]
pub(crate) struct CheckedJson {
    /// Whether no rule is broken that says MUST.
    conforms: bool,
    findings: Vec<BreachJson>,
}

/// A rule of Caliper 1.1 that is broken.
#[derive(Serialize, ToSchema)]
#[schema(as = CaliperFinding)]
struct BreachJson {
    rule: &'static str,
    /// `MUST`, `SHOULD`, or `sense` for what the standard does not say.
    level: &'static str,
    /// The JSON pointer to what breaks it.
    path: String,
    detail: String,
    /// What the rule asks for.
    asks: &'static str,
}

/// Holds a Caliper envelope against the standard.
#[utoipa::path(post, path = "/v1/caliper/check", tag = "caliper", operation_id = "check_envelope", request_body = Object, responses((status = OK, body = CheckedJson), (status = BAD_REQUEST, description = "`no_envelope`"), (status = UNPROCESSABLE_ENTITY, description = "`unknown_data_version`")))]
pub(crate) async fn check_envelope(
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    if !is_json(&headers) {
        let detail = "An envelope comes as application/json.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Ok(Problem::new(status, "unsupported_type", detail).into_response());
    }
    let body = whole(body)?;
    // It can take longer than other requests should wait for.
    let breaches = match spawn_blocking(move || check(&body)).await? {
        Ok(breaches) => breaches,
        Err(error) => {
            let detail = format!("{error}.");
            let problem = Problem::new(StatusCode::BAD_REQUEST, "no_envelope", detail);
            return Ok(problem.into_response());
        }
    };
    let is_none = breaches.iter().any(|it| is_of_envelope(it.rule));
    let is_other_version = breaches.iter().any(|it| it.rule == Rule::E6);
    let checked = CheckedJson {
        conforms: breaches.iter().all(|it| it.rule.level() != Level::Must),
        findings: breaches.into_iter().map(BreachJson::from).collect(),
    };
    let problem = |status, code, detail: &str| {
        let problem = Problem::new(status, code, detail);
        problem
            .with("findings", json!(checked.findings))
            .into_response()
    };
    Ok(if is_other_version {
        let detail = "Only the data version of Caliper 1.1 can be checked.";
        problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_data_version",
            detail,
        )
    } else if is_none {
        let detail = "This is no envelope of Caliper 1.1, or one that lacks something.";
        problem(StatusCode::BAD_REQUEST, "no_envelope", detail)
    } else {
        Json(checked).into_response()
    })
}

/// Whether an envelope that breaks this rule is none, whatever is in it.
fn is_of_envelope(rule: Rule) -> bool {
    use Rule::{E1, E2, E3, E4, E5, E7, E8};
    [E1, E2, E3, E4, E5, E7, E8].contains(&rule)
}

impl From<Breach> for BreachJson {
    fn from(it: Breach) -> Self {
        Self {
            rule: it.rule.code(),
            level: it.rule.level().code(),
            path: it.path,
            detail: it.detail,
            asks: it.rule.meaning(),
        }
    }
}
