//! Which requests are allowed, and the answers to the others.

use std::path::Path;
use std::sync::LazyLock;

use axum::body::{Body, HttpBody};
use axum::http::HeaderName;
use axum::routing::get;
use axum::{Extension, Router};
use easel_catalog::Reach;
use futures::FutureExt;
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

async fn check_refused(authorizer: &Authorizer, head: &Parts, scope: Scope, wanted: &str) {
    let problem = authorizer.authorize(head, scope).await.unwrap_err();
    assert_eq!(problem.code(), wanted);
}

#[tokio::test]
async fn a_token_allows_only_its_own_scopes() {
    let fixture = with_one_token([Scope::Ingest].into_iter().collect());
    let headers = with_authorization(&format!("Bearer {}", fixture.secret.expose()));

    let caller = fixture
        .authorizer
        .authorize(&headers, Scope::Ingest)
        .await
        .unwrap();
    assert_eq!(caller.actor, fixture.id);
    assert_eq!(caller.token_id, Some(fixture.id));
    assert_eq!(caller.scopes, [Scope::Ingest].into_iter().collect());
    assert_eq!(caller.reach, Reach::Everything);
    check_refused(&fixture.authorizer, &headers, Scope::Read, "scope_missing").await;
    check_refused(
        &fixture.authorizer,
        &headers,
        Scope::Manage,
        "scope_missing",
    )
    .await;
}

#[tokio::test]
async fn the_bearer_scheme_is_case_insensitive() {
    let fixture = with_one_token(Scopes::ALL);
    let headers = with_authorization(&format!("bEARER {}", fixture.secret.expose()));
    assert!(
        fixture
            .authorizer
            .authorize(&headers, Scope::Read)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_tab_may_separate_scheme_and_token() {
    let fixture = with_one_token(Scopes::ALL);
    let head = with_authorization(&format!("Bearer\t{}", fixture.secret.expose()));
    assert!(
        fixture
            .authorizer
            .authorize(&head, Scope::Read)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn requests_without_a_valid_token_are_refused() {
    let fixture = with_one_token(Scopes::ALL);
    check_refused(
        &fixture.authorizer,
        &with_headers(&[]),
        Scope::Read,
        "token_missing",
    )
    .await;
    check_refused(
        &fixture.authorizer,
        &with_authorization("Basic b3g6"),
        Scope::Read,
        "token_missing",
    )
    .await;
    check_refused(
        &fixture.authorizer,
        &with_authorization("Bearer easel_guess"),
        Scope::Read,
        "token_unknown",
    )
    .await;
}

#[tokio::test]
async fn a_removed_token_is_refused() {
    let fixture = with_one_token(Scopes::ALL);
    let headers = with_authorization(&format!("Bearer {}", fixture.secret.expose()));
    fixture
        .tokens
        .remove(&fixture.id, &Reach::Everything)
        .unwrap();
    check_refused(&fixture.authorizer, &headers, Scope::Read, "token_unknown").await;
}

#[tokio::test]
async fn the_local_token_allows_every_scope() {
    let local = Secret::new("made at start".to_owned());
    let authorizer = with_one_token(Scopes::default())
        .authorizer
        .with_local_token(&local);
    for scope in Scope::ALL {
        let head = with_authorization("Bearer made at start");
        let caller = authorizer.authorize(&head, scope).await.unwrap();
        assert_eq!((caller.token_id, &*caller.actor), (None, "local"));
    }
}

#[tokio::test]
async fn an_authorizer_without_tokens_requires_no_token() {
    assert!(
        Authorizer::without_tokens()
            .authorize(&with_headers(&[]), Scope::Manage)
            .await
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
            prop_assert!(AUTHORIZER.authorize(&head, Scope::Read).now_or_never().unwrap().is_err());
        }
    }
}

/// Returns the head of a request with this token, and its body.
fn upload(secret: &Secret<String>, body: Body) -> (Parts, Body) {
    let bearer = format!("Bearer {}", secret.expose());
    (with_authorization(&bearer), body)
}

fn limited(limits: crate::TokenLimits) -> (Authorizer, Secret<String>) {
    let tokens = Tokens::open(Path::new(":memory:")).unwrap();
    let settings = crate::TokenSettings {
        limits,
        ..crate::TokenSettings::new("vendor", Scopes::ALL)
    };
    let created = tokens.create_with(settings, Timestamp::UNIX_EPOCH);
    (Authorizer::new(Arc::new(tokens)), created.unwrap().1)
}

#[tokio::test(start_paused = true)]
async fn a_token_that_sends_too_many_requests_learns_when_to_come_back() {
    let (authorizer, secret) = limited(crate::TokenLimits {
        max_requests_per_second: std::num::NonZeroU32::new(2),
        max_bytes_per_second: None,
    });
    let head = with_authorization(&format!("Bearer {}", secret.expose()));
    let ask = async || authorizer.authorize(&head, Scope::Read).await;
    assert!(ask().await.is_ok());
    assert!(ask().await.is_ok());
    let problem = ask().await.unwrap_err();
    assert_eq!(problem.code(), "rate_limited");
    let response = axum::response::IntoResponse::into_response(problem);
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "1");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(ask().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_bodies_are_counted_as_they_were_sent() {
    let (authorizer, secret) = limited(crate::TokenLimits {
        max_requests_per_second: None,
        max_bytes_per_second: std::num::NonZeroU64::new(1000),
    });
    let authorize = async |head: &Parts| authorizer.authorize(head, Scope::Ingest).await;
    // A body with a declared size that is not read costs nothing.
    let (head, body) = upload(&secret, Body::from(vec![b'x'; 5000]));
    let body = authorize(&head).await.unwrap().metered(body);
    assert_eq!(body.size_hint().exact(), Some(5000));
    let refused = authorize(&head).await.unwrap_err();
    assert_eq!(refused.code(), "rate_limited");
    drop(body);
    assert!(authorize(&head).await.is_ok());

    // A body without a declared size costs what comes.
    let chunks = [vec![b'x'; 1500], vec![b'x'; 1500]].map(Ok::<_, std::io::Error>);
    let stream = Body::from_stream(futures::stream::iter(chunks));
    let (head, body) = upload(&secret, stream);
    let body = authorize(&head).await.unwrap().metered(body);
    assert!(authorize(&head).await.is_ok());
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    assert_eq!(bytes.len(), 3000);
    assert!(authorize(&head).await.is_err());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(authorize(&head).await.is_err());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(authorize(&head).await.is_ok());
}

#[tokio::test]
async fn an_expired_token_is_unknown_to_everybody_without_its_secret() {
    let tokens = Tokens::open(Path::new(":memory:")).unwrap();
    let settings = crate::TokenSettings {
        expires_at: Some(Timestamp::UNIX_EPOCH),
        ..crate::TokenSettings::new("old", Scopes::ALL)
    };
    let created = tokens.create_with(settings, Timestamp::UNIX_EPOCH);
    let secret = created.unwrap().1;
    let authorizer = Authorizer::new(Arc::new(tokens));
    let with = |secret: &str| with_authorization(&format!("Bearer {secret}"));
    let whole = secret.expose().as_str();
    let guess = format!("{whole}x");
    check_refused(&authorizer, &with(whole), Scope::Read, "token_expired").await;
    check_refused(&authorizer, &with(&guess), Scope::Read, "token_unknown").await;
}
