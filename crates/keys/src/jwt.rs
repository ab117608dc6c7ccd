//! Signed JWTs: the compact form of RFC 7515 (JWS) and RFC 7519.
//!
//! The claims are signed byte for byte, so a receiver gets the event that the log stores.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
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

/// The claim names of RFC 7519 section 4.1. They belong to the JWT, so the members of an event with these
/// names are left out.
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Returns the claims of an event: the JSON object `event` with the members `iss`, `iat` (in seconds of
/// Unix time) and `jti` added at its end (RFC 7519 section 4.1). No other byte is changed. There is no
/// `exp`, because an event does not expire.
///
/// An event with registered claim names of its own, which no LMS sends, loses these members: a receiver
/// would take them for claims about the JWT. If `event` is no JSON object, the result is no JSON.
pub fn event_claims(event: &[u8], issuer: &str, issued_at: i64, jti: &str) -> Vec<u8> {
    let event = without_registered(event);
    let end = event.iter().rposition(|byte| *byte == b'}');
    let (members, tail) = event.split_at(end.unwrap_or(event.len()));
    let last = members.iter().rfind(|byte| !byte.is_ascii_whitespace());
    // Only in an empty object does a brace open right before the final one.
    let comma = if last == Some(&b'{') { "" } else { "," };
    let (issuer, jti) = (Value::from(issuer), Value::from(jti));
    let added = format!(r#"{comma}"iss":{issuer},"iat":{issued_at},"jti":{jti}"#);
    [members, added.as_bytes(), tail].concat()
}

/// Returns the event without members that have the names of registered claims.
fn without_registered(event: &[u8]) -> Cow<'_, [u8]> {
    let is_registered = |(name, _): &(String, &RawValue)| REGISTERED.contains(&name.as_str());
    let Ok(MemberList(mut members)) = serde_json::from_slice(event) else {
        return Cow::Borrowed(event);
    };
    if !members.iter().any(is_registered) {
        return Cow::Borrowed(event);
    }
    members.retain(|member| !is_registered(member));
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name)))
        .collect();
    Cow::Owned(format!("{{{}}}", members.join(",")).into_bytes())
}

/// The members of a JSON object, in order, with their values as text.
struct MemberList<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for MemberList<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = MemberList<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MemberList<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(MemberList(members))
    }
}

#[cfg(test)]
mod tests;
