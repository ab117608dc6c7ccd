//! A bearer that Canvas's own library made, and bearers that must be refused.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::{ServicesJwtError, ServicesJwtSecrets, ServicesJwtVerifier};
use crate::private_key::PrivateKey;
use crate::{JwkSet, Secret, SigningAlgorithm};

/// Made by Ruby's json-jwt with the secrets of [`secrets`].
const BEARER: &str = include_str!("../../fixtures/services-jwt-bearer.txt");
/// The JWE in the bearer.
const JWE: &str = include_str!("../../fixtures/services-jwt-jwe.txt");
/// `iat` in the bearer. `nbf` is 30 s before, and `exp` is an hour later.
const ISSUED_AT: i64 = 1_700_000_000;

const SECRET: &str = "astringthatisactually32byteslong";
const HS256: &str = r#"{"typ":"JWT","alg":"HS256"}"#;
const DIR: &str = r#"{"alg":"dir","enc":"A256GCM"}"#;

fn secrets() -> ServicesJwtSecrets {
    ServicesJwtSecrets {
        encryption: Secret::new(SECRET.to_owned()),
        signing: Secret::new(SECRET.to_owned()),
        deprecated_signing: None,
        keys: JwkSet::default(),
    }
}

fn verify(
    secrets: &ServicesJwtSecrets,
    bearer: &str,
    at: i64,
) -> Result<Vec<u8>, ServicesJwtError> {
    let verifier = ServicesJwtVerifier::new(secrets).unwrap();
    let now = Timestamp::from_second(at).unwrap();
    verifier.verify(bearer.as_bytes(), now)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Makes a JWS with HMAC.
fn jws(header: &str, claims: &str, secret: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", encode(mac.finalize().into_bytes()))
}

/// Makes a JWE with direct encryption.
fn jwe(header: &str, text: &str, secret: &str) -> String {
    let header = encode(header);
    let key = UnboundKey::new(&AES_256_GCM, secret.as_bytes()).unwrap();
    let mut sealed = text.as_bytes().to_vec();
    let nonce = Nonce::assume_unique_for_key([7; 12]);
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(nonce, Aad::from(header.as_bytes()), &mut sealed)
        .unwrap();
    format!(
        "{header}..{}.{}.{}",
        encode([7; 12]),
        encode(sealed),
        encode(tag)
    )
}

/// The bearer of a JWS with these parts, as Canvas makes it.
fn bearer(header: &str, claims: &str) -> String {
    STANDARD.encode(jwe(DIR, &jws(header, claims, SECRET), SECRET))
}

#[test]
fn a_bearer_of_canvas_is_accepted_and_its_claims_are_returned() {
    for text in [BEARER.trim(), JWE.trim()] {
        let claims = verify(&secrets(), text, ISSUED_AT).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["DeveloperKey"], "10000000000003");
        assert_eq!(claims["RootAccountUUID"], "random-account-uuid");
    }
}

#[test]
fn the_times_are_checked_and_a_clock_that_is_behind_is_forgiven() {
    let bearer = BEARER.trim();
    for (at, wanted) in [
        (ISSUED_AT + 3_599, Ok(())),
        (ISSUED_AT + 3_600, Err(ServicesJwtError::Expired)),
        (ISSUED_AT - 30, Ok(())),
        (ISSUED_AT - 300, Ok(())),
        (ISSUED_AT - 301, Err(ServicesJwtError::NotYetValid)),
    ] {
        assert_eq!(verify(&secrets(), bearer, at).map(drop), wanted, "{at}");
    }
    // The kindness does not make an expired token valid.
    let claims = format!(r#"{{"iat":{},"exp":{}}}"#, ISSUED_AT + 100, ISSUED_AT + 50);
    let expired = verify(&secrets(), &self::bearer(HS256, &claims), ISSUED_AT);
    assert_eq!(expired, Err(ServicesJwtError::Expired));
}

#[test]
fn the_deprecated_secret_signs_too_and_other_members_of_headers_are_ignored() {
    let rotated = ServicesJwtSecrets {
        signing: Secret::new("new".to_owned()),
        deprecated_signing: Some(Secret::new(SECRET.to_owned())),
        ..secrets()
    };
    verify(&rotated, BEARER.trim(), ISSUED_AT).unwrap();
    let hosted = r#"{"alg":"dir","enc":"A256GCM","region":"us-east-1","environment":"production"}"#;
    let token = jwe(hosted, &jws(HS256, "{}", SECRET), SECRET);
    verify(&secrets(), &token, ISSUED_AT).unwrap();
}

#[test]
fn a_token_signed_with_a_known_rsa_key_is_accepted() {
    let key = PrivateKey::generate(SigningAlgorithm::Rs256, "2026-01-01T00:00:00Z".to_owned());
    let key = key.unwrap();
    let header = r#"{"typ":"JWT","alg":"RS256","kid":"2026-01-01T00:00:00Z"}"#;
    let signed = format!("{}.{}", encode(header), encode("{}"));
    let signature = key.sign(signed.as_bytes()).unwrap();
    let token = jwe(DIR, &format!("{signed}.{}", encode(signature)), SECRET);
    let unknown = verify(&secrets(), &token, ISSUED_AT);
    assert_eq!(unknown, Err(ServicesJwtError::UnknownKey));
    let with_keys = ServicesJwtSecrets {
        keys: JwkSet::new(vec![key.public_jwk().clone()]).unwrap(),
        ..secrets()
    };
    verify(&with_keys, &token, ISSUED_AT).unwrap();
    let changed = format!("{signed}x.{}", encode(key.sign(signed.as_bytes()).unwrap()));
    let changed = verify(&with_keys, &jwe(DIR, &changed, SECRET), ISSUED_AT);
    assert_eq!(changed, Err(ServicesJwtError::InvalidSignature));
}

/// Bearers that must be refused, each with the reason.
fn malformed() -> Vec<(&'static str, String, ServicesJwtError)> {
    use ServicesJwtError as E;
    let jwe_of = |header: &str| jwe(header, &jws(HS256, "{}", SECRET), SECRET);
    let wrapped = |jws: &str| jwe(DIR, jws, SECRET);
    let parts: Vec<_> = JWE.trim().split('.').collect();
    let with_part = |index: usize, part: &str| {
        let mut parts = parts.clone();
        parts[index] = part;
        parts.join(".")
    };
    let other = "anotherstringthathasthirtytwobyt";
    let plain = jws(HS256, "{}", SECRET);
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode("{}"));
    vec![
        (
            "empty",
            String::new(),
            E::Parts {
                part: "JWE",
                count: 5,
            },
        ),
        ("no base64", "Bearer?".to_owned(), E::NotBase64),
        (
            "base64 without padding",
            BEARER.trim().trim_end_matches('=').to_owned() + "Q",
            E::NotBase64,
        ),
        (
            "base64url outside",
            URL_SAFE_NO_PAD.encode("\u{fb}\u{fb}>>??"),
            E::NotBase64,
        ),
        (
            "a plain JWS",
            plain.clone(),
            E::Parts {
                part: "JWE",
                count: 5,
            },
        ),
        (
            "a plain JWS in base64",
            STANDARD.encode(&plain),
            E::Parts {
                part: "JWE",
                count: 5,
            },
        ),
        (
            "six parts",
            format!("{}.x", JWE.trim()),
            E::Parts {
                part: "JWE",
                count: 5,
            },
        ),
        (
            "no tag",
            parts[..4].join("."),
            E::Parts {
                part: "JWE",
                count: 5,
            },
        ),
        ("an empty tag", with_part(4, ""), E::NotDecrypted),
        (
            "a short tag",
            with_part(4, parts[4].get(..16).unwrap()),
            E::NotDecrypted,
        ),
        (
            "a changed tag",
            with_part(4, &encode([0; 16])),
            E::NotDecrypted,
        ),
        (
            "a changed text",
            with_part(3, &encode([0; 64])),
            E::NotDecrypted,
        ),
        (
            "another IV",
            with_part(2, &encode([0; 12])),
            E::NotDecrypted,
        ),
        ("a long IV", with_part(2, &encode([0; 16])), E::NotDecrypted),
        ("an encrypted key", with_part(1, "AAAA"), E::NotDecrypted),
        (
            "another header",
            with_part(0, &encode(r#"{"enc":"A256GCM","alg":"dir"}"#)),
            E::NotDecrypted,
        ),
        (
            "padding inside",
            format!("{}=", JWE.trim()),
            E::NotBase64Url { part: "JWE" },
        ),
        (
            "A128GCM",
            jwe_of(r#"{"alg":"dir","enc":"A128GCM"}"#),
            E::Algorithm { part: "JWE" },
        ),
        (
            "A256KW",
            jwe_of(r#"{"alg":"A256KW","enc":"A256GCM"}"#),
            E::Algorithm { part: "JWE" },
        ),
        (
            "no alg",
            jwe_of(r#"{"enc":"A256GCM"}"#),
            E::Algorithm { part: "JWE" },
        ),
        (
            "zip",
            jwe_of(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#),
            E::RefusedMember { member: "zip" },
        ),
        (
            "crit",
            jwe_of(r#"{"alg":"dir","enc":"A256GCM","crit":["x"]}"#),
            E::RefusedMember { member: "crit" },
        ),
        (
            "two algs",
            jwe_of(r#"{"alg":"dir","alg":"dir","enc":"A256GCM"}"#),
            E::Json { part: "JWE" },
        ),
        (
            "a header that is no object",
            jwe_of("7"),
            E::Json { part: "JWE" },
        ),
        (
            "another encryption secret",
            jwe(DIR, &plain, other),
            E::NotDecrypted,
        ),
        (
            "another signing secret",
            wrapped(&jws(HS256, "{}", other)),
            E::InvalidSignature,
        ),
        ("alg none", wrapped(&unsigned), E::Algorithm { part: "JWS" }),
        (
            "HS512",
            wrapped(&jws(r#"{"alg":"HS512"}"#, "{}", SECRET)),
            E::Algorithm { part: "JWS" },
        ),
        (
            "RS256 without a key",
            wrapped(&jws(r#"{"alg":"RS256","kid":"a"}"#, "{}", SECRET)),
            E::UnknownKey,
        ),
        (
            "a key in the header",
            wrapped(&jws(r#"{"alg":"HS256","jwk":{}}"#, "{}", SECRET)),
            E::RefusedMember { member: "jwk" },
        ),
        (
            "text that is no JWS",
            wrapped("{}"),
            E::Parts {
                part: "JWS",
                count: 3,
            },
        ),
        (
            "an empty signature",
            wrapped(&format!("{}.{}.", encode(HS256), encode("{}"))),
            E::InvalidSignature,
        ),
        (
            "claims that are no object",
            bearer(HS256, "[]"),
            E::Json { part: "claims" },
        ),
        (
            "two exps",
            bearer(HS256, r#"{"exp":1800000000,"exp":1}"#),
            E::Json { part: "claims" },
        ),
        (
            "exp as a text",
            bearer(HS256, r#"{"exp":"1800000000"}"#),
            E::InvalidTime { claim: "exp" },
        ),
        (
            "expired",
            bearer(HS256, r#"{"exp":1699999999}"#),
            E::Expired,
        ),
        (
            "not valid yet",
            bearer(HS256, r#"{"nbf":1700000001}"#),
            E::NotYetValid,
        ),
        ("too long", "A".repeat(40_000), E::TooLong),
    ]
}

#[test]
fn a_malformed_bearer_is_refused() {
    let all = malformed();
    assert!(all.len() >= 20);
    for (name, text, wanted) in all {
        assert_eq!(verify(&secrets(), &text, ISSUED_AT), Err(wanted), "{name}");
    }
}

#[test]
fn every_single_changed_character_is_refused() {
    let jwe = JWE.trim();
    for index in 0..jwe.len() {
        let mut changed = jwe.as_bytes().to_vec();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let text = String::from_utf8(changed).unwrap();
        assert!(verify(&secrets(), &text, ISSUED_AT).is_err(), "{index}");
    }
}

#[test]
fn secrets_of_another_form_are_refused() {
    for (encryption, signing) in [("short", "s"), (SECRET, ""), ("", "s")] {
        let secrets = ServicesJwtSecrets {
            encryption: Secret::new(encryption.to_owned()),
            signing: Secret::new(signing.to_owned()),
            ..secrets()
        };
        assert!(ServicesJwtVerifier::new(&secrets).is_err());
    }
}
