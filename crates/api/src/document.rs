//! The OpenAPI document: adds the parts that all routes share to the description of each route.

mod any_member;
mod merge;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Response,
    SecurityRequirement,
};

use any_member::{allow_any_member, allow_any_member_in_body};
use merge::merge_all_of;

/// The name of the schema of every refusal.
const PROBLEM: &str = "Problem";

/// A refusal that many routes have.
struct SharedRefusal {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    /// Returns whether an operation can have this refusal.
    applies: fn(&Operation) -> bool,
}

const REFUSALS: [SharedRefusal; 7] = [
    SharedRefusal {
        status: "400",
        name: "Malformed",
        description: "`invalid_query`, `invalid_path` or `body_broken`",
        applies: |operation| operation.parameters.is_some() || operation.request_body.is_some(),
    },
    SharedRefusal {
        status: "401",
        name: "Unauthorized",
        description: "`token_missing`, `token_unknown`, `token_expired` or `token_invalid`",
        applies: |_| true,
    },
    SharedRefusal {
        status: "403",
        name: "Forbidden",
        description: "`scope_missing`, `reach_missing` or `reach_too_small`",
        applies: |_| true,
    },
    SharedRefusal {
        status: "413",
        name: "TooLarge",
        description: "`body_too_large`",
        applies: |operation| operation.request_body.is_some(),
    },
    SharedRefusal {
        status: "415",
        name: "UnsupportedType",
        description: "`unsupported_type`",
        applies: |operation| operation.request_body.is_some(),
    },
    SharedRefusal {
        status: "429",
        name: "TooFast",
        description: "`rate_limited`: the token is used faster than its limits allow; retry after `Retry-After`",
        applies: |_| true,
    },
    SharedRefusal {
        status: "503",
        name: "Unavailable",
        description: "`log_unavailable`, `subscriptions_unavailable`, `tokens_unavailable`, `drift_unavailable` or `audit_unavailable`; retry after `Retry-After`",
        applies: |_| true,
    },
];

/// A refusal (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "only its schema is used")]
struct ProblemSchema {
    /// `urn:easel:problem:` followed by the code.
    r#type: String,
    /// The meaning of the status.
    title: String,
    status: u16,
    /// The code of the problem, for programs. It never changes.
    code: String,
    /// A sentence about the problem, for people.
    detail: String,
    /// The JSON pointer to the invalid place in the body, if there is one.
    pointer: Option<String>,
}

/// Shows this document.
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "show_openapi", tag = "catalog", security(()), responses((status = OK, body = Object)))]
pub(crate) async fn show(State(document): State<Arc<OpenApi>>) -> Json<OpenApi> {
    Json(OpenApi::clone(&document))
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(show), components(schemas(ProblemSchema)))]
struct DocumentApi;

/// Returns the complete document of the `described` routes and of the doors.
pub(crate) fn finish(mut described: OpenApi, doors: OpenApi) -> OpenApi {
    described.merge(doors);
    described.merge(<DocumentApi as utoipa::OpenApi>::openapi());
    for operation in described.paths.paths.values_mut().flat_map(operations) {
        if !is_public(operation) {
            for refusal in &REFUSALS {
                if (refusal.applies)(operation) {
                    // A route's own description takes precedence.
                    let responses = &mut operation.responses.responses;
                    responses
                        .entry(refusal.status.to_owned())
                        .or_insert_with(|| RefOr::Ref(Ref::from_response_name(refusal.name)));
                }
            }
        }
        for (status, response) in &mut operation.responses.responses {
            if let RefOr::T(response) = response {
                if status.as_str() >= "400" {
                    answer_problem(response);
                }
                response
                    .content
                    .values_mut()
                    .for_each(allow_any_member_in_body);
            }
        }
        if let Some(body) = &mut operation.request_body {
            body.content.values_mut().for_each(allow_any_member_in_body);
        }
    }
    let info = InfoBuilder::new()
        .title("Easel")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The API of Easel: send events, read events, and manage the server. Every refusal is a problem (RFC 9457), \
             and its `code` never changes.",
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .paths(described.paths)
        .components(Some(components(described.components)))
        .security(Some([SecurityRequirement::new(
            "token",
            Vec::<String>::new(),
        )]))
        .build()
}

fn components(described: Option<Components>) -> Components {
    let mut components = described.unwrap_or_default();
    merge_all_of(&mut components.schemas);
    components.schemas.values_mut().for_each(allow_any_member);
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", bearer);
    for refusal in REFUSALS {
        let mut response = Response::new(refusal.description);
        answer_problem(&mut response);
        components
            .responses
            .insert(refusal.name.to_owned(), response.into());
    }
    components
}

/// Describes a refusal as a problem, unless the route describes another body.
fn answer_problem(response: &mut Response) {
    if response.content.is_empty() {
        let schema = Content::new(Some(Ref::from_schema_name(PROBLEM)));
        response
            .content
            .insert("application/problem+json".to_owned(), schema);
    }
}

/// Returns whether a route requires no token.
fn is_public(operation: &Operation) -> bool {
    let security = operation.security.as_ref();
    security.is_some_and(|requirements| requirements.contains(&SecurityRequirement::default()))
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut path.get,
        &mut path.put,
        &mut path.post,
        &mut path.delete,
        &mut path.patch,
    ]
    .into_iter()
    .flatten()
}
