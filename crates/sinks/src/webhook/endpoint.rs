//! The URL that a webhook posts to.

use std::fmt;
use std::sync::Arc;

use easel_keys::Secret;
use http::Uri;
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::{ParseError, Url};

/// A valid `http` or `https` URL of a webhook.
///
/// The query may contain a secret, so `Debug` and `Display` omit it.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Arc<EndpointParts>);

#[derive(PartialEq, Eq)]
struct EndpointParts {
    uri: Uri,
    /// The host and port to connect to.
    host: String,
}

impl Endpoint {
    /// Parses a URL by the WHATWG rules. Encodes the host name in Punycode, and percent-encodes characters
    /// that a path or query does not allow.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Userinfo);
        }
        if url.fragment().is_some() {
            return Err(EndpointError::Fragment);
        }
        if url.port() == Some(0) {
            return Err(EndpointError::Port);
        }
        // A valid URL fails here only where the two standards differ: a `Uri` must be shorter than 64 KiB.
        let uri = url
            .as_str()
            .parse()
            .map_err(|_invalid| EndpointError::Malformed)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let host = format!("{}:{port}", url.host_str().unwrap_or_default());
        Ok(Self(Arc::new(EndpointParts { uri, host })))
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// True if both URLs have the same scheme, host and port after parsing. The parser changes names to lower
    /// case and Punycode, adds the default port, and reads `\` as `/`. So a comparison of the texts is not safe.
    pub fn has_same_origin(&self, other: &Self) -> bool {
        self.0.uri.scheme() == other.0.uri.scheme() && self.0.host == other.0.host
    }

    /// Returns the texts that must not be shown: the query, and its values with and without percent-encoding.
    pub(super) fn secrets(&self) -> Vec<Secret<Vec<u8>>> {
        let Some(query) = self.0.uri.query() else {
            return Vec::new();
        };
        let mut secrets = vec![Secret::new(query.as_bytes().to_vec())];
        for part in query.split(['&', ';']) {
            // A part without a name is also a value.
            let value = part.split_once('=').map_or(part, |(_name, value)| value);
            let with_spaces = Secret::new(value.replace('+', " "));
            for spelling in [value, with_spaces.expose()] {
                let decoded = percent_decode_str(spelling).collect();
                secrets.extend([Secret::new(decoded), Secret::new(spelling.into())]);
            }
        }
        secrets
    }

    /// Returns the host and port to connect to, such as `events.example.edu:443`.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Returns the host without the port: a name, or an address as in the URL.
    pub fn host_name(&self) -> &str {
        self.uri().host().unwrap_or_default()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.uri.scheme_str().unwrap_or_default();
        let authority = self
            .0
            .uri
            .authority()
            .map_or("", |authority| authority.as_str());
        let query = if self.0.uri.query().is_some() {
            "?…"
        } else {
            ""
        };
        write!(f, "{scheme}://{authority}{}{query}", self.0.uri.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Why a text is not the URL of an endpoint. The error never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// The text is not a URL, or the URL is too long.
    #[error("parse the URL: it is invalid")]
    Malformed,
    /// The scheme is missing.
    #[error("parse the URL: it must begin with http:// or https://")]
    Relative,
    /// The scheme is neither `http` nor `https`.
    #[error("parse the URL: its scheme must be http or https")]
    Scheme,
    /// The host is missing.
    #[error("parse the URL: its host is missing")]
    NoHost,
    /// The host is neither a valid name nor a valid address.
    #[error("parse the URL: its host must be a valid name or address")]
    Host,
    /// The port is invalid.
    #[error("parse the URL: its port must be a number from 1 to 65535")]
    Port,
    /// The URL contains a user name or a password.
    #[error("parse the URL: it must not contain a user name or password")]
    Userinfo,
    /// The URL has a fragment, which HTTP never sends.
    #[error("parse the URL: it must not contain a fragment (#…), which is never sent")]
    Fragment,
}

impl From<ParseError> for EndpointError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::RelativeUrlWithoutBase
            | ParseError::RelativeUrlWithCannotBeABaseBase
            | ParseError::SetHostOnCannotBeABaseUrl => Self::Relative,
            ParseError::EmptyHost => Self::NoHost,
            ParseError::InvalidPort => Self::Port,
            ParseError::IdnaError
            | ParseError::InvalidIpv4Address
            | ParseError::InvalidIpv6Address
            | ParseError::InvalidDomainCharacter => Self::Host,
            // `ParseError` is `non_exhaustive`.
            _ => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepts(url: &str, shown: &str) {
        assert_eq!(Endpoint::parse(url).unwrap().to_string(), shown, "{url}");
    }

    #[track_caller]
    fn rejects(url: &str, reason: &str) {
        let error = Endpoint::parse(url).unwrap_err();
        assert!(error.to_string().contains(reason), "{url}: {error}");
    }

    #[test]
    fn http_and_https_urls_are_accepted() {
        accepts("http://127.0.0.1:8080", "http://127.0.0.1:8080/");
        accepts(
            "https://lms.meadow.example/a/b",
            "https://lms.meadow.example/a/b",
        );
        accepts("HTTPS://[::1]:443/", "https://[::1]/");
        accepts(" http://meadow.example/ ", "http://meadow.example/");
    }

    #[test]
    fn characters_that_a_uri_does_not_allow_are_encoded() {
        accepts("https://Bücher.example/", "https://xn--bcher-kva.example/");
        accepts("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/");
        accepts(
            "https://meadow.example/kurs/übung 1",
            "https://meadow.example/kurs/%C3%BCbung%201",
        );
        let endpoint = Endpoint::parse("https://meadow.example/?name=Åse").unwrap();
        assert_eq!(endpoint.uri().query(), Some("name=%C3%85se"));
    }

    #[test]
    fn other_urls_are_rejected_with_the_reason() {
        rejects("", "must begin with http");
        rejects("/hook", "must begin with http");
        rejects("meadow.example", "must begin with http");
        rejects("ftp://meadow.example/", "must be http or https");
        rejects("mailto:ida@meadow.example", "must be http or https");
        rejects("http://", "host is missing");
        rejects("http://:80/", "host is missing");
        rejects("http://a b/", "must be a valid name or address");
        rejects("http://1.2.3.4.5/", "must be a valid name or address");
        rejects("http://[::1", "must be a valid name or address");
        rejects("http://xn--a/", "must be a valid name or address");
        rejects("http://meadow.example:99999/", "port");
        rejects("http://meadow.example:0/", "port");
        rejects("http://ida:pw@meadow.example/", "user name");
        rejects("http://meadow.example/#top", "fragment");
        let long = format!("http://meadow.example/{}", "a".repeat(70_000));
        rejects(&long, "it is invalid");
    }

    #[test]
    fn the_query_is_never_shown() {
        let endpoint = Endpoint::parse("https://meadow.example/hook?token=s3cret").unwrap();
        assert_eq!(endpoint.uri().query(), Some("token=s3cret"));
        for shown in [endpoint.to_string(), format!("{endpoint:?}")] {
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(shown.contains("https://meadow.example/hook?…"), "{shown}");
        }
    }

    #[test]
    fn urls_have_the_same_origin_if_scheme_host_and_port_are_the_same() {
        let same = |first: &str, second: &str| {
            let [first, second] = [first, second].map(|url| Endpoint::parse(url).unwrap());
            assert_eq!(
                first.has_same_origin(&second),
                second.has_same_origin(&first)
            );
            first.has_same_origin(&second)
        };
        let url = "https://meadow.example/hook?token=1";
        for other in [
            "https://meadow.example/hook?token=1",
            "https://meadow.example",
            "https://meadow.example/other?token=2",
            "HTTPS://Meadow.EXAMPLE:443/",
            "https:///meadow.example/",
            "https:meadow.example",
            r"https:\\meadow.example\hook",
            r"https:/\meadow.example\@evil.example",
            "https://meadow%2Eexample/",
            "https://meadow\u{3002}example/",
            "https://mea\tdow.example/",
        ] {
            assert!(same(url, other), "{other}");
        }
        for other in [
            "http://meadow.example/hook?token=1",
            "http://meadow.example:443/hook?token=1",
            "https://meadow.example:8443/hook?token=1",
            "https://meadow.example:80/",
            "https://meadow.example.evil.example/",
            "https://evil.example/meadow.example",
            r"https://evil.example\@meadow.example/",
            r"https:\\evil.example\meadow.example",
            "https:///evil.example/meadow.example/",
            "https://meadow.example./",
            "https://me\u{430}dow.example/",
        ] {
            assert!(!same(url, other), "{other}");
        }
        assert!(same(
            "https://b\u{fc}cher.example/",
            "https://xn--bcher-kva.example/"
        ));
        assert!(same("http://127.0.0.1/", "http://0x7f.1:80/"));
        assert!(same("http://[::1]/", "http://[0:0::1]:80/"));
        assert!(!same("http://[::1]/", "http://127.0.0.1/"));
        // A URL with user information has no endpoint, so its host is never compared.
        for url in [
            "https://meadow.example@evil.example/",
            "https://meadow.example:443@evil.example/",
            "https://:pw@meadow.example/",
        ] {
            assert_eq!(Endpoint::parse(url), Err(EndpointError::Userinfo), "{url}");
        }
    }

    #[test]
    fn the_query_and_its_values_are_secrets() {
        let url = "https://meadow.example/?sig=a%2Fb+c%20d&key;last=Åse";
        let secrets = Endpoint::parse(url).unwrap().secrets();
        for text in [
            "sig=a%2Fb+c%20d&key;last=%C3%85se",
            "a%2Fb+c%20d",
            "a/b+c d",
            "a/b c d",
            "key",
            "Åse",
        ] {
            let is_secret = secrets
                .iter()
                .any(|secret| secret.expose() == text.as_bytes());
            assert!(is_secret, "{text}");
        }
        assert!(!format!("{secrets:?}").contains("key"), "{secrets:?}");
        let plain = Endpoint::parse("https://meadow.example/hook").unwrap();
        assert_eq!(plain.secrets().len(), 0);
    }
}
