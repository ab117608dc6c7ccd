//! Tests of the rules for the claims of a token.

use super::*;

#[test]
fn an_expired_token_is_refused_after_the_leeway() {
    let expired = |time| JwtError::Expired { time };
    assert!(verify_claims(&json!({"exp": NOW - 299}).to_string()).is_ok());
    let time = NOW - 300;
    check_claims_refused(&json!({"exp": time}).to_string(), &expired(time));
    for time in [0, -1, i64::MIN] {
        check_claims_refused(&json!({"exp": time}).to_string(), &expired(time));
    }
    assert!(verify_claims(&json!({"exp": i64::MAX}).to_string()).is_ok());
}

#[test]
fn a_token_that_is_not_valid_yet_is_refused_before_the_leeway() {
    let early = |time| JwtError::NotYetValid { time };
    assert!(verify_claims(&json!({"nbf": NOW + 300}).to_string()).is_ok());
    let time = NOW + 301;
    check_claims_refused(&json!({"nbf": time}).to_string(), &early(time));
    let time = i64::MAX;
    check_claims_refused(&json!({"nbf": time}).to_string(), &early(time));
    assert!(verify_claims(&json!({"nbf": i64::MIN}).to_string()).is_ok());
}

#[test]
fn the_leeway_is_an_option() {
    let key = key(SigningAlgorithm::EdDsa);
    let options = JwtOptions {
        leeway: Duration::ZERO,
        ..every_algorithm()
    };
    let verifier = verifier(&[&key], options);
    for (claims, is_valid) in [
        (json!({"exp": NOW}), false),
        (json!({"exp": NOW + 1}), true),
        (json!({"nbf": NOW}), true),
        (json!({"nbf": NOW + 1}), false),
    ] {
        let token = sign_jwt(&key, claims.to_string().as_bytes()).unwrap();
        assert_eq!(
            verifier.verify(token.as_bytes(), now()).is_ok(),
            is_valid,
            "{claims}"
        );
    }
    let options = JwtOptions {
        leeway: Duration::MAX,
        ..every_algorithm()
    };
    let token = sign_jwt(&key, b"{\"exp\":0}").unwrap();
    let lenient = JwtVerifier {
        options,
        ..verifier
    };
    assert!(lenient.verify(token.as_bytes(), now()).is_ok());
}

#[test]
fn a_time_that_is_no_integer_is_refused() {
    for claim in ["exp", "nbf"] {
        for time in [
            "1.5",
            "2e9",
            "\"1900000000\"",
            "null",
            "[]",
            "9999999999999999999",
        ] {
            let claims = format!(r#"{{"{claim}":{time}}}"#);
            check_claims_refused(&claims, &JwtError::InvalidTime { claim });
        }
    }
}

#[test]
fn another_issuer_is_refused_if_the_options_require_one() {
    let key = key(SigningAlgorithm::EdDsa);
    let issuer = "https://canvas.example".to_owned();
    let options = JwtOptions {
        issuer: Some(issuer.clone()),
        ..every_algorithm()
    };
    let verifier = verifier(&[&key], options);
    let check = |claims: &str| {
        let token = sign_jwt(&key, claims.as_bytes()).unwrap();
        verifier.verify(token.as_bytes(), now()).map(|_verified| ())
    };
    assert_eq!(check(r#"{"iss":"https://canvas.example"}"#), Ok(()));
    assert_eq!(check(r#"{"\u0069ss":"https:\/\/canvas.example"}"#), Ok(()));
    for claims in [
        "{}",
        r#"{"iss":"https://canvas.example/"}"#,
        r#"{"iss":null}"#,
        r#"{"iss":["https://canvas.example"]}"#,
    ] {
        let issuer = issuer.clone();
        assert_eq!(
            check(claims),
            Err(JwtError::WrongIssuer { issuer }),
            "{claims}"
        );
    }
    assert!(
        verify_claims(r#"{"iss":7}"#).is_ok(),
        "no issuer is required"
    );
}

#[test]
fn duplicate_names_among_the_claims_are_refused() {
    for (claims, name) in [
        (r#"{"exp":1900000000,"exp":1}"#, "exp"),
        (r#"{"exp":1900000000,"\u0065xp":1}"#, "exp"),
        (r#"{"metadata":{},"body":{},"metadata":{}}"#, "metadata"),
    ] {
        let (part, name) = ("payload", name.to_owned());
        check_claims_refused(claims, &JwtError::DuplicateMember { part, name });
    }
}

#[test]
fn a_payload_that_is_no_json_object_is_refused() {
    for payload in ["", "[]", "null", "\"text\"", "{", "{} {}", "\u{feff}{}"] {
        let part = "payload";
        check_claims_refused(payload, &JwtError::NotAnObject { part });
    }
    let key = key(SigningAlgorithm::EdDsa);
    let token = sign_jwt(&key, b"{\"a\":\"\xff\"}").unwrap();
    check_refused(&token, &JwtError::NotAnObject { part: "payload" });
}
