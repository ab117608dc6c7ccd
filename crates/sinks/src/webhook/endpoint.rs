//! The URL that a webhook posts to.

use std::fmt;
use std::sync::Arc;

use http::Uri;
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

    /// Returns the host and port to connect to, such as `events.example.edu:443`.
    pub fn host(&self) -> &str {
        &self.0.host
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
}
