//! The headers that a subscription adds to its requests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use easel_keys::Secret;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

/// The maximum number of headers of one subscription.
const MAX_HEADERS: usize = 32;
/// The maximum bytes of all names and values together. Common servers accept 8 KiB for all headers.
const MAX_BYTES: usize = 4096;

/// Headers that HTTP itself needs for the body or the connection (RFC 9110, such as section 7.6.1).
const CONNECTION: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// The headers that a subscription adds to its requests. Their values are secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomHeaders(HeaderMap);

/// Why headers are invalid. The error never contains a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CustomHeadersError {
    /// A name is not the name of a header.
    #[error("{name:?} is not the name of a header")]
    Name {
        /// The name.
        name: String,
    },
    /// Easel or the connection sets the header.
    #[error("{name} must not be set: Easel sets it itself")]
    Reserved {
        /// The name.
        name: String,
    },
    /// A value has a character that a header does not allow.
    #[error("the value of {name} must be printable ASCII without white space at its ends")]
    Value {
        /// The name of the header.
        name: String,
    },
    /// Both a header and the authentication set `authorization`.
    #[error("authorization must not be set beside webhook.authentication")]
    TwoAuthorizations,
    /// The user name of basic authentication has a colon or a control character.
    #[error("the user name must not contain a colon or a control character")]
    User,
    /// There are too many headers, or their names and values are too long.
    #[error("there must be at most {MAX_HEADERS} headers with at most {MAX_BYTES} bytes in total")]
    TooMany,
}

impl CustomHeaders {
    /// Validates headers.
    ///
    /// # Errors
    ///
    /// Fails if a name or a value is invalid, or if Easel or the connection sets the header.
    pub fn new<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a Secret<String>)>,
    ) -> Result<Self, CustomHeadersError> {
        let (mut map, mut bytes) = (HeaderMap::new(), 0);
        for (name, value) in headers {
            let parsed = HeaderName::try_from(name);
            let parsed = parsed.map_err(|_invalid| CustomHeadersError::Name {
                name: name.to_owned(),
            })?;
            if is_reserved(parsed.as_str()) {
                let name = name.to_owned();
                return Err(CustomHeadersError::Reserved { name });
            }
            bytes += name.len() + value.expose().len();
            let value = secret_value(value.expose()).ok_or_else(|| CustomHeadersError::Value {
                name: name.to_owned(),
            })?;
            map.append(parsed, value);
        }
        if map.len() > MAX_HEADERS || bytes > MAX_BYTES {
            return Err(CustomHeadersError::TooMany);
        }
        Ok(Self(map))
    }

    /// Adds basic authentication (RFC 7617).
    ///
    /// # Errors
    ///
    /// Fails if the user name has a colon or a control character, or if `authorization` is set already.
    pub fn with_basic(
        self,
        user: &str,
        password: &Secret<String>,
    ) -> Result<Self, CustomHeadersError> {
        if user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(CustomHeadersError::User);
        }
        let credentials = Secret::new(format!("{user}:{}", password.expose()));
        let encoded = STANDARD.encode(credentials.expose());
        self.with_authorization(&Secret::new(format!("Basic {encoded}")))
    }

    /// Adds a bearer token (RFC 6750).
    ///
    /// # Errors
    ///
    /// Fails if the token has a character that a header does not allow, or if `authorization` is set already.
    pub fn with_bearer(self, token: &Secret<String>) -> Result<Self, CustomHeadersError> {
        self.with_authorization(&Secret::new(format!("Bearer {}", token.expose())))
    }

    fn with_authorization(mut self, value: &Secret<String>) -> Result<Self, CustomHeadersError> {
        if self.0.contains_key(AUTHORIZATION) {
            return Err(CustomHeadersError::TwoAuthorizations);
        }
        let value = secret_value(value.expose()).ok_or_else(|| CustomHeadersError::Value {
            name: AUTHORIZATION.to_string(),
        })?;
        self.0.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// Returns the texts that must not be shown: the values and their parts.
    pub(super) fn secrets(&self) -> Vec<Secret<Vec<u8>>> {
        let mut secrets = Vec::new();
        let values = self.0.values().filter_map(|value| value.to_str().ok());
        for value in values {
            let mut add = |text: &str| secrets.push(Secret::new(text.as_bytes().to_vec()));
            add(value);
            // A cookie has several values, for example.
            for part in value.split([';', ',']) {
                let (_name, part) = part.split_once('=').unwrap_or_default();
                add(part.trim().trim_matches('"'));
            }
            let Some((scheme, credentials)) = value.split_once(' ') else {
                continue;
            };
            // The padding of base64 may be missing in an answer.
            add(credentials.trim().trim_end_matches('='));
            if scheme.eq_ignore_ascii_case("basic")
                && let Ok(credentials) = STANDARD.decode(credentials.trim())
            {
                let colon = credentials.iter().position(|byte| *byte == b':');
                let password = colon.and_then(|colon| credentials.get(colon + 1..));
                secrets.extend(password.map(|password| Secret::new(password.to_vec())));
                secrets.push(Secret::new(credentials));
            }
        }
        secrets
    }

    /// Adds the headers to those of a request.
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.append(name, value.clone());
        }
    }
}

/// Returns a header value that `Debug` hides and HTTP/2 does not compress; `None` if a header does not allow
/// the text.
fn secret_value(text: &str) -> Option<HeaderValue> {
    let is_plain = text
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !is_plain || text.trim() != text {
        return None;
    }
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn is_reserved(name: &str) -> bool {
    let prefixes = ["webhook-", "easel-", "proxy-"];
    let own = ["content-type", "user-agent"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || own.contains(&name)
        || CONNECTION.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> Result<CustomHeaders, CustomHeadersError> {
        let secrets: Vec<_> = all
            .iter()
            .map(|(name, value)| (*name, Secret::new((*value).to_owned())))
            .collect();
        CustomHeaders::new(secrets.iter().map(|(name, value)| (*name, value)))
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn values_are_sent_and_never_printed() {
        let custom = headers(&[("X-Api-Key", "s3cret 1"), ("authorization", "s3cret-2")]).unwrap();
        assert!(!format!("{custom:?}").contains("s3cret"), "{custom:?}");
        let mut request = HeaderMap::new();
        custom.add_to(&mut request);
        assert_eq!(request["x-api-key"], "s3cret 1");
        assert_eq!(request["authorization"], "s3cret-2");
        assert!(!format!("{request:?}").contains("s3cret"), "{request:?}");
    }

    #[test]
    fn credentials_become_an_authorization() {
        let check = |custom: Result<CustomHeaders, _>, wanted: &str| {
            assert_eq!(custom.unwrap().0["authorization"], wanted);
        };
        let none = CustomHeaders::default;
        // The examples of RFC 7617 section 2.
        check(
            none().with_basic("Aladdin", &secret("open sesame")),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        );
        check(
            none().with_basic("test", &secret("123\u{a3}")),
            "Basic dGVzdDoxMjPCow==",
        );
        check(
            none().with_bearer(&secret("mF_9.B5f-4.1JqM")),
            "Bearer mF_9.B5f-4.1JqM",
        );
        let both = headers(&[("authorization", "x")]).unwrap();
        let refused = both.with_bearer(&secret("y"));
        assert_eq!(refused, Err(CustomHeadersError::TwoAuthorizations));
        assert_eq!(
            none().with_basic("a:b", &secret("")),
            Err(CustomHeadersError::User)
        );
    }

    #[test]
    fn values_and_their_parts_are_secrets() {
        #[track_caller]
        fn check(custom: &CustomHeaders, wanted: &[&str]) {
            let secrets = custom.secrets();
            for text in wanted {
                let is_secret = secrets
                    .iter()
                    .any(|secret| secret.expose() == text.as_bytes());
                assert!(is_secret, "{text}");
            }
            assert!(!format!("{secrets:?}").contains("open"), "{secrets:?}");
        }
        let none = CustomHeaders::default;
        check(
            &none()
                .with_basic("Aladdin", &secret("open:sesame"))
                .unwrap(),
            &[
                "Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==",
                "QWxhZGRpbjpvcGVuOnNlc2FtZQ",
                "Aladdin:open:sesame",
                "open:sesame",
            ],
        );
        check(
            &none().with_bearer(&secret("open.sesame")).unwrap(),
            &["Bearer open.sesame", "open.sesame"],
        );
        check(
            &headers(&[
                ("x-api-key", "open-1"),
                ("cookie", "a=open-2; b=\"open-3\""),
            ])
            .unwrap(),
            &["open-1", "open-2", "open-3"],
        );
    }

    #[test]
    fn headers_of_the_request_itself_are_refused() {
        for name in [
            "Host",
            "content-length",
            "Content-Type",
            "transfer-encoding",
            "webhook-id",
            "Webhook-Signature",
            "easel-attempt",
            "proxy-authorization",
            "user-agent",
        ] {
            let refused = headers(&[(name, "x")]).unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
            assert!(refused.contains("Easel sets it itself"), "{refused}");
        }
    }

    #[test]
    fn invalid_headers_are_refused_without_their_values() {
        for (name, value) in [
            ("", "s3cret"),
            ("a b", "s3cret"),
            ("x", "s3cret\r\nevil: 1"),
            ("x", " s3cret"),
            ("x", "s3cr\u{e9}t"),
            ("x", "s3cret\0"),
        ] {
            let refused = headers(&[(name, value)]).unwrap_err().to_string();
            assert!(!refused.contains("s3cr"), "{refused}");
        }
        let long = "a".repeat(MAX_BYTES);
        assert_eq!(headers(&[("x", &long)]), Err(CustomHeadersError::TooMany));
        let many = [("x", "y"); MAX_HEADERS + 1];
        assert_eq!(headers(&many), Err(CustomHeadersError::TooMany));
    }
}
