//! The OpenAPI document is true of the routes.

use axum::http::StatusCode;
use easel_access::Scope;
use utoipa::openapi::OpenApi;

use crate::desk::Desk;

#[tokio::test]
async fn every_documented_route_asks_for_a_token_and_for_the_right_scope() {
    let desk = Desk::new();
    let now = jiff::Timestamp::now();
    let token = |scope| {
        let scopes = [scope].into_iter().collect();
        desk.tokens
            .create("one", scopes, now)
            .unwrap()
            .1
            .expose()
            .clone()
    };
    let (ingest, read) = (token(Scope::Ingest), token(Scope::Read));
    let document = serde_json::to_value(easel_api::document(OpenApi::default())).unwrap();
    let mut route_count = 0;
    for (documented, methods) in document["paths"].as_object().unwrap() {
        let path = documented
            .replace("{name}", "x")
            .replace("{event}", "x")
            .replace("{id}", "x");
        for method in methods.as_object().unwrap().keys() {
            route_count += 1;
            for status in ["401", "403", "503"] {
                let said = &document["paths"][documented][method]["responses"][status];
                assert!(said.is_object(), "{method} {path}: {status}");
            }
            let method = method.to_uppercase();
            let status = async |token| desk.raw(&method, &path, "{}", token).await.status();
            assert_eq!(
                status(None).await,
                StatusCode::UNAUTHORIZED,
                "{method} {path}"
            );
            let changes_nothing = method == "GET" || path == "/v1/caliper/check";
            let reads = changes_nothing && !path.starts_with("/v1/tokens");
            assert_eq!(
                status(Some(&ingest)).await,
                StatusCode::FORBIDDEN,
                "{method} {path}"
            );
            let refused = status(Some(&read)).await == StatusCode::FORBIDDEN;
            assert_eq!(refused, !reads, "{method} {path}");
        }
    }
    assert_eq!(route_count, 28);
}

#[tokio::test]
async fn the_document_is_served_to_everyone() {
    let desk = Desk::new();
    let response = desk.raw("GET", "/v1/openapi.json", "", None).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(easel_api::document(OpenApi::default())).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let mut names: Vec<_> = paths
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}
