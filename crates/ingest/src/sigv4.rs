//! Verifies AWS Signature Version 4 in the `Authorization` header.
//!
//! Pure: the inputs are the request's head, its body, the keys and the time. The head arrives first,
//! so verification has two steps. [`Signed::from_head`] checks the head, so that a client without a key
//! cannot make the server read a body. [`Signed::verify`] checks the body.
//!
//! The host, the time, the target and the body must be signed. HTTP/2 clients can sign the host as
//! `:authority` instead of `host`. A request is valid for [`MAX_SKEW`] before and after its time.
//!
//! The canonical path is the path as sent. The canonical query is the sorted pairs as sent. This is
//! correct for `/`, the only path, and for queries without unusual escapes; for others, verification
//! fails. Signatures in the query and in chunks are not supported.

use axum::http::header::{AUTHORIZATION, DATE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use easel_keys::{Secret, SigningKey};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

/// The largest difference between the time of a request and the server's time.
pub(crate) const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The name with which HTTP/2 clients sign the host.
const AUTHORITY: &str = ":authority";
const WHITE_SPACE: [char; 2] = [' ', '\t'];
const AMZ_DATE: &str = "x-amz-date";
const AMZ_TARGET: &str = "x-amz-target";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const BASIC_ISO: &str = "%Y%m%dT%H%M%SZ";
const TERMINATOR: &str = "aws4_request";

/// A request with a valid head. Its signature must be verified with the body.
#[derive(Debug)]
pub(crate) struct Signed {
    /// The canonical request up to the hash of the body.
    head: Vec<u8>,
    /// The text to sign up to the hash of the canonical request.
    preamble: String,
    signing_key: SigningKey,
    declared_hash: Option<Vec<u8>>,
    signature: String,
}

impl Signed {
    /// Parses the signature of a request for `service`. Rejects an unknown key, an invalid time or an
    /// unsigned header.
    pub(crate) fn from_head<'k>(
        parts: &Parts,
        service: &str,
        secret_of: impl FnOnce(&str) -> Option<&'k Secret<String>>,
        now: Timestamp,
    ) -> Result<Self, SignatureError> {
        let authorization = parts
            .headers
            .get(AUTHORIZATION)
            .ok_or(SignatureError::Missing)?;
        let claim = authorization.to_str().ok().map(Claim::parse);
        let claim = claim.unwrap_or(Err(SignatureError::incomplete("is not plain text")))?;
        let secret = secret_of(claim.access_key_id).ok_or(SignatureError::UnknownKey)?;

        let time = SigningTime::from_headers(&parts.headers)?;
        time.check(now)?;
        claim.check_scope(&time, service)?;
        check_signed(&parts.headers, &claim)?;

        let scope = [claim.date, claim.region, claim.service, TERMINATOR];
        Ok(Self {
            head: canonical_head(parts, claim.signed_headers)?,
            preamble: format!("{ALGORITHM}\n{}\n{}\n", time.text, scope.join("/")),
            signing_key: SigningKey::derive(secret, &scope),
            declared_hash: parts
                .headers
                .get("x-amz-content-sha256")
                .map(|hash| hash.as_bytes().to_owned()),
            signature: claim.signature.to_owned(),
        })
    }

    /// Checks the signature over the head and `body`.
    pub(crate) fn verify(&self, body: &[u8]) -> Result<(), SignatureError> {
        self.verify_hashed(Sha256::new_with_prefix(body))
    }

    /// Checks the signature over the head and a body that was hashed in chunks.
    pub(crate) fn verify_hashed(&self, body: Sha256) -> Result<(), SignatureError> {
        let body_hash = format!("{:x}", body.finalize());
        if self
            .declared_hash
            .as_ref()
            .is_some_and(|declared| declared != body_hash.as_bytes())
        {
            return Err(SignatureError::mismatch(
                "x-amz-content-sha256 is not the body's hash",
            ));
        }
        let canonical = Sha256::new()
            .chain_update(&self.head)
            .chain_update(body_hash)
            .finalize();
        let text = format!("{}{canonical:x}", self.preamble);
        let wanted = self.signing_key.sign(text.as_bytes());
        if wanted.as_bytes().ct_eq(self.signature.as_bytes()).into() {
            Ok(())
        } else {
            Err(SignatureError::mismatch(
                "the signature was not made with this secret; check the secret, and that no proxy \
                 changed the host",
            ))
        }
    }
}

/// An error in a signature. Each variant becomes the AWS error with the same meaning.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SignatureError {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("Authorization header {reason}")]
    Incomplete { reason: String },
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error(
        "Signature expired: {time} is now earlier than {earliest} ({now} - {} min.)",
        MAX_SKEW.as_mins()
    )]
    Expired {
        time: String,
        earliest: String,
        now: String,
    },
    #[error(
        "Signature not yet current: {time} is still later than {latest} ({now} + {} min.)",
        MAX_SKEW.as_mins()
    )]
    NotYetCurrent {
        time: String,
        latest: String,
        now: String,
    },
    #[error("The request signature does not match: {reason}.")]
    Mismatch { reason: String },
}

impl SignatureError {
    fn incomplete(reason: impl Into<String>) -> Self {
        Self::Incomplete {
            reason: reason.into(),
        }
    }

    fn mismatch(reason: impl Into<String>) -> Self {
        Self::Mismatch {
            reason: reason.into(),
        }
    }
}

/// Returns the access key id in a request's signature, without verification.
pub(crate) fn claimed_key_id(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let claim = Claim::parse(authorization).ok()?;
    Some(claim.access_key_id)
}

/// The parsed `Authorization` header.
struct Claim<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    /// Lower-case names, separated by `;`.
    signed_headers: &'a str,
    /// Lower-case hex.
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(authorization: &'a str) -> Result<Self, SignatureError> {
        let (algorithm, fields) = authorization
            .split_once(WHITE_SPACE)
            .unwrap_or((authorization, ""));
        if algorithm != ALGORITHM {
            return Err(SignatureError::incomplete(format!(
                "does not begin with {ALGORITHM}"
            )));
        }
        let field = |name: &str| {
            fields
                .split([',', ' ', '\t'])
                .filter_map(|field| field.split_once('='))
                .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
                .ok_or_else(|| SignatureError::incomplete(format!("requires '{name}' parameter")))
        };
        let (credential, signature) = (field("Credential")?, field("Signature")?);
        let signed_headers = field("SignedHeaders")?;

        // Split from the right, because only an access key id can contain a slash.
        let mut scope = credential.rsplitn(5, '/');
        let mut next = || scope.next().filter(|part| !part.is_empty());
        match (next(), next(), next(), next(), next()) {
            (Some(TERMINATOR), Some(service), Some(region), Some(date), Some(access_key_id)) => {
                Ok(Self {
                    access_key_id,
                    date,
                    region,
                    service,
                    signed_headers,
                    signature,
                })
            }
            _ => Err(SignatureError::incomplete(format!(
                "requires a Credential of the form key/date/region/service/{TERMINATOR}"
            ))),
        }
    }

    fn check_scope(&self, time: &SigningTime, service: &str) -> Result<(), SignatureError> {
        if self.service != service {
            let reason = format!(
                "the credential is scoped to '{}', not '{service}'",
                self.service
            );
            return Err(SignatureError::mismatch(reason));
        }
        if time
            .text
            .split_once('T')
            .is_none_or(|(date, _)| date != self.date)
        {
            let reason = format!("the credential's date is not the date of {}", time.text);
            return Err(SignatureError::mismatch(reason));
        }
        Ok(())
    }

    fn signs(&self, name: &str) -> bool {
        self.signed_headers.split(';').any(|signed| signed == name)
    }
}

/// The time of a request, from `X-Amz-Date` or else from `Date`.
struct SigningTime {
    at: Timestamp,
    /// The signed form: `20250303T080000Z`.
    text: String,
}

impl SigningTime {
    fn from_headers(headers: &HeaderMap) -> Result<Self, SignatureError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let at = match (text(AMZ_DATE), text(DATE.as_str())) {
            (Some(iso), _) => DateTime::strptime(BASIC_ISO, iso)
                .and_then(|time| time.to_zoned(TimeZone::UTC))
                .ok(),
            (None, Some(date)) => jiff::fmt::rfc2822::parse(date).ok(),
            (None, None) => None,
        };
        let at = at.map(|zoned| zoned.timestamp()).ok_or_else(|| {
            SignatureError::incomplete("requires a well-formed 'X-Amz-Date' or 'Date' header")
        })?;
        Ok(Self {
            at,
            text: basic_iso(at),
        })
    }

    fn check(&self, now: Timestamp) -> Result<(), SignatureError> {
        let ahead = self.at.duration_since(now);
        let (time, now_text) = (self.text.clone(), basic_iso(now));
        if ahead < -MAX_SKEW {
            let earliest = basic_iso(now.saturating_sub(MAX_SKEW).unwrap_or(now));
            return Err(SignatureError::Expired {
                time,
                earliest,
                now: now_text,
            });
        }
        if ahead > MAX_SKEW {
            let latest = basic_iso(now.saturating_add(MAX_SKEW).unwrap_or(now));
            return Err(SignatureError::NotYetCurrent {
                time,
                latest,
                now: now_text,
            });
        }
        Ok(())
    }
}

fn basic_iso(time: Timestamp) -> String {
    time.strftime(BASIC_ISO).to_string()
}

/// Requires signatures of the host, the time and the target.
fn check_signed(headers: &HeaderMap, claim: &Claim<'_>) -> Result<(), SignatureError> {
    let date = if headers.contains_key(AMZ_DATE) {
        AMZ_DATE
    } else {
        DATE.as_str()
    };
    let target = headers.contains_key(AMZ_TARGET).then_some(AMZ_TARGET);
    let host = if claim.signs(AUTHORITY) {
        AUTHORITY
    } else {
        HOST.as_str()
    };
    match [host, date]
        .into_iter()
        .chain(target)
        .find(|name| !claim.signs(name))
    {
        None => Ok(()),
        Some(name) => Err(SignatureError::mismatch(format!(
            "'{name}' must be a signed header"
        ))),
    }
}

/// Returns the canonical request without its last line, which is the hash of the body.
fn canonical_head(parts: &Parts, signed_headers: &str) -> Result<Vec<u8>, SignatureError> {
    let (method, path) = (&parts.method, parts.uri.path());
    let mut head = format!("{method}\n{path}\n{}\n", canonical_query(&parts.uri)).into_bytes();
    for name in signed_headers.split(';') {
        let value = canonical_value(parts, name).ok_or_else(|| {
            SignatureError::mismatch(format!("the signed header '{name}' is not in the request"))
        })?;
        head.extend([name.as_bytes(), b":", &value, b"\n"].concat());
    }
    head.extend(format!("\n{signed_headers}\n").into_bytes());
    Ok(head)
}

fn canonical_query(uri: &Uri) -> String {
    let query = uri.query().unwrap_or_default();
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Returns the values of a header, separated by commas. Each value is trimmed, and each run of white
/// space becomes one space.
fn canonical_value(parts: &Parts, name: &str) -> Option<Vec<u8>> {
    // HTTP/2 has the host in `:authority`, HTTP/1.1 in the header `Host`. A proxy can convert one to
    // the other.
    let authority = || {
        let authority = parts.uri.authority();
        authority.map(|authority| authority.as_str().as_bytes().to_owned())
    };
    let host = || header_value(parts, HOST.as_str());
    match name {
        AUTHORITY => authority().or_else(host),
        name if name == HOST.as_str() => host().or_else(authority),
        name => header_value(parts, name),
    }
}

fn header_value(parts: &Parts, name: &str) -> Option<Vec<u8>> {
    let values: Vec<Vec<u8>> = parts
        .headers
        .get_all(name)
        .iter()
        .map(|value| {
            let words = value.as_bytes().split(|byte| matches!(byte, b' ' | b'\t'));
            words
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(&b' ')
        })
        .collect();
    (!values.is_empty()).then(|| values.join(&b','))
}

#[cfg(test)]
mod tests;
