//! The OpenAPI document matches the routes.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use easel_access::Scope;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::fixture::Fixture;

#[tokio::test]
async fn every_route_that_is_not_public_requires_a_token_and_the_right_scope() {
    let fixture = Fixture::new().await;
    let now = jiff::Timestamp::now();
    let token = |scope| {
        let scopes = [scope].into_iter().collect();
        fixture
            .tokens
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
            .replace("{id}", "x")
            .replace("{offset}", "0")
            .replace("{algorithm}", "RS256")
            .replace("{number}", "1");
        for method in methods.as_object().unwrap().keys() {
            if document["paths"][documented][method]["security"] == serde_json::json!([{}]) {
                continue;
            }
            route_count += 1;
            for status in ["401", "403", "429", "503"] {
                let response = &document["paths"][documented][method]["responses"][status];
                assert!(response.is_object(), "{method} {path}: {status}");
            }
            let method = method.to_uppercase();
            let status = async |token| fixture.raw(&method, &path, "{}", token).await.status();
            assert_eq!(
                status(None).await,
                StatusCode::UNAUTHORIZED,
                "{method} {path}"
            );
            let changes_nothing = method == "GET" || path == "/v1/caliper/check";
            let is_secret = path.starts_with("/v1/tokens") || path.starts_with("/v1/audit");
            let reads = changes_nothing && !is_secret;
            assert_eq!(
                status(Some(&ingest)).await,
                StatusCode::FORBIDDEN,
                "{method} {path}"
            );
            let refused = status(Some(&read)).await == StatusCode::FORBIDDEN;
            assert_eq!(refused, !reads, "{method} {path}");
        }
    }
    assert_eq!(route_count, 62);
}

#[tokio::test]
async fn the_document_is_served_without_a_token() {
    let fixture = Fixture::new().await;
    let response = fixture.raw("GET", "/v1/openapi.json", "", None).await;
    assert_eq!(response.status(), StatusCode::OK);
}

/// Returns every operation of the document, with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

#[test]
fn every_operation_has_a_unique_id() {
    let document = serde_json::to_value(easel_api::document(OpenApi::default())).unwrap();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{name}: {id} occurs twice");
    }
}

#[test]
fn every_answer_with_a_body_has_a_content_type_and_a_schema() {
    let document = serde_json::to_value(easel_api::document(OpenApi::default())).unwrap();
    for (name, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = match response["$ref"].as_str() {
                Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
                None => response,
            };
            let content = response["content"].as_object();
            if status == "204" {
                assert_eq!(content, None, "{name} {status}");
                continue;
            }
            let (media_type, content) = content.unwrap().iter().next().unwrap();
            assert!(content["schema"].is_object(), "{name} {status}");
            let is_problem = media_type == "application/problem+json";
            assert_eq!(is_problem, status.as_str() >= "400", "{name} {status}");
        }
    }
}

#[test]
fn no_schema_is_an_all_of() {
    let document = serde_json::to_value(easel_api::document(OpenApi::default())).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        assert!(schema.get("allOf").is_none(), "{name}: {schema}");
    }
    let subscription = &schemas["Subscription"]["properties"];
    for field in ["name", "webhook", "state", "balance"] {
        assert!(subscription[field].is_object(), "{field}: {subscription}");
    }
}
