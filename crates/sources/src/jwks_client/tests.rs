//! Which discovery documents are used.

use easel_testkit::Receiver;
use serde_json::json;

use super::*;

#[tokio::test]
async fn only_a_document_about_the_same_issuer_names_the_keys() {
    let provider = Receiver::start().await;
    let url = provider.url();
    let client = JwksClient::new(b"");
    let check = async |issuer: &str, document: String, wanted: &str| {
        provider.set_body(document.clone());
        let found = match client.discover(issuer).await {
            Ok(url) => url,
            Err(error) => error.to_string(),
        };
        assert_eq!(found, wanted, "{document}");
    };
    let document = |issuer: &str, jwks_uri: &str| {
        json!({ "issuer": issuer, "jwks_uri": jwks_uri, "other": 1 }).to_string()
    };
    let keys = "https://keys.example.edu/jwks";
    check(&url, document(&url, keys), keys).await;
    let path = provider.received()[0].uri.path().to_owned();
    assert!(
        path.ends_with("/.well-known/openid-configuration"),
        "{path}"
    );
    let other = "read the discovery document: it is about another issuer";
    check(&url, document(keys, keys), other).await;
    check(&url, document(&format!("{url}/"), keys), other).await;
    let insecure = "read the discovery document: `jwks_uri` must begin with https://";
    check(&url, document(&url, "http://keys.example.edu/"), insecure).await;
    let missing = "read the discovery document: it has no `issuer` and `jwks_uri`";
    check(&url, json!({ "issuer": url }).to_string(), missing).await;
    check(&url, "[]".to_owned(), missing).await;
}
