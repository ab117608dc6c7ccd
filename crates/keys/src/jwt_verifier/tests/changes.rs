//! Tests with changed and random tokens.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::standard_keys::key_with_id;

/// A token of each algorithm, and a verifier that accepts all of them.
static TOKENS: LazyLock<(Vec<String>, JwtVerifier)> = LazyLock::new(|| {
    let keys = SigningAlgorithm::ALL.map(|name| key_with_id(name, name.as_str()));
    let claims = json!({"exp": NOW + 60, "iss": "a", "body": {"n": 1}}).to_string();
    let tokens = keys
        .iter()
        .map(|key| sign_jwt(key, claims.as_bytes()).unwrap());
    (
        tokens.collect(),
        verifier(&keys.each_ref(), every_algorithm()),
    )
});

#[test]
fn the_tokens_of_the_property_tests_are_valid() {
    let (tokens, verifier) = &*TOKENS;
    for token in tokens {
        assert!(verifier.verify(token.as_bytes(), now()).is_ok());
    }
}

/// The digits of base64url and some other bytes, so that changes often stay canonical.
fn likely_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        9 => prop::sample::select(&b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[..]),
        1 => any::<u8>(),
    ]
}

proptest! {
    #[test]
    fn any_change_of_one_byte_is_refused(place in any::<prop::sample::Index>(), byte in likely_byte()) {
        let (tokens, verifier) = &*TOKENS;
        for token in tokens {
            let mut token = token.clone().into_bytes();
            let place = place.index(token.len());
            if token[place] != byte {
                token[place] = byte;
                prop_assert!(verifier.verify(&token, now()).is_err());
            }
        }
    }

    #[test]
    fn any_removal_or_insertion_of_one_byte_is_refused(
        place in any::<prop::sample::Index>(),
        byte in likely_byte(),
    ) {
        let (tokens, verifier) = &*TOKENS;
        for token in tokens {
            let mut shorter = token.clone().into_bytes();
            shorter.remove(place.index(shorter.len()));
            prop_assert!(verifier.verify(&shorter, now()).is_err());
            let mut longer = token.clone().into_bytes();
            longer.insert(place.index(longer.len() + 1), byte);
            prop_assert!(verifier.verify(&longer, now()).is_err());
        }
    }

    #[test]
    fn any_bytes_are_refused(token in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(TOKENS.1.verify(&token, now()).is_err());
    }

    #[test]
    fn any_parts_are_refused(header in "\\PC*", payload in "\\PC*", signature in any::<[u8; 64]>()) {
        for header in [header, json!({"alg": "EdDSA", "kid": "EdDSA"}).to_string()] {
            let parts = [header.into_bytes(), payload.clone().into_bytes(), signature.to_vec()];
            let token = parts.map(to_base64url).join(".");
            prop_assert!(TOKENS.1.verify(token.as_bytes(), now()).is_err());
        }
    }

    #[test]
    fn any_signed_payload_is_returned_or_refused(payload in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..50),
        "\\{(\"(exp|nbf|iss|a)\":(1|-?[0-9]{1,20}|\"a\"|\\{\\}|null),?){0,3}\\}".prop_map(String::into_bytes),
    ]) {
        let token = sign_jwt(&key(SigningAlgorithm::EdDsa), &payload).unwrap();
        if let Ok(verified) = verify(&token) {
            prop_assert_eq!(verified.payload, payload);
        }
    }
}
