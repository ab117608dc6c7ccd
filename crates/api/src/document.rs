//! The OpenAPI document: what is true of every route, added to what each says of itself.

use std::collections::BTreeMap;

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Response, SecurityRequirement,
};

/// A refusal that many routes share.
struct Refusal {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    is_of: fn(&Operation) -> bool,
}

const REFUSALS: [Refusal; 6] = [
    Refusal {
        status: "400",
        name: "Malformed",
        description: "`invalid_query` or `invalid_path`",
        is_of: |operation| operation.parameters.is_some(),
    },
    Refusal {
        status: "401",
        name: "Unauthorized",
        description: "`token_missing` or `token_unknown`",
        is_of: |_| true,
    },
    Refusal {
        status: "403",
        name: "Forbidden",
        description: "`scope_missing`",
        is_of: |_| true,
    },
    Refusal {
        status: "413",
        name: "TooLarge",
        description: "`body_too_large`",
        is_of: |operation| operation.request_body.is_some(),
    },
    Refusal {
        status: "415",
        name: "UnsupportedType",
        description: "`unsupported_type`",
        is_of: |operation| operation.request_body.is_some(),
    },
    Refusal {
        status: "503",
        name: "Unavailable",
        description: "`log_unavailable`, `subscriptions_unavailable`, `tokens_unavailable` or `drift_unavailable`; come back after `Retry-After`",
        is_of: |_| true,
    },
];

/// The whole document, of the routes `described` here and of the doors.
pub(crate) fn finish(mut described: OpenApi, doors: OpenApi) -> OpenApi {
    described.merge(doors);
    name_operations(&mut described);
    for operation in described.paths.paths.values_mut().flat_map(operations) {
        for refusal in &REFUSALS {
            if (refusal.is_of)(operation) {
                // What a route says of itself stands.
                let responses = &mut operation.responses.responses;
                responses
                    .entry(refusal.status.to_owned())
                    .or_insert_with(|| RefOr::Ref(Ref::from_response_name(refusal.name)));
            }
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
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut components = described.components.unwrap_or_default();
    components.add_security_scheme("token", bearer);
    components.responses.extend(REFUSALS.map(|it| {
        let response = Response::new(it.description);
        (it.name.to_owned(), response.into())
    }));
    OpenApiBuilder::new()
        .info(info)
        .paths(described.paths)
        .components(Some(components))
        .security(Some([SecurityRequirement::new(
            "token",
            Vec::<String>::new(),
        )]))
        .build()
}

/// Gives operations that have one name the name of what they are about as well, since every name has
/// to be there once: `list` of `/v1/drift` becomes `list_drift`.
fn name_operations(document: &mut OpenApi) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let paths = document.paths.paths.values_mut();
    for id in paths
        .flat_map(operations)
        .filter_map(|it| it.operation_id.clone())
    {
        *counts.entry(id).or_default() += 1;
    }
    for (path, item) in &mut document.paths.paths {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let subject = parts.nth(1).unwrap_or_default();
        for id in operations(item).filter_map(|it| it.operation_id.as_mut()) {
            if counts.get(id).is_some_and(|count| *count > 1) {
                *id = format!("{id}_{}", subject.replace(['.', '-'], "_"));
            }
        }
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut path.get,
        &mut path.put,
        &mut path.post,
        &mut path.delete,
    ]
    .into_iter()
    .flatten()
}
