//! Signed JWTs: the compact form of RFC 7515 (JWS) and RFC 7519.
//!
//! The claims are signed byte for byte, so a receiver gets the event that the log stores.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::private_key::{PrivateKey, PrivateKeyError};

/// Signs claims as a JWT in the compact form. The header has `typ`, `alg` and `kid`. The bytes of the
/// claims are not changed; they must be a JSON object in UTF-8.
///
/// # Errors
///
/// The key did not sign.
pub fn sign_jwt(key: &PrivateKey, claims: &[u8]) -> Result<String, PrivateKeyError> {
    let header = json!({ "typ": "JWT", "alg": key.algorithm().as_str(), "kid": key.kid() });
    let header = header.to_string();
    // A signature has at most 1024 bytes; most have 64 or 256.
    let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 400);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// Returns the claims of an event: the JSON object `event` with the members `iss`, `iat` (in seconds of
/// Unix time) and `jti` added at its end (RFC 7519 section 4.1). No other byte is changed. There is no
/// `exp`, because an event does not expire.
///
/// `event` must be a JSON object without these three members. If it is no object, the result is no
/// JSON.
pub fn event_claims(event: &[u8], issuer: &str, issued_at: i64, jti: &str) -> Vec<u8> {
    let end = event.iter().rposition(|byte| *byte == b'}');
    let (members, tail) = event.split_at(end.unwrap_or(event.len()));
    let last = members.iter().rfind(|byte| !byte.is_ascii_whitespace());
    // Only in an empty object does a brace open right before the final one.
    let comma = if last == Some(&b'{') { "" } else { "," };
    let (issuer, jti) = (Value::from(issuer), Value::from(jti));
    let added = format!(r#"{comma}"iss":{issuer},"iat":{issued_at},"jti":{jti}"#);
    [members, added.as_bytes(), tail].concat()
}

#[cfg(test)]
mod tests;
