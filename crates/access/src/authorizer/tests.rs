//! Which requests are allowed, and the answers to the others.

use std::path::Path;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::HeaderName;
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;
use proptest::prelude::*;
use tower::ServiceExt;

use super::*;
use easel_keys::Secret;

use crate::Scopes;

struct Fixture {
    authorizer: Authorizer,
    tokens: Arc<Tokens>,
    secret: Secret<String>,
    id: String,
    _folder: tempfile::TempDir,
}

fn with_one_token(scopes: Scopes) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Arc::new(Tokens::open(&folder.path().join("access.db")).unwrap());
    let (token, secret) = tokens
        .create("test", scopes, Timestamp::UNIX_EPOCH)
        .unwrap();
    let authorizer = Authorizer::new(Arc::clone(&tokens));
    Fixture {
        authorizer,
        tokens,
        secret,
        id: token.id,
        _folder: folder,
    }
}

/// Returns the head of a request with this `Authorization` header.
fn with_authorization(authorization: &str) -> Parts {
    with_headers(&[(AUTHORIZATION, authorization.as_bytes())])
}

fn with_headers(headers: &[(HeaderName, &[u8])]) -> Parts {
    let mut request = Request::new(());
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().append(name, value);
    }
    request.into_parts().0
}

#[track_caller]
fn check_refused(authorizer: &Authorizer, head: &Parts, scope: Scope, wanted: &str) {
    let problem = authorizer.authorize(head, scope).unwrap_err();
    assert_eq!(problem.code(), wanted);
}

#[test]
fn a_token_allows_only_its_own_scopes() {
    let fixture = with_one_token([Scope::Ingest].into_iter().collect());
    let headers = with_authorization(&format!("Bearer {}", fixture.secret.expose()));

    let caller = fixture
        .authorizer
        .authorize(&headers, Scope::Ingest)
        .unwrap();
    assert_eq!(
        caller,
        Caller {
            token_id: Some(fixture.id),
            scopes: [Scope::Ingest].into_iter().collect(),
            reach: Reach::Everything,
        }
    );
    check_refused(&fixture.authorizer, &headers, Scope::Read, "scope_missing");
    check_refused(
        &fixture.authorizer,
        &headers,
        Scope::Manage,
        "scope_missing",
    );
}

#[test]
fn the_bearer_scheme_is_case_insensitive() {
    let fixture = with_one_token(Scopes::ALL);
    let headers = with_authorization(&format!("bEARER {}", fixture.secret.expose()));
    assert!(fixture.authorizer.authorize(&headers, Scope::Read).is_ok());
}

#[test]
fn a_tab_may_separate_scheme_and_token() {
    let fixture = with_one_token(Scopes::ALL);
    let head = with_authorization(&format!("Bearer\t{}", fixture.secret.expose()));
    assert!(fixture.authorizer.authorize(&head, Scope::Read).is_ok());
}

#[test]
fn requests_without_a_valid_token_are_refused() {
    let fixture = with_one_token(Scopes::ALL);
    check_refused(
        &fixture.authorizer,
        &with_headers(&[]),
        Scope::Read,
        "token_missing",
    );
    check_refused(
        &fixture.authorizer,
        &with_authorization("Basic b3g6"),
        Scope::Read,
        "token_missing",
    );
    check_refused(
        &fixture.authorizer,
        &with_authorization("Bearer easel_guess"),
        Scope::Read,
        "token_unknown",
    );
}

#[test]
fn a_removed_token_is_refused() {
    let fixture = with_one_token(Scopes::ALL);
    let headers = with_authorization(&format!("Bearer {}", fixture.secret.expose()));
    fixture.tokens.remove(&fixture.id).unwrap();
    check_refused(&fixture.authorizer, &headers, Scope::Read, "token_unknown");
}

#[test]
fn the_local_token_allows_every_scope() {
    let local = Secret::new("made at start".to_owned());
    let authorizer = with_one_token(Scopes::default())
        .authorizer
        .with_local_token(&local);
    for scope in Scope::ALL {
        let head = with_authorization("Bearer made at start");
        let caller = authorizer.authorize(&head, scope).unwrap();
        assert_eq!(caller, Caller::LOCAL);
    }
}

#[test]
fn an_authorizer_without_tokens_requires_no_token() {
    assert!(
        Authorizer::without_tokens()
            .authorize(&with_headers(&[]), Scope::Manage)
            .is_ok()
    );
}

#[tokio::test]
async fn a_refusal_names_the_expected_authentication_scheme() {
    let authorizer = with_one_token(Scopes::ALL).authorizer;
    let routes = Router::new()
        .route(
            "/",
            get(|caller: Extension<Caller>| async move { caller.0.token_id.unwrap() }),
        )
        .layer(axum::middleware::from_fn_with_state(
            (authorizer, Scope::Read),
            require_scope,
        ));
    let response = routes.oneshot(Request::new(Body::empty())).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
}

#[tokio::test]
async fn a_handler_gets_the_caller_of_its_request() {
    let fixture = with_one_token(Scopes::ALL);
    let routes = Router::new()
        .route(
            "/",
            get(|caller: Extension<Caller>| async move { caller.0.token_id.unwrap() }),
        )
        .layer(axum::middleware::from_fn_with_state(
            (fixture.authorizer, Scope::Read),
            require_scope,
        ));
    let mut request = Request::new(Body::empty());
    *request.headers_mut() =
        with_authorization(&format!("Bearer {}", fixture.secret.expose())).headers;
    let response = routes.oneshot(request).await.unwrap();

    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    assert_eq!(body, fixture.id);
}

static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(|| {
    let tokens = Tokens::open(Path::new(":memory:")).unwrap();
    tokens
        .create("test", Scopes::ALL, Timestamp::UNIX_EPOCH)
        .unwrap();
    Authorizer::new(Arc::new(tokens)).with_local_token(&Secret::new("made at start".to_owned()))
});

proptest! {
    #[test]
    fn a_random_header_is_refused(
        value in prop_oneof![
            any::<Vec<u8>>(),
            "[Bb]earer +(easel_)?[ -~]{0,50}".prop_map(String::into_bytes),
        ]
    ) {
        if HeaderValue::from_bytes(&value).is_ok() {
            let head = with_headers(&[(AUTHORIZATION, &value)]);
            prop_assert!(AUTHORIZER.authorize(&head, Scope::Read).is_err());
        }
    }
}
