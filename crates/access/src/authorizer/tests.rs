//! Who is let in, and what those are told who are not.

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
    gate: Authorizer,
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
    let gate = Authorizer::new(Arc::clone(&tokens));
    Fixture {
        gate,
        tokens,
        secret,
        id: token.id,
        _folder: folder,
    }
}

/// The head of a request with this header.
fn showing(authorization: &str) -> Parts {
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
fn check_refused(gate: &Authorizer, head: &Parts, scope: Scope, wanted: &str) {
    let problem = gate.admit(head, scope).unwrap_err();
    assert_eq!(problem.code(), wanted);
}

#[test]
fn a_token_opens_the_scopes_it_has_and_no_other() {
    let it = with_one_token([Scope::Ingest].into_iter().collect());
    let headers = showing(&format!("Bearer {}", it.secret.expose()));

    let caller = it.gate.admit(&headers, Scope::Ingest).unwrap();
    assert_eq!(
        caller,
        Caller {
            token_id: Some(it.id),
            scopes: [Scope::Ingest].into_iter().collect(),
        }
    );
    check_refused(&it.gate, &headers, Scope::Read, "scope_missing");
    check_refused(&it.gate, &headers, Scope::Manage, "scope_missing");
}

#[test]
fn the_name_of_the_scheme_is_read_in_any_case() {
    let it = with_one_token(Scopes::ALL);
    let headers = showing(&format!("bEARER {}", it.secret.expose()));
    assert!(it.gate.admit(&headers, Scope::Read).is_ok());
}

#[test]
fn a_tab_between_scheme_and_token_is_white_space() {
    let it = with_one_token(Scopes::ALL);
    let head = showing(&format!("Bearer\t{}", it.secret.expose()));
    assert!(it.gate.admit(&head, Scope::Read).is_ok());
}

#[test]
fn nobody_comes_in_without_a_token() {
    let it = with_one_token(Scopes::ALL);
    check_refused(&it.gate, &with_headers(&[]), Scope::Read, "token_missing");
    check_refused(
        &it.gate,
        &showing("Basic b3g6"),
        Scope::Read,
        "token_missing",
    );
    check_refused(
        &it.gate,
        &showing("Bearer easel_guess"),
        Scope::Read,
        "token_unknown",
    );
}

#[test]
fn a_removed_token_is_refused_from_then_on() {
    let it = with_one_token(Scopes::ALL);
    let headers = showing(&format!("Bearer {}", it.secret.expose()));
    it.tokens.remove(&it.id).unwrap();
    check_refused(&it.gate, &headers, Scope::Read, "token_unknown");
}

#[test]
fn the_local_token_opens_everything() {
    let local = Secret::new("made at start".to_owned());
    let gate = with_one_token(Scopes::default())
        .gate
        .with_local_token(&local);
    for scope in Scope::ALL {
        let caller = gate.admit(&showing("Bearer made at start"), scope).unwrap();
        assert_eq!(caller, Caller::LOCAL);
    }
}

#[test]
fn an_open_gate_asks_for_nothing() {
    assert!(
        Authorizer::open()
            .admit(&with_headers(&[]), Scope::Manage)
            .is_ok()
    );
}

#[tokio::test]
async fn a_refusal_tells_the_client_how_to_come_in() {
    let gate = with_one_token(Scopes::ALL).gate;
    let routes = Router::new()
        .route(
            "/",
            get(|caller: Extension<Caller>| async move { caller.0.token_id.unwrap() }),
        )
        .layer(axum::middleware::from_fn_with_state(
            (gate, Scope::Read),
            require_scope,
        ));
    let response = routes.oneshot(Request::new(Body::empty())).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
}

#[tokio::test]
async fn a_handler_behind_the_gate_knows_its_caller() {
    let it = with_one_token(Scopes::ALL);
    let routes = Router::new()
        .route(
            "/",
            get(|caller: Extension<Caller>| async move { caller.0.token_id.unwrap() }),
        )
        .layer(axum::middleware::from_fn_with_state(
            (it.gate, Scope::Read),
            require_scope,
        ));
    let mut request = Request::new(Body::empty());
    *request.headers_mut() = showing(&format!("Bearer {}", it.secret.expose())).headers;
    let response = routes.oneshot(request).await.unwrap();

    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    assert_eq!(body, it.id);
}

static GATE: LazyLock<Authorizer> = LazyLock::new(|| {
    let tokens = Tokens::open(Path::new(":memory:")).unwrap();
    tokens
        .create("test", Scopes::ALL, Timestamp::UNIX_EPOCH)
        .unwrap();
    Authorizer::new(Arc::new(tokens)).with_local_token(&Secret::new("made at start".to_owned()))
});

proptest! {
    #[test]
    fn no_header_comes_in_by_chance(
        value in prop_oneof![
            any::<Vec<u8>>(),
            "[Bb]earer +(easel_)?[ -~]{0,50}".prop_map(String::into_bytes),
        ]
    ) {
        if HeaderValue::from_bytes(&value).is_ok() {
            let head = with_headers(&[(AUTHORIZATION, &value)]);
            prop_assert!(GATE.admit(&head, Scope::Read).is_err());
        }
    }
}
