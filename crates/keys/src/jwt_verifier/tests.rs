//! Tests of the verifier: what it accepts, and each reason to refuse.

use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use super::*;
use crate::standard_keys::{KID, key, to_base64url};
use crate::{PrivateKey, sign_jwt};

mod changes;
mod claims;

/// The time of all tests, in seconds of Unix time.
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// Options that allow every algorithm.
fn every_algorithm() -> JwtOptions {
    JwtOptions {
        algorithms: SigningAlgorithm::ALL.to_vec(),
        ..JwtOptions::default()
    }
}

fn verifier(keys: &[&PrivateKey], options: JwtOptions) -> JwtVerifier {
    let keys = keys.iter().map(|key| key.public_jwk().clone()).collect();
    JwtVerifier::new(JwkSet::new(keys).unwrap(), options)
}

/// Signs a header and a payload as they are.
fn signed(key: &PrivateKey, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", to_base64url(header), to_base64url(payload));
    let signature = key.sign(message.as_bytes()).unwrap();
    format!("{message}.{}", to_base64url(signature))
}

/// Verifies with the Ed25519 key of RFC 8037, under the id `KID`.
fn verify(token: &str) -> Result<VerifiedJwt, JwtError> {
    verifier(&[&key(SigningAlgorithm::EdDsa)], every_algorithm()).verify(token.as_bytes(), now())
}

#[track_caller]
fn check_refused(token: &str, wanted: &JwtError) {
    assert_eq!(verify(token).as_ref(), Err(wanted), "{token}");
}

#[track_caller]
fn check_header_refused(header: &str, wanted: &JwtError) {
    check_refused(&signed(&key(SigningAlgorithm::EdDsa), header, "{}"), wanted);
}

fn verify_claims(claims: &str) -> Result<VerifiedJwt, JwtError> {
    verify(&sign_jwt(&key(SigningAlgorithm::EdDsa), claims.as_bytes()).unwrap())
}

#[track_caller]
fn check_claims_refused(claims: &str, wanted: &JwtError) {
    assert_eq!(verify_claims(claims).as_ref(), Err(wanted), "{claims}");
}

#[test]
fn the_claims_of_a_valid_token_are_returned_byte_for_byte() {
    let claims = "{ \"n\" : 1.50, \"é\":\"\\u00e9\",\"o\":{\"a\":1,\"a\":2} }";
    for algorithm in SigningAlgorithm::ALL {
        let key = key(algorithm);
        let token = sign_jwt(&key, claims.as_bytes()).unwrap();
        let verified = verifier(&[&key], every_algorithm()).verify(token.as_bytes(), now());
        let verified = verified.unwrap();
        assert_eq!(verified.payload, claims.as_bytes());
        assert_eq!(verified.kid, KID);
    }
}

#[test]
fn tokens_that_python_signed_are_accepted() {
    for (algorithm, token) in [
        (
            SigningAlgorithm::Rs256,
            include_str!("../../fixtures/python-rs256.jwt"),
        ),
        (
            SigningAlgorithm::Es256,
            include_str!("../../fixtures/python-es256.jwt"),
        ),
        (
            SigningAlgorithm::EdDsa,
            include_str!("../../fixtures/python-eddsa.jwt"),
        ),
    ] {
        let options = JwtOptions {
            issuer: Some("https://live-events.canvas.instructure.com".to_owned()),
            ..every_algorithm()
        };
        let verified = verifier(&[&key(algorithm)], options).verify(token.as_bytes(), now());
        let payload = verified.unwrap().payload;
        let text = String::from_utf8(payload).unwrap();
        assert!(
            text.contains(r#""n":1.50"#) && text.contains(r"\u00c5 å"),
            "{text}"
        );
    }
}

#[test]
fn the_key_is_chosen_by_the_id_in_the_header() {
    let keys = ["previous", "current", "next"]
        .map(|kid| PrivateKey::generate(SigningAlgorithm::EdDsa, kid.to_owned()).unwrap());
    let verifier = verifier(&keys.each_ref(), every_algorithm());
    for key in &keys {
        let token = sign_jwt(key, b"{}").unwrap();
        let verified = verifier.verify(token.as_bytes(), now()).unwrap();
        assert_eq!(verified.kid, key.kid());
    }
}

#[test]
fn only_rs256_is_allowed_by_default() {
    for algorithm in SigningAlgorithm::ALL {
        let key = key(algorithm);
        let token = sign_jwt(&key, b"{}").unwrap();
        let verified = verifier(&[&key], JwtOptions::default()).verify(token.as_bytes(), now());
        let wanted = JwtError::AlgorithmNotAllowed {
            algorithm: algorithm.to_string(),
        };
        match algorithm {
            SigningAlgorithm::Rs256 => assert!(verified.is_ok()),
            SigningAlgorithm::Es256 | SigningAlgorithm::EdDsa => {
                assert_eq!(verified, Err(wanted));
            }
        }
    }
}

#[test]
fn without_keys_or_without_algorithms_every_token_is_refused() {
    let key = key(SigningAlgorithm::Rs256);
    let token = sign_jwt(&key, b"{}").unwrap();
    let keyless = verifier(&[], JwtOptions::default()).verify(token.as_bytes(), now());
    assert_eq!(
        keyless,
        Err(JwtError::UnknownKid {
            kid: KID.to_owned()
        })
    );
    let options = JwtOptions {
        algorithms: Vec::new(),
        ..JwtOptions::default()
    };
    assert!(
        verifier(&[&key], options)
            .verify(token.as_bytes(), now())
            .is_err()
    );
}

#[test]
fn the_algorithm_none_is_refused_in_any_case() {
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": algorithm, "kid": KID}).to_string();
        let unsigned = format!("{}.{}.", to_base64url(&header), to_base64url("{}"));
        let algorithm = algorithm.to_owned();
        let wanted = JwtError::AlgorithmNotAllowed { algorithm };
        check_refused(&unsigned, &wanted);
        check_header_refused(&header, &wanted);
    }
}

#[test]
fn an_hmac_with_the_bytes_of_a_public_key_is_refused() {
    let key = key(SigningAlgorithm::Rs256);
    let jwk = key.public_jwk().to_json();
    let n = jwk["n"].as_str().unwrap();
    let public_bytes = [
        n.as_bytes().to_vec(),
        crate::standard_keys::from_base64url(n),
        jwk.to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in public_bytes {
        for algorithm in ["HS256", "RS256"] {
            let header = json!({"alg": algorithm, "kid": KID}).to_string();
            let message = format!("{}.{}", to_base64url(header), to_base64url("{}"));
            let mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
            let mac = mac.chain_update(&message).finalize().into_bytes();
            let token = format!("{message}.{}", to_base64url(mac));
            let verifier = verifier(&[&key], JwtOptions::default());
            let wanted = if algorithm == "HS256" {
                let algorithm = algorithm.to_owned();
                JwtError::AlgorithmNotAllowed { algorithm }
            } else {
                JwtError::InvalidSignature
            };
            assert_eq!(verifier.verify(token.as_bytes(), now()), Err(wanted));
        }
    }
}

#[test]
fn an_algorithm_that_is_not_the_one_of_the_key_is_refused() {
    check_header_refused(
        &json!({"alg": "RS256", "kid": KID}).to_string(),
        &JwtError::WrongAlgorithm {
            algorithm: SigningAlgorithm::Rs256,
            key_algorithm: SigningAlgorithm::EdDsa,
        },
    );
}

#[test]
fn a_missing_algorithm_or_one_that_is_no_string_is_refused() {
    for header in [
        json!({"kid": KID}),
        json!({"alg": 1, "kid": KID}),
        json!({"alg": null}),
    ] {
        check_header_refused(&header.to_string(), &JwtError::MissingAlgorithm);
    }
}

#[test]
fn a_missing_id_or_one_that_is_no_string_is_refused() {
    for header in [
        json!({"alg": "EdDSA"}),
        json!({"alg": "EdDSA", "kid": ["a"]}),
    ] {
        check_header_refused(&header.to_string(), &JwtError::MissingKid);
    }
}

#[test]
fn an_unknown_id_is_refused() {
    for kid in ["", "other", "../../etc/passwd", "2019-10-01t21:08:45z"] {
        let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
        let kid = kid.to_owned();
        check_header_refused(&header, &JwtError::UnknownKid { kid });
    }
}

#[test]
fn an_error_repeats_only_the_beginning_of_an_id() {
    let header = json!({"alg": "EdDSA", "kid": "é".repeat(2_000)}).to_string();
    let kid = "é".repeat(MAX_SHOWN);
    check_header_refused(&header, &JwtError::UnknownKid { kid });
}

#[test]
fn a_token_that_names_another_key_of_the_set_is_refused() {
    let other = PrivateKey::generate(SigningAlgorithm::EdDsa, "other".to_owned()).unwrap();
    let verifier = verifier(&[&key(SigningAlgorithm::EdDsa), &other], every_algorithm());
    let header = json!({"alg": "EdDSA", "kid": KID}).to_string();
    let token = signed(&other, &header, "{}");
    let refused = verifier.verify(token.as_bytes(), now());
    assert_eq!(refused, Err(JwtError::InvalidSignature));
}

#[test]
fn a_token_that_names_an_unusable_key_is_refused_with_the_reason() {
    let short = json!({"keys": [{"kty": "RSA", "kid": KID, "e": "AQAB", "n": "_w".repeat(64)}]});
    let keys = JwkSet::parse(short.to_string().as_bytes()).unwrap();
    let token = sign_jwt(&key(SigningAlgorithm::Rs256), b"{}").unwrap();
    let refused = JwtVerifier::new(keys, JwtOptions::default()).verify(token.as_bytes(), now());
    let Err(JwtError::UnusableKey { kid, source }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(kid, KID);
    assert!(
        matches!(source, JwkError::RsaSize { bits: 768 }),
        "{source}"
    );
}

#[test]
fn a_bad_signature_is_refused() {
    let token = sign_jwt(&key(SigningAlgorithm::EdDsa), b"{}").unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other = sign_jwt(&key(SigningAlgorithm::EdDsa), b"{ }").unwrap();
    let (_, other_signature) = other.rsplit_once('.').unwrap();
    for signature in [
        "",
        "AA",
        other_signature,
        &signature.to_uppercase(),
        &format!("{signature}AA"),
    ] {
        let token = format!("{message}.{signature}");
        check_refused(&token, &JwtError::InvalidSignature);
    }
}

#[test]
fn duplicate_names_in_the_header_are_refused() {
    for (header, name) in [
        (
            format!(r#"{{"alg":"EdDSA","alg":"none","kid":"{KID}"}}"#),
            "alg",
        ),
        (
            format!(r#"{{"alg":"EdDSA","kid":"x","\u006bid":"{KID}"}}"#),
            "kid",
        ),
        (
            format!(r#"{{"alg":"EdDSA","kid":"{KID}","a":[{{"b":1,"b":1}}]}}"#),
            "b",
        ),
    ] {
        let (part, name) = ("header", name.to_owned());
        check_header_refused(&header, &JwtError::DuplicateMember { part, name });
    }
}

#[test]
fn keys_and_extensions_in_the_header_are_refused() {
    let jwk = key(SigningAlgorithm::EdDsa).public_jwk().to_json();
    for (member, value) in [
        ("jwk", jwk),
        ("jku", json!("https://attacker.example/jwks")),
        ("x5u", json!("https://attacker.example/x5u")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(null)),
    ] {
        let header = json!({"alg": "EdDSA", "kid": KID, member: value}).to_string();
        check_header_refused(&header, &JwtError::RefusedMember { member });
    }
    let escaped = format!(r#"{{"alg":"EdDSA","kid":"{KID}","\u0063rit":[]}}"#);
    check_header_refused(&escaped, &JwtError::RefusedMember { member: "crit" });
}

#[test]
fn other_members_of_the_header_are_ignored() {
    let header =
        json!({"alg": "EdDSA", "kid": KID, "typ": 1, "cty": "json", "x5t": "AA", "e": 1.5});
    let token = signed(&key(SigningAlgorithm::EdDsa), &header.to_string(), "{}");
    assert!(verify(&token).is_ok());
}

#[test]
fn base64_that_is_not_canonical_is_refused() {
    let token = sign_jwt(&key(SigningAlgorithm::EdDsa), b"{\"a\":1}").unwrap();
    let parts: Vec<_> = token.split('.').collect();
    for (place, part) in ["header", "payload", "signature"].into_iter().enumerate() {
        let encoded = parts[place];
        for changed in [
            format!("{encoded}="),
            format!("{encoded}=="),
            format!("{encoded}\n"),
            format!(" {encoded}"),
            format!("{encoded}+"),
            encoded.replacen(|_digit| true, "/", 1),
        ] {
            let mut parts = parts.clone();
            parts[place] = &changed;
            // The payload is decoded only after the signature was verified.
            let wanted = match part {
                "payload" => JwtError::InvalidSignature,
                _ => JwtError::InvalidBase64 { part },
            };
            check_refused(&parts.join("."), &wanted);
        }
    }
}

#[test]
fn a_payload_with_padding_is_refused_even_if_it_is_signed_so() {
    let key = key(SigningAlgorithm::EdDsa);
    let header = json!({"alg": "EdDSA", "kid": KID}).to_string();
    // The last digit of `e31` has bits after the last byte.
    for payload in ["e30=", "e31", "e30 ", "e3+0"] {
        let message = format!("{}.{payload}", to_base64url(&header));
        let signature = key.sign(message.as_bytes()).unwrap();
        let token = format!("{message}.{}", to_base64url(signature));
        check_refused(&token, &JwtError::InvalidBase64 { part: "payload" });
    }
}

#[test]
fn fewer_or_more_than_three_parts_are_refused() {
    let token = sign_jwt(&key(SigningAlgorithm::EdDsa), b"{}").unwrap();
    let (message, _) = token.rsplit_once('.').unwrap();
    for token in [
        "",
        ".",
        "a",
        "a.b",
        message,
        &format!("{token}."),
        "....",
        "a.b.c.d.e",
    ] {
        check_refused(token, &JwtError::NotThreeParts);
    }
}

#[test]
fn a_header_that_is_no_json_object_is_refused() {
    for header in ["", "[]", "null", "\"alg\"", "{", "{\"alg\"}", "\u{feff}{}"] {
        let part = "header";
        check_header_refused(header, &JwtError::NotAnObject { part });
    }
}

#[test]
fn a_token_with_quotes_or_white_space_around_it_is_refused() {
    let token = sign_jwt(&key(SigningAlgorithm::EdDsa), b"{}").unwrap();
    for token in [
        format!("\"{token}\""),
        format!(" {token}"),
        format!("{token}\r\n"),
    ] {
        assert!(verify(&token).is_err(), "{token}");
    }
}

#[test]
fn a_long_token_is_refused() {
    let key = key(SigningAlgorithm::EdDsa);
    let token = sign_jwt(&key, b"{}").unwrap();
    for (max_bytes, wanted) in [
        (token.len(), None),
        (
            token.len() - 1,
            Some(JwtError::TooLong {
                max: token.len() - 1,
            }),
        ),
    ] {
        let options = JwtOptions {
            max_bytes,
            ..every_algorithm()
        };
        let verified = verifier(&[&key], options).verify(token.as_bytes(), now());
        assert_eq!(verified.err(), wanted);
    }
    let max = 3 * 1024 * 1024;
    check_refused(&"a".repeat(max + 1), &JwtError::TooLong { max });
}

#[test]
fn a_long_header_is_refused() {
    let header = json!({"alg": "EdDSA", "kid": KID, "a": "a".repeat(MAX_HEADER_BYTES)});
    check_header_refused(&header.to_string(), &JwtError::HeaderTooLong);
}

#[test]
fn debug_output_hides_the_payload() {
    let verified = verify_claims(r#"{"name":"Ida"}"#).unwrap();
    assert!(!format!("{verified:?}").contains("Ida"));
}
