//! Every refusal of the API is a problem document (RFC 9457).

use axum::body::Body;
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Request, Response};
use serde_json::Value;

use crate::fixture::Fixture;

#[track_caller]
fn check_is_problem(response: &Response<Body>, status: u16) {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
}

async fn problem(response: Response<Body>) -> Value {
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    serde_json::from_slice(&body.unwrap()).unwrap()
}

#[tokio::test]
async fn a_malformed_request_is_refused_with_a_problem() {
    let fixture = Fixture::new().await;
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(3 << 20));
    for (method, path, body, status, code, words) in [
        (
            "GET",
            "/v1/events?limit=abc",
            "",
            400,
            "invalid_query",
            "`limit` must be an integer from 0 to ",
        ),
        (
            "GET",
            "/v1/events?form=1",
            "",
            400,
            "invalid_query",
            "`form`",
        ),
        (
            "GET",
            "/v1/events/stream?x=1",
            "",
            400,
            "invalid_query",
            "`x`",
        ),
        (
            "GET",
            "/v1/catalog/course_created/schema?format=xml",
            "",
            400,
            "invalid_query",
            "`format` must be one of `canvas`, `caliper`, `caliper-strict`.",
        ),
        (
            "POST",
            "/v1/caliper/check",
            &large,
            413,
            "body_too_large",
            "limit",
        ),
        (
            "GET",
            "/v1/quarantine?from=-1",
            "",
            400,
            "invalid_query",
            "from",
        ),
        (
            "DELETE",
            "/v1/quarantine?before=x",
            "",
            400,
            "invalid_query",
            "before",
        ),
        ("GET", "/v1/events/%FF", "", 400, "invalid_path", "UTF-8"),
        ("DELETE", "/v1/tokens/%FF", "", 400, "invalid_path", "UTF-8"),
        ("POST", "/v1/tokens", &large, 413, "body_too_large", "limit"),
        (
            "POST",
            "/v1/subscriptions",
            &large,
            413,
            "body_too_large",
            "limit",
        ),
        (
            "GET",
            "/v1/nothing",
            "",
            404,
            "no_such_route",
            "/v1/nothing",
        ),
        (
            "PATCH",
            "/v1/tokens",
            "",
            405,
            "method_not_allowed",
            "PATCH",
        ),
    ] {
        let response = fixture.raw(method, path, body, Some(&fixture.token)).await;
        check_is_problem(&response, status);
        let problem = problem(response).await;
        assert_eq!(problem["code"], code, "{method} {path}");
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_refused_with_a_problem() {
    let fixture = Fixture::new().await;
    for path in ["/v1/tokens", "/v1/subscriptions"] {
        let request =
            Request::post(path).header(AUTHORIZATION, format!("Bearer {}", fixture.token));
        let response = fixture.send(request.body(Body::from("{}")).unwrap()).await;
        check_is_problem(&response, 415);
        assert_eq!(problem(response).await["code"], "unsupported_type");
    }
}

#[tokio::test]
async fn a_wrong_method_is_answered_with_the_allowed_methods_of_all_rooms() {
    let fixture = Fixture::new().await;
    let response = fixture.raw("DELETE", "/v1/events", "", None).await;
    check_is_problem(&response, 405);
    let mut allowed: Vec<_> = response.headers()[ALLOW]
        .to_str()
        .unwrap()
        .split(',')
        .collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
}
