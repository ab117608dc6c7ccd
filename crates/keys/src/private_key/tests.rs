//! Tests of private keys.

use crate::standard_keys::{KID, from_base64url, key, pkcs8, to_base64url};
use crate::{PrivateKey, PrivateKeyError, SigningAlgorithm};

const RFC_7515_PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

#[test]
fn rs256_gives_the_signature_of_rfc_7515_appendix_a_2() {
    let message = format!("eyJhbGciOiJSUzI1NiJ9.{RFC_7515_PAYLOAD}");
    let signature = key(SigningAlgorithm::Rs256).sign(message.as_bytes());
    assert_eq!(
        to_base64url(signature.unwrap()),
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
}

#[test]
fn es256_verifies_the_signature_of_rfc_7515_appendix_a_3() {
    let message = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}");
    let signature = from_base64url(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    let key = key(SigningAlgorithm::Es256);
    assert!(key.public_jwk().verifies(message.as_bytes(), &signature));
    assert!(!key.public_jwk().verifies(b"another message", &signature));
}

#[test]
fn eddsa_gives_the_signature_of_rfc_8037_appendix_a_4() {
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = key(SigningAlgorithm::EdDsa).sign(message);
    assert_eq!(
        to_base64url(signature.unwrap()),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn a_generated_key_signs_what_its_public_key_verifies() {
    for algorithm in SigningAlgorithm::ALL {
        let key = PrivateKey::generate(algorithm, KID.to_owned()).unwrap();
        assert_eq!((key.algorithm(), key.kid()), (algorithm, KID));
        let signature = key.sign(b"message").unwrap();
        assert!(key.public_jwk().verifies(b"message", &signature));
        assert!(!key.public_jwk().verifies(b"massage", &signature));
        let length = if algorithm == SigningAlgorithm::Rs256 {
            256
        } else {
            64
        };
        assert_eq!(signature.len(), length, "{algorithm}");
    }
}

#[test]
fn a_key_is_read_back_from_its_pkcs8_form() {
    for algorithm in SigningAlgorithm::ALL {
        let key = PrivateKey::generate(algorithm, KID.to_owned()).unwrap();
        let der = key.to_pkcs8().unwrap();
        let read = PrivateKey::from_pkcs8(algorithm, KID.to_owned(), der.expose()).unwrap();
        assert_eq!(read.public_jwk(), key.public_jwk());
        let signature = read.sign(b"message").unwrap();
        assert!(key.public_jwk().verifies(b"message", &signature));
    }
}

#[test]
fn the_pkcs8_form_is_the_one_that_other_programs_write() {
    for algorithm in SigningAlgorithm::ALL {
        let der = key(algorithm).to_pkcs8().unwrap();
        assert_eq!(der.expose().as_slice(), pkcs8(algorithm), "{algorithm}");
    }
}

#[test]
fn a_key_of_another_algorithm_is_refused() {
    for algorithm in SigningAlgorithm::ALL {
        for other in SigningAlgorithm::ALL {
            let read = PrivateKey::from_pkcs8(algorithm, KID.to_owned(), pkcs8(other));
            assert_eq!(read.is_ok(), algorithm == other, "{other} as {algorithm}");
        }
    }
}

#[track_caller]
fn check_refused(algorithm: SigningAlgorithm, pkcs8: &[u8]) {
    let read = PrivateKey::from_pkcs8(algorithm, KID.to_owned(), pkcs8);
    assert!(
        matches!(read, Err(PrivateKeyError::Read { .. })),
        "{read:?}"
    );
}

#[test]
fn an_rsa_key_of_1024_bits_is_refused() {
    let short: &[u8] = include_bytes!("../../fixtures/rsa-1024.pkcs8");
    check_refused(SigningAlgorithm::Rs256, short);
}

#[test]
fn a_key_on_another_curve_is_refused() {
    check_refused(
        SigningAlgorithm::Es256,
        include_bytes!("../../fixtures/p384.pkcs8"),
    );
}

#[test]
fn a_truncated_key_is_refused() {
    for algorithm in SigningAlgorithm::ALL {
        let der = pkcs8(algorithm);
        check_refused(algorithm, &der[..der.len() - 1]);
        check_refused(algorithm, b"");
    }
}

#[test]
fn debug_output_hides_the_private_key() {
    let shown = format!("{:?}", key(SigningAlgorithm::EdDsa));
    assert_eq!(
        shown,
        r#"PrivateKey { kid: "2019-10-01T21:08:45Z", algorithm: EdDsa, .. }"#
    );
}
