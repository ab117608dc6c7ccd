//! Makes bearer tokens as Canvas does.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

pub(crate) const SECRET: &str = "astringthatisactually32byteslong";

/// The time of the tests, in seconds of Unix time.
pub(crate) const NOW: i64 = 1_700_000_000;

/// Returns the bearer of these claims. The times are added.
pub(crate) fn bearer(mut claims: Value) -> String {
    claims["iss"] = "Canvas".into();
    claims["aud"] = json!(["Instructure"]);
    claims["iat"] = NOW.into();
    claims["nbf"] = (NOW - 30).into();
    claims["exp"] = (NOW + 200 * 86_400).into();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(br#"{"typ":"JWT","alg":"HS256"}"#);
    let signed = format!("{header}.{}", encode(claims.to_string().as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    let jws = format!("{signed}.{}", encode(&mac.finalize().into_bytes()));
    let header = encode(br#"{"alg":"dir","enc":"A256GCM"}"#);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, SECRET.as_bytes()).unwrap());
    let mut text = jws.into_bytes();
    let nonce = Nonce::assume_unique_for_key([1; 12]);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(header.as_bytes()), &mut text)
        .unwrap();
    let (iv, tag) = (encode(&[1; 12]), encode(tag.as_ref()));
    STANDARD.encode(format!("{header}..{iv}.{}.{tag}", encode(&text)))
}

/// The bearer of an LTI 2 tool in a root account.
pub(crate) fn tool(guid: &str, account: u64) -> String {
    bearer(json!({
        "sub": format!("ltiToolProxy:{guid}"),
        "DeveloperKey": "10000000000003",
        "RootAccountId": account.to_string(),
        "RootAccountUUID": uuid(account),
    }))
}

/// The bearer of the page of data services of a root account.
pub(crate) fn page(account: u64) -> String {
    bearer(json!({
        "sub": format!("10000000000009:{}", uuid(account)),
        "DeveloperKey": "10000000000009",
        "RootAccountId": account,
        "RootAccountUUID": uuid(account),
    }))
}

pub(crate) fn uuid(account: u64) -> String {
    format!("account-uuid-{account}")
}
