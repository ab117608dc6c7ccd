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
/// would take them for claims about the JWT. Returns `None` if `event` is not a JSON object: bytes that
/// cannot be read must not be signed.
pub fn event_claims(event: &[u8], issuer: &str, issued_at: i64, jti: &str) -> Option<Vec<u8>> {
    let event = without_registered(event)?;
    let end = event.iter().rposition(|byte| *byte == b'}');
    let (members, tail) = event.split_at(end.unwrap_or(event.len()));
    let last = members.iter().rfind(|byte| !byte.is_ascii_whitespace());
    // Only an empty object has its opening brace right before its closing brace.
    let comma = if last == Some(&b'{') { "" } else { "," };
    let (issuer, jti) = (Value::from(issuer), Value::from(jti));
    let added = format!(r#"{comma}"iss":{issuer},"iat":{issued_at},"jti":{jti}"#);
    Some([members, added.as_bytes(), tail].concat())
}

/// Returns the event without members that have the names of registered claims. `None` if it is not a JSON
/// object.
fn without_registered(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let MemberList(members) = serde_json::from_slice(event).ok()?;
    let is_registered = |name: &[u8]| REGISTERED.iter().any(|known| known.as_bytes() == name);
    if !members.iter().any(|(name, _)| is_registered(name)) {
        return Some(Cow::Borrowed(event));
    }
    // The text of a member starts where the previous member ends. It is copied with its escapes.
    let (mut remaining, mut from) = (Vec::new(), event.iter().position(|byte| *byte == b'{')? + 1);
    for (name, value) in members {
        let end = value.get().as_ptr().addr() + value.get().len() - event.as_ptr().addr();
        let member = event.get(from..end)?.trim_ascii();
        if !is_registered(&name) {
            remaining.push(member.strip_prefix(b",").unwrap_or(member));
        }
        from = end;
    }
    let members = remaining.join(&b","[..]);
    Some(Cow::Owned([&b"{"[..], &members, b"}"].concat()))
}

/// The members of a JSON object, in order: their names, unescaped, and their values as text. A name may have
/// an unpaired surrogate, which is no Unicode text.
struct MemberList<'a>(Vec<(Vec<u8>, &'a RawValue)>);

/// The name of a member, as bytes.
struct MemberName(Vec<u8>);

impl<'de> Deserialize<'de> for MemberList<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(MemberVisitor)
    }
}

impl<'de> Deserialize<'de> for MemberName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_bytes(NameVisitor)
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
        while let Some((MemberName(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(MemberList(members))
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = MemberName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<MemberName, E> {
        Ok(MemberName(name.to_owned()))
    }

    fn visit_str<E>(self, name: &str) -> Result<MemberName, E> {
        Ok(MemberName(name.as_bytes().to_owned()))
    }
}

#[cfg(test)]
mod tests;
