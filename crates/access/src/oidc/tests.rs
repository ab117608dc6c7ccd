//! Which tokens of the identity provider are accepted, and as whom.

use std::sync::Mutex;

use axum::http::Request;
use axum::http::request::Parts;
use easel_keys::{JwkSet, JwtOptions, PrivateKey, SigningAlgorithm, sign_jwt};
use serde_json::json;

use super::*;
use crate::{Authorizer, ClaimValue, Problem, Scope, Tokens};

const ISSUER: &str = "https://login.example.edu";

/// A provider whose keys change.
#[derive(Debug, Default)]
struct Provider {
    current: Mutex<Option<Arc<JwtVerifier>>>,
    /// The answer to the next question for newer keys.
    newer: Mutex<Option<Result<Arc<JwtVerifier>, String>>>,
}

#[async_trait]
impl OidcKeys for Provider {
    fn current(&self) -> Option<Arc<JwtVerifier>> {
        self.current.lock().unwrap().clone()
    }

    async fn newer_than(
        &self,
        _known: Option<&Arc<JwtVerifier>>,
    ) -> Result<Option<Arc<JwtVerifier>>, String> {
        let newer = self.newer.lock().unwrap().take().transpose()?;
        if newer.is_some() {
            self.current.lock().unwrap().clone_from(&newer);
        }
        Ok(newer)
    }
}

fn new_key(kid: &str) -> PrivateKey {
    PrivateKey::generate(SigningAlgorithm::Es256, kid.to_owned()).unwrap()
}

fn verifier(key: &PrivateKey) -> Arc<JwtVerifier> {
    let set = JwkSet::new(vec![key.public_jwk().clone()]).unwrap();
    let options = JwtOptions {
        algorithms: SigningAlgorithm::ALL.to_vec(),
        issuer: Some(ISSUER.to_owned()),
        leeway: Duration::from_secs(30),
        ..JwtOptions::default()
    };
    Arc::new(JwtVerifier::new(set, options))
}

fn authorizer(provider: Arc<Provider>) -> Authorizer {
    let tokens = Tokens::open(std::path::Path::new(":memory:")).unwrap();
    let tokens = tokens.with_clock(Arc::new(|| Timestamp::from_second(1000).unwrap()));
    Authorizer::new(Arc::new(tokens)).with_oidc(Oidc {
        keys: provider,
        rules: OidcRules {
            audience: "easel".to_owned(),
            scopes_claim: "roles".to_owned(),
            scopes: vec![("reader".to_owned(), Scope::Read)],
            reach_claim: Some("school".to_owned()),
            everything: vec![ClaimValue {
                claim: "roles".to_owned(),
                value: "staff".to_owned(),
            }],
        },
        leeway: Duration::from_secs(30),
    })
}

fn head(bearer: &str) -> Parts {
    let request = Request::builder().header("authorization", format!("Bearer {bearer}"));
    request.body(()).unwrap().into_parts().0
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "easel", "exp": 2000, "sub": "ada",
        "roles": ["reader"], "school": "21070000000000001",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good_claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

async fn ask(authorizer: &Authorizer, key: &PrivateKey, claims: &Value) -> Result<Caller, Problem> {
    let jwt = sign_jwt(key, claims.to_string().as_bytes()).unwrap();
    authorizer.authorize(&head(&jwt), Scope::Read).await
}

#[tokio::test]
async fn a_token_of_the_provider_is_the_caller_that_its_claims_name() {
    let key = new_key("one");
    let provider = Arc::new(Provider::default());
    *provider.current.lock().unwrap() = Some(verifier(&key));
    let authorizer = authorizer(provider);
    let caller = ask(&authorizer, &key, &good_claims()).await.unwrap();
    assert_eq!(caller.actor, "oidc:ada");
    assert_eq!(caller.token_id, None);
    assert_eq!(caller.reach.to_string(), "root_account:21070000000000001");
    assert_eq!(caller.scopes.to_string(), "read");
    assert!(matches!(caller.validity, Validity::Until(end) if end.as_second() == 2030));
    let staff = with("roles", json!(["reader", "staff"]));
    let caller = ask(&authorizer, &key, &staff).await.unwrap();
    assert_eq!(caller.reach, Reach::Everything);
}

#[tokio::test]
async fn a_token_without_what_it_needs_is_refused() {
    let key = new_key("one");
    let provider = Arc::new(Provider::default());
    *provider.current.lock().unwrap() = Some(verifier(&key));
    let authorizer = authorizer(provider);
    let check = async |name: &str, value: Value, wanted: &str| {
        let refused = ask(&authorizer, &key, &with(name, value.clone())).await;
        assert_eq!(refused.unwrap_err().code(), wanted, "{name}: {value}");
    };
    check("iss", json!("https://evil.example.org"), "token_invalid").await;
    check("iss", Value::Null, "token_invalid").await;
    check("aud", json!("other"), "token_invalid").await;
    check("aud", Value::Null, "token_invalid").await;
    check("exp", Value::Null, "token_invalid").await;
    check("exp", json!("2000"), "token_invalid").await;
    check("exp", json!(970), "token_expired").await;
    check("nbf", json!(1031), "token_invalid").await;
    check("sub", Value::Null, "token_invalid").await;
    check("sub", json!("a\nb"), "token_invalid").await;
    check("roles", Value::Null, "scope_missing").await;
    check("roles", json!(["manage"]), "scope_missing").await;
    check("school", Value::Null, "reach_missing").await;
    check("school", json!("*"), "reach_missing").await;
    let forged = ask(&authorizer, &new_key("one"), &good_claims()).await;
    assert_eq!(forged.unwrap_err().code(), "token_invalid");
    for bearer in ["a.b.c", "..", "e30.e30."] {
        let refused = authorizer.authorize(&head(bearer), Scope::Read).await;
        assert_eq!(refused.unwrap_err().code(), "token_invalid", "{bearer}");
    }
}

#[tokio::test]
async fn a_token_of_this_server_is_never_read_as_a_jwt() {
    let provider = Arc::new(Provider::default());
    let authorizer = authorizer(provider);
    for bearer in ["easel_a.b.c", "easel_guess", "abc", "a.b", "a.b.c.d"] {
        let refused = authorizer.authorize(&head(bearer), Scope::Read).await;
        assert_eq!(refused.unwrap_err().code(), "token_unknown", "{bearer}");
    }
}

#[tokio::test]
async fn an_unknown_key_is_a_reason_to_ask_for_newer_keys() {
    let (old, new) = (new_key("old"), new_key("new"));
    let provider = Arc::new(Provider::default());
    let authorizer = authorizer(Arc::clone(&provider));
    let refused = ask(&authorizer, &old, &good_claims()).await.unwrap_err();
    assert_eq!(refused.code(), "keys_unavailable");

    *provider.newer.lock().unwrap() = Some(Ok(verifier(&old)));
    assert!(ask(&authorizer, &old, &good_claims()).await.is_ok());
    let refused = ask(&authorizer, &new, &good_claims()).await.unwrap_err();
    assert_eq!(refused.code(), "token_invalid");

    *provider.newer.lock().unwrap() = Some(Err("no answer".to_owned()));
    let refused = ask(&authorizer, &new, &good_claims()).await.unwrap_err();
    assert_eq!(refused.code(), "keys_unavailable");
    assert!(!refused.detail().contains("no answer"));

    *provider.newer.lock().unwrap() = Some(Ok(verifier(&new)));
    assert!(ask(&authorizer, &new, &good_claims()).await.is_ok());
    let refused = ask(&authorizer, &old, &good_claims()).await.unwrap_err();
    assert_eq!(refused.code(), "token_invalid");
}
