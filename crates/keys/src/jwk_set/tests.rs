//! Tests of JWK sets.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::SigningAlgorithm;
use crate::standard_keys::key_with_id;

fn parse(set: &Value) -> Result<JwkSet, JwkSetError> {
    JwkSet::parse(set.to_string().as_bytes())
}

fn jwk(algorithm: SigningAlgorithm, kid: &str) -> Jwk {
    key_with_id(algorithm, kid).public_jwk().clone()
}

#[test]
fn a_set_is_read_back() {
    let keys = SigningAlgorithm::ALL.map(|algorithm| jwk(algorithm, algorithm.as_str()));
    let set = JwkSet::new(keys.to_vec()).unwrap();
    assert_eq!(JwkSet::parse(set.to_json().as_bytes()), Ok(set.clone()));
    assert_eq!(set.find("ES256"), Some(&keys[1]));
    assert_eq!(set.find("es256"), None);
}

#[test]
fn an_empty_set_is_written_with_an_empty_array() {
    assert_eq!(JwkSet::default().to_json(), r#"{"keys":[]}"#);
}

#[test]
fn members_of_a_key_are_in_the_usual_order() {
    let set = JwkSet::new(vec![jwk(SigningAlgorithm::EdDsa, "a")]).unwrap();
    assert_eq!(
        set.to_json(),
        r#"{"keys":[{"kty":"OKP","kid":"a","use":"sig","alg":"EdDSA","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
    );
}

/// RFC 7517 appendix A.1, with members that the RFC does not define.
#[test]
fn the_set_of_rfc_7517_is_read_and_its_key_for_encryption_is_ignored() {
    let set = parse(&json!({
        "next": "2030-01-01",
        "keys": [
            {
                "kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
                "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
            },
            {
                "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
                "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            },
        ],
    }));
    let set = set.unwrap();
    assert_eq!(set.keys().len(), 1);
    assert_eq!(set.keys()[0].kid(), "2011-04-29");
    let kid = Some("1".to_owned());
    let reason = JwkError::NotForSignatures;
    assert_eq!(set.ignored(), [IgnoredJwk { kid, reason }]);
}

#[test]
fn a_short_rsa_key_does_not_spoil_the_others() {
    let usable = jwk(SigningAlgorithm::EdDsa, "a");
    let short = json!({"kty": "RSA", "kid": "b", "n": "_w", "e": "AQAB"});
    let set = parse(&json!({"keys": [short, usable.to_json()]})).unwrap();
    assert_eq!(set.keys(), [usable]);
    assert_eq!(set.ignored()[0].reason, JwkError::RsaSize { bits: 8 });
}

#[test]
fn two_keys_with_one_id_are_refused() {
    let keys = [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256].map(|name| jwk(name, "a"));
    let refused = Err(JwkSetError::DuplicateKid {
        kid: "a".to_owned(),
    });
    assert_eq!(JwkSet::new(keys.to_vec()), refused);
    let keys = keys.map(|key| key.to_json());
    assert_eq!(parse(&json!({ "keys": keys })), refused);
}

#[test]
fn an_ignored_key_may_not_have_the_id_of_another_key() {
    let usable = jwk(SigningAlgorithm::EdDsa, "a").to_json();
    let ignored = json!({"kty": "oct", "kid": "a", "k": "AA"});
    let refused = Err(JwkSetError::DuplicateKid {
        kid: "a".to_owned(),
    });
    assert_eq!(parse(&json!({"keys": [usable, ignored]})), refused);
}

#[test]
fn several_ignored_keys_may_have_no_id() {
    let set = parse(&json!({"keys": [{"kty": "oct"}, {"kid": 7}, null, 1, "text"]})).unwrap();
    assert_eq!((set.keys().len(), set.ignored().len()), (0, 5));
}

#[test]
fn a_text_that_is_no_set_is_refused() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"keys":{}}"#,
        r#"{"keys":[]"#,
        "<html>",
        "{} {}",
    ] {
        let refused = JwkSet::parse(text.as_bytes());
        assert!(
            matches!(refused, Err(JwkSetError::InvalidJson { .. })),
            "{text}"
        );
    }
    assert!(JwkSet::parse(b"{\"keys\":[\"\xff\"]}").is_err());
}

#[test]
fn a_long_text_and_many_keys_are_refused() {
    let long = vec![b' '; JwkSet::MAX_BYTES + 1];
    assert_eq!(JwkSet::parse(&long), Err(JwkSetError::TooLong));
    let many = vec![json!({}); JwkSet::MAX_KEYS + 1];
    assert_eq!(
        parse(&json!({ "keys": many })),
        Err(JwkSetError::TooManyKeys)
    );
    let most = vec![json!({}); JwkSet::MAX_KEYS];
    assert!(parse(&json!({ "keys": most })).is_ok());
}

#[test]
fn a_deeply_nested_text_is_refused_or_ignored_without_a_crash() {
    let deep = "[".repeat(60_000);
    assert!(JwkSet::parse(deep.as_bytes()).is_err());
    let deep = format!(r#"{{"keys":[{}{}]}}"#, "[".repeat(9_000), "]".repeat(9_000));
    assert!(JwkSet::parse(deep.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_give_a_set_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(JwkSet::parse(&bytes).is_err());
    }

    #[test]
    fn any_json_in_place_of_a_key_gives_a_set_or_an_error(
        text in "\\{\"keys\":\\[(\\{(\"(kty|kid|n|e|x|use)\":(\"(RSA|EC|sig|AQAB)\"|1|\\{\\}),?){0,4}\\},?){0,3}\\]\\}",
    ) {
        if let Ok(set) = JwkSet::parse(text.as_bytes()) {
            prop_assert_eq!(set.keys().len(), 0);
        }
    }
}
