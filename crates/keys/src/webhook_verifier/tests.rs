//! Tests of the verifier of webhooks.

use proptest::prelude::*;

use super::*;

const SYMMETRIC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const SEED: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIMESTAMP: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;

fn signature_of(secret: &str) -> String {
    let secret = WebhookSecret::parse(secret).unwrap();
    secret.sign(ID, TIMESTAMP, BODY).unwrap()
}

fn verifier(keys: &[&str]) -> WebhookVerifier {
    let keys = keys.iter().map(|text| WebhookKey::parse(text).unwrap());
    WebhookVerifier::new(keys.collect())
}

fn headers(signature: &str) -> WebhookHeaders<'_> {
    WebhookHeaders {
        id: ID,
        timestamp: "1614265330",
        signature,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn verify(keys: &[&str], signature: &str) -> Result<(), WebhookVerifyError> {
    verifier(keys).verify(&headers(signature), BODY, at(TIMESTAMP))
}

#[test]
fn the_published_example_is_accepted() {
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert_eq!(verify(&[SYMMETRIC], signature), Ok(()));
}

#[test]
fn an_asymmetric_signature_is_accepted_with_the_secret_or_the_public_key() {
    for key in [SEED, PUBLIC] {
        assert_eq!(verify(&[key], &signature_of(SEED)), Ok(()));
    }
}

#[test]
fn one_valid_signature_with_one_of_the_keys_is_enough() {
    let header = format!(
        "{} v9,AAAA {}",
        signature_of(OTHER),
        signature_of(SYMMETRIC)
    );
    assert_eq!(verify(&[SYMMETRIC], &header), Ok(()));
    assert_eq!(verify(&[PUBLIC, OTHER], &header), Ok(()));
    assert_eq!(
        verify(&[PUBLIC], &header),
        Err(WebhookVerifyError::InvalidSignature)
    );
}

#[test]
fn a_signature_of_another_key_or_version_is_refused() {
    let symmetric = signature_of(SYMMETRIC);
    let asymmetric = signature_of(SEED);
    for (key, signature) in [
        (OTHER, symmetric.clone()),
        (SYMMETRIC, symmetric.replace("v1,", "v1a,")),
        (SYMMETRIC, symmetric.replace("v1,", "v2,")),
        (SYMMETRIC, symmetric.replace("v1,", "")),
        (SYMMETRIC, symmetric.replace('=', "")),
        (SYMMETRIC, symmetric.chars().take(20).collect()),
        (SYMMETRIC, asymmetric.clone()),
        (PUBLIC, symmetric),
        (PUBLIC, asymmetric.replace("v1a,", "v1,")),
        (SEED, asymmetric.replace("v1a,", "v1,")),
        (SYMMETRIC, "v1,".to_owned()),
        (SYMMETRIC, String::new()),
    ] {
        let refused = verify(&[key], &signature);
        assert_eq!(
            refused,
            Err(WebhookVerifyError::InvalidSignature),
            "{signature}"
        );
    }
    let refused = verify(&[], &asymmetric);
    assert_eq!(refused, Err(WebhookVerifyError::InvalidSignature));
}

#[test]
fn another_id_timestamp_or_body_is_refused() {
    let signature = signature_of(SYMMETRIC);
    let valid = headers(&signature);
    let verifier = verifier(&[SYMMETRIC]);
    let check = |headers: &WebhookHeaders<'_>, body: &[u8]| {
        let refused = verifier.verify(headers, body, at(TIMESTAMP));
        assert_eq!(
            refused,
            Err(WebhookVerifyError::InvalidSignature),
            "{headers:?}"
        );
    };
    check(&WebhookHeaders { id: "msg", ..valid }, BODY);
    check(
        &WebhookHeaders {
            timestamp: "1614265331",
            ..valid
        },
        BODY,
    );
    check(&valid, b"{}");
}

#[test]
fn a_timestamp_outside_the_tolerance_is_refused() {
    let signature = signature_of(SYMMETRIC);
    let check = |now, wanted| {
        let verified = verifier(&[SYMMETRIC]).verify(&headers(&signature), BODY, at(now));
        assert_eq!(verified, wanted, "{now}");
    };
    let timestamp = TIMESTAMP;
    check(TIMESTAMP + 300, Ok(()));
    check(
        TIMESTAMP + 301,
        Err(WebhookVerifyError::TooOld { timestamp }),
    );
    check(TIMESTAMP - 300, Ok(()));
    check(
        TIMESTAMP - 301,
        Err(WebhookVerifyError::InTheFuture { timestamp }),
    );
}

#[test]
fn the_tolerance_can_be_changed() {
    let signature = signature_of(SYMMETRIC);
    let verifier = verifier(&[SYMMETRIC]).with_tolerance(Duration::MAX);
    assert_eq!(verifier.verify(&headers(&signature), BODY, at(0)), Ok(()));
}

#[test]
fn a_timestamp_that_is_not_a_plain_integer_is_refused() {
    let signature = signature_of(SYMMETRIC);
    for timestamp in [
        "",
        "+1614265330",
        "01614265330",
        "1614265330.0",
        " 1614265330",
        "1e9",
        "9999999999999999999",
    ] {
        let headers = WebhookHeaders {
            timestamp,
            ..headers(&signature)
        };
        let refused = verifier(&[SYMMETRIC]).verify(&headers, BODY, at(TIMESTAMP));
        assert_eq!(
            refused,
            Err(WebhookVerifyError::InvalidTimestamp),
            "{timestamp}"
        );
    }
}

#[test]
fn an_id_with_a_dot_is_refused() {
    let signature = signature_of(SYMMETRIC);
    let headers = WebhookHeaders {
        id: "msg.1",
        ..headers(&signature)
    };
    let refused = verifier(&[SYMMETRIC]).verify(&headers, BODY, at(TIMESTAMP));
    assert_eq!(refused, Err(WebhookVerifyError::DotInId));
}

#[test]
fn a_header_with_too_many_signatures_is_refused() {
    let most = [signature_of(OTHER).as_str(); MAX_SIGNATURES - 1].join(" ");
    let signature = signature_of(SYMMETRIC);
    assert_eq!(verify(&[SYMMETRIC], &format!("{most} {signature}")), Ok(()));
    let refused = verify(&[SYMMETRIC], &format!("{most} v1,AAAA {signature}"));
    assert_eq!(refused, Err(WebhookVerifyError::TooManySignatures));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let wanted = WebhookSecretError::UnknownPrefix {
        expected: "whsec_, whsk_ or whpk_",
    };
    assert_eq!(WebhookKey::parse("secret").err(), Some(wanted));
    for text in [
        "whpk_",
        "whpk_AAAA",
        "whpk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
    ] {
        let refused = WebhookKey::parse(text).err();
        assert_eq!(
            refused,
            Some(WebhookSecretError::InvalidPublicKey),
            "{text}"
        );
    }
    let refused = WebhookKey::parse("whpk_*").err();
    assert_eq!(refused, Some(WebhookSecretError::InvalidBase64));
}

#[test]
fn debug_output_hides_the_secret() {
    let shown = format!("{:?}", verifier(&[SYMMETRIC, SEED, PUBLIC]));
    assert!(
        !shown.contains("MfKQ") && !shown.contains("nWGx"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn any_text_as_a_key_is_read_or_refused(
        prefix in "(whsec_|whsk_|whpk_|)",
        encoded in "[A-Za-z0-9+/=*é]{0,90}",
    ) {
        if let Ok(key) = WebhookKey::parse(&format!("{prefix}{encoded}")) {
            let verifier = WebhookVerifier::new(vec![key]);
            let headers = headers("v1,AAAA v1a,AAAA");
            prop_assert!(verifier.verify(&headers, BODY, at(TIMESTAMP)).is_err());
        }
    }

    #[test]
    fn any_headers_are_refused(id in "\\PC*", timestamp in "[0-9-]{0,20}|1614265330", signature in "(v1a?,[A-Za-z0-9+/=]{0,90} ?|\\PC){0,4}") {
        let headers = WebhookHeaders { id: &id, timestamp: &timestamp, signature: &signature };
        prop_assert!(verifier(&[SYMMETRIC, PUBLIC]).verify(&headers, BODY, at(TIMESTAMP)).is_err());
    }

    #[test]
    fn what_a_secret_signs_is_accepted(
        id in "[a-z0-9-]{0,20}",
        timestamp in -1_000_000_000_000_i64..100_000_000_000,
        body in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        for text in [SYMMETRIC, SEED] {
            let secret = WebhookSecret::parse(text).unwrap();
            let signature = secret.sign(&id, timestamp, &body).unwrap();
            let headers = WebhookHeaders {
                id: &id,
                timestamp: &timestamp.to_string(),
                signature: &signature,
            };
            let verifier = WebhookVerifier::new(vec![secret.into()]).with_tolerance(Duration::MAX);
            prop_assert_eq!(verifier.verify(&headers, &body, at(0)), Ok(()));
        }
    }
}
