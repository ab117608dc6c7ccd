//! The OpenAPI document: what is true of every route, added to what each says of itself.

mod merge;
mod open;

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

use merge::merge_all_of;
use open::{open, open_content};

/// The name of the response that every refusal refers to as its schema.
const PROBLEM: &str = "Problem";

/// A refusal that many routes share.
struct SharedRefusal {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    /// Whether an operation can be refused in this way.
    applies: fn(&Operation) -> bool,
}

const REFUSALS: [SharedRefusal; 6] = [
    SharedRefusal {
        status: "400",
        name: "Malformed",
        description: "`invalid_query`, `invalid_path` or `body_broken`",
        applies: |operation| operation.parameters.is_some() || operation.request_body.is_some(),
    },
    SharedRefusal {
        status: "401",
        name: "Unauthorized",
        description: "`token_missing` or `token_unknown`",
        applies: |_| true,
    },
    SharedRefusal {
        status: "403",
        name: "Forbidden",
        description: "`scope_missing`",
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
        status: "503",
        name: "Unavailable",
        description: "`log_unavailable`, `subscriptions_unavailable`, `tokens_unavailable` or `drift_unavailable`; come back after `Retry-After`",
        applies: |_| true,
    },
];

/// A refusal (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "only its schema is used")]
struct ProblemSchema {
    /// `urn:easel:problem:` and the code.
    r#type: String,
    /// What the status means.
    title: String,
    status: u16,
    /// What programs tell the problem by; it never changes.
    code: String,
    /// The problem in a sentence, for people.
    detail: String,
    /// The JSON pointer to the place in the body, where one is at fault.
    pointer: Option<String>,
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "show_openapi", tag = "catalog", security(()), responses((status = OK, body = Object)))]
pub(crate) async fn show(State(document): State<Arc<OpenApi>>) -> Json<OpenApi> {
    Json(OpenApi::clone(&document))
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(show), components(schemas(ProblemSchema)))]
struct Own;

/// The whole document, of the routes `described` here and of the doors.
pub(crate) fn finish(mut described: OpenApi, doors: OpenApi) -> OpenApi {
    described.merge(doors);
    described.merge(<Own as utoipa::OpenApi>::openapi());
    for operation in described.paths.paths.values_mut().flat_map(operations) {
        if !is_public(operation) {
            for refusal in &REFUSALS {
                if (refusal.applies)(operation) {
                    // What a route says of itself stands.
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
                response.content.values_mut().for_each(open_content);
            }
        }
        if let Some(body) = &mut operation.request_body {
            body.content.values_mut().for_each(open_content);
        }
    }
    let info = InfoBuilder::new()
        .title("Easel")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Events in and out of the Live Events service, and its management. Refusals are problem details (RFC 9457) \
             whose `code` never changes.",
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
    components.schemas.values_mut().for_each(open);
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

/// Says that a refusal is a problem, unless the route says that it is something else.
fn answer_problem(response: &mut Response) {
    if response.content.is_empty() {
        let schema = Content::new(Some(Ref::from_schema_name(PROBLEM)));
        response
            .content
            .insert("application/problem+json".to_owned(), schema);
    }
}

/// Whether a route asks for no token.
fn is_public(operation: &Operation) -> bool {
    let security = operation.security.as_ref();
    security.is_some_and(|it| it.contains(&SecurityRequirement::default()))
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
