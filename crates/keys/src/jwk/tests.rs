//! Tests of single public keys.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::standard_keys::{KID, key};

const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

fn parse(jwk: &Value) -> Result<Jwk, JwkError> {
    Jwk::parse(&jwk.to_string())
}

/// The JWK of the standard key with one member changed, or removed by `null`.
fn changed(algorithm: SigningAlgorithm, member: &str, value: Value) -> Result<Jwk, JwkError> {
    let mut jwk = key(algorithm).public_jwk().to_json();
    jwk[member] = value;
    parse(&jwk)
}

#[test]
fn an_rsa_key_is_written_as_rfc_7515_appendix_a_2_has_it() {
    assert_eq!(
        key(SigningAlgorithm::Rs256).public_jwk().to_json(),
        json!({"kty": "RSA", "kid": KID, "use": "sig", "alg": "RS256", "n": RSA_N, "e": "AQAB"})
    );
}

#[test]
fn a_p256_key_is_written_as_rfc_7515_appendix_a_3_has_it() {
    assert_eq!(
        key(SigningAlgorithm::Es256).public_jwk().to_json(),
        json!({
            "kty": "EC", "kid": KID, "use": "sig", "alg": "ES256", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    );
}

#[test]
fn an_ed25519_key_is_written_as_rfc_8037_appendix_a_2_has_it() {
    assert_eq!(
        key(SigningAlgorithm::EdDsa).public_jwk().to_json(),
        json!({
            "kty": "OKP", "kid": KID, "use": "sig", "alg": "EdDSA", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    );
}

#[test]
fn a_key_is_read_back() {
    for algorithm in SigningAlgorithm::ALL {
        let jwk = key(algorithm).public_jwk().clone();
        assert_eq!(parse(&jwk.to_json()), Ok(jwk));
    }
}

#[test]
fn use_key_ops_and_alg_may_be_missing_and_other_members_are_ignored() {
    let jwk = json!({"kty": "RSA", "kid": KID, "n": RSA_N, "e": "AQAB", "x5t": 7, "new": [1]});
    assert_eq!(
        &parse(&jwk).unwrap(),
        key(SigningAlgorithm::Rs256).public_jwk()
    );
}

#[test]
fn leading_zeros_of_an_rsa_modulus_are_removed() {
    let bytes = URL_SAFE_NO_PAD.decode(RSA_N).unwrap();
    let padded = URL_SAFE_NO_PAD.encode([&[0, 0], bytes.as_slice()].concat());
    let jwk = changed(SigningAlgorithm::Rs256, "n", json!(padded)).unwrap();
    assert_eq!(jwk.to_json()["n"], RSA_N);
}

#[test]
fn an_rsa_key_under_2048_bits_or_over_8192_bits_is_refused() {
    for (bytes, bits) in [(128, 1024), (255, 2040), (256, 2047), (1025, 8200)] {
        let mut modulus = vec![0xff_u8; bytes];
        if bits == 2047 {
            modulus[0] = 0x7f;
        }
        let n = json!(URL_SAFE_NO_PAD.encode(modulus));
        let refused = changed(SigningAlgorithm::Rs256, "n", n);
        assert_eq!(refused, Err(JwkError::RsaSize { bits }));
    }
    let empty = changed(SigningAlgorithm::Rs256, "n", json!(""));
    assert_eq!(empty, Err(JwkError::RsaSize { bits: 0 }));
}

#[test]
fn an_rsa_exponent_that_is_missing_one_even_or_too_large_is_refused() {
    let exponents: [&[u8]; 6] = [&[], &[0], &[1], &[2], &[1, 0, 0], &[4, 0, 0, 0, 1]];
    for exponent in exponents {
        let e = json!(URL_SAFE_NO_PAD.encode(exponent));
        let refused = changed(SigningAlgorithm::Rs256, "e", e);
        assert_eq!(refused, Err(JwkError::Rejected), "{exponent:?}");
    }
    assert!(
        changed(SigningAlgorithm::Rs256, "e", json!("Aw")).is_ok(),
        "3"
    );
}

#[test]
fn an_even_rsa_modulus_is_refused() {
    let mut bytes = URL_SAFE_NO_PAD.decode(RSA_N).unwrap();
    *bytes.last_mut().unwrap() &= 0xfe;
    let n = json!(URL_SAFE_NO_PAD.encode(bytes));
    let refused = changed(SigningAlgorithm::Rs256, "n", n);
    assert_eq!(refused, Err(JwkError::Rejected));
}

#[test]
fn a_point_that_is_not_on_the_curve_is_refused() {
    let y = json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1");
    assert_eq!(
        changed(SigningAlgorithm::Es256, "y", y),
        Err(JwkError::InvalidBase64 { member: "y" }),
        "the last digit has bits after the last byte"
    );
    let y = json!("AfFEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    assert_eq!(
        changed(SigningAlgorithm::Es256, "y", y),
        Err(JwkError::Rejected)
    );
}

#[test]
fn a_coordinate_with_another_length_is_refused() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        for bytes in [0, 31, 33] {
            let x = json!(URL_SAFE_NO_PAD.encode(vec![1; bytes]));
            let refused = changed(algorithm, "x", x);
            assert_eq!(refused, Err(JwkError::InvalidLength { member: "x" }));
        }
    }
}

#[test]
fn a_key_without_a_required_member_is_refused() {
    let members = [
        (SigningAlgorithm::Rs256, vec!["kty", "kid", "n", "e"]),
        (SigningAlgorithm::Es256, vec!["kty", "kid", "crv", "x", "y"]),
        (SigningAlgorithm::EdDsa, vec!["kty", "kid", "crv", "x"]),
    ];
    for (algorithm, members) in members {
        for member in members {
            let refused = changed(algorithm, member, Value::Null);
            assert_eq!(refused, Err(JwkError::Missing { member }));
        }
    }
}

#[test]
fn a_key_for_another_use_is_refused() {
    let algorithm = SigningAlgorithm::Rs256;
    for (member, value) in [("use", json!("enc")), ("key_ops", json!(["sign"]))] {
        assert_eq!(
            changed(algorithm, member, value),
            Err(JwkError::NotForSignatures)
        );
    }
    assert!(changed(algorithm, "key_ops", json!(["verify"])).is_ok());
}

#[test]
fn a_key_for_another_algorithm_is_refused() {
    for name in ["RS512", "PS256", "ES256", "HS256", "none", "rs256"] {
        let refused = changed(SigningAlgorithm::Rs256, "alg", json!(name));
        let name = name.to_owned();
        assert_eq!(refused, Err(JwkError::UnsupportedAlgorithm { name }));
    }
}

#[test]
fn unknown_key_types_and_curves_are_refused() {
    for (kty, crv, name) in [
        ("oct", None, "oct"),
        ("AKP", None, "AKP"),
        ("rsa", None, "rsa"),
        ("EC", Some("P-384"), "P-384"),
        ("EC", Some("Ed25519"), "Ed25519"),
        ("OKP", Some("X25519"), "X25519"),
        ("OKP", Some("P-256"), "P-256"),
    ] {
        let jwk = json!({"kty": kty, "crv": crv, "kid": "1", "k": "AA", "x": "AA", "y": "AA"});
        let name = name.to_owned();
        assert_eq!(parse(&jwk), Err(JwkError::UnsupportedType { name }));
    }
}

#[test]
fn members_of_another_type_and_duplicate_members_are_refused() {
    for json in [
        r#"{"kty":1}"#,
        r#"{"kty":"RSA","kty":"RSA"}"#,
        "[]",
        "{",
        "",
    ] {
        let refused = Jwk::parse(json);
        assert!(
            matches!(refused, Err(JwkError::InvalidJson { .. })),
            "{json}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_as_numbers_give_a_key_or_an_error(
        n in prop::collection::vec(any::<u8>(), 250..260),
        e in prop::collection::vec(any::<u8>(), 0..6),
        x in any::<[u8; 32]>(),
    ) {
        let (n, e, x) = (
            URL_SAFE_NO_PAD.encode(n),
            URL_SAFE_NO_PAD.encode(e),
            URL_SAFE_NO_PAD.encode(x),
        );
        for jwk in [
            json!({"kty": "RSA", "kid": "1", "n": n, "e": e}),
            json!({"kty": "EC", "crv": "P-256", "kid": "1", "x": x, "y": x}),
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}),
        ] {
            if let Ok(key) = parse(&jwk) {
                prop_assert!(!key.verifies(b"message", b"signature"));
            }
        }
    }
}
