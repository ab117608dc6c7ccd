//! Tests of webhook secrets.

use proptest::prelude::*;

use super::*;

/// The example of the Standard Webhooks libraries.
const SYMMETRIC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIMESTAMP: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;

/// The key of RFC 8037 appendix A, without and with its public key.
const SEED: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PAIR: &str =
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn parse(text: &str) -> WebhookSecret {
    WebhookSecret::parse(text).unwrap()
}

#[test]
fn the_published_example_has_its_signature() {
    let signature = parse(SYMMETRIC).sign(ID, TIMESTAMP, BODY);
    let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert_eq!(signature.as_deref(), Ok(wanted));
}

/// The signature was made by the Python package `cryptography`.
#[test]
fn an_asymmetric_secret_has_the_signature_of_ed25519() {
    let wanted = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==";
    for text in [SEED, PAIR] {
        let signature = parse(text).sign(ID, TIMESTAMP, BODY);
        assert_eq!(signature.as_deref(), Ok(wanted));
    }
}

#[test]
fn a_secret_is_read_back() {
    for text in [SYMMETRIC, PAIR] {
        assert_eq!(parse(text).to_text().expose(), text);
    }
    assert_eq!(parse(SEED).to_text().expose(), PAIR);
}

#[test]
fn only_an_asymmetric_secret_has_a_public_key() {
    assert_eq!(parse(SYMMETRIC).public_text(), None);
    assert_eq!(parse(SEED).public_text().as_deref(), Some(PUBLIC));
}

#[test]
fn generated_secrets_differ_and_are_read_back() {
    let generate = [
        WebhookSecret::generate_symmetric,
        WebhookSecret::generate_asymmetric,
    ];
    for (generate, prefix) in generate.into_iter().zip(["whsec_", "whsk_"]) {
        let text = generate().unwrap().to_text();
        assert!(text.expose().starts_with(prefix));
        assert_eq!(parse(text.expose()).to_text(), text);
        assert_ne!(generate().unwrap().to_text(), text);
    }
}

#[test]
fn the_padding_may_be_missing() {
    assert_eq!(parse(PAIR.trim_end_matches('=')).to_text().expose(), PAIR);
}

#[track_caller]
fn check_refused(text: &str, wanted: WebhookSecretError) {
    assert_eq!(WebhookSecret::parse(text).err(), Some(wanted), "{text}");
}

#[test]
fn another_prefix_is_refused() {
    let wanted = WebhookSecretError::UnknownPrefix {
        expected: "whsec_ or whsk_",
    };
    for text in [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WHSEC_AAAA",
        " whsec_AAAA",
        PUBLIC,
    ] {
        check_refused(text, wanted);
    }
}

#[test]
fn a_symmetric_secret_has_24_to_64_bytes() {
    for bytes in [0, 1, 23, 65, 1000] {
        let text = format!("whsec_{}", STANDARD.encode(vec![1; bytes]));
        check_refused(&text, WebhookSecretError::SymmetricLength { bytes });
    }
    for bytes in [24, 32, 64] {
        parse(&format!("whsec_{}", STANDARD.encode(vec![1; bytes])));
    }
}

#[test]
fn an_asymmetric_secret_has_32_or_64_bytes() {
    for bytes in [0, 31, 33, 63, 65] {
        let text = format!("whsk_{}", STANDARD.encode(vec![1; bytes]));
        check_refused(&text, WebhookSecretError::PrivateLength { bytes });
    }
}

#[test]
fn a_public_key_that_is_not_the_one_of_the_seed_is_refused() {
    let text = format!("whsk_{}", STANDARD.encode([1; 64]));
    check_refused(&text, WebhookSecretError::Inconsistent);
}

#[test]
fn text_that_is_not_base64_is_refused() {
    for encoded in [
        "*",
        "A",
        "AB==",
        "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
        "AAAA\n",
    ] {
        for prefix in ["whsec_", "whsk_"] {
            let text = format!("{prefix}{encoded}");
            check_refused(&text, WebhookSecretError::InvalidBase64);
        }
    }
}

#[test]
fn an_id_with_a_dot_is_not_signed() {
    let refused = parse(SYMMETRIC).sign("a.1", TIMESTAMP, BODY);
    assert_eq!(refused, Err(WebhookSignError::DotInId));
}

#[test]
fn a_header_has_one_signature_for_each_secret() {
    let secrets = [parse(SYMMETRIC), parse(SEED)];
    let header = WebhookSecret::signature_header(&secrets, ID, TIMESTAMP, BODY).unwrap();
    let signatures = secrets.map(|secret| secret.sign(ID, TIMESTAMP, BODY).unwrap());
    assert_eq!(header, signatures.join(" "));
}

#[test]
fn debug_output_hides_the_secret() {
    assert_eq!(format!("{:?}", parse(SYMMETRIC)), "WebhookSecret(whsec_…)");
    assert_eq!(format!("{:?}", parse(SEED)), "WebhookSecret(whsk_…)");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_repeating_the_secret(
        prefix in "(whsec_|whsk_|whpk_|)",
        encoded in "[A-Za-z0-9+/=*é]{5,90}",
    ) {
        if let Err(error) = WebhookSecret::parse(&format!("{prefix}{encoded}")) {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(&encoded));
        }
    }
}
