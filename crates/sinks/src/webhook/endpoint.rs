//! Where a webhook posts to.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use thiserror::Error;
use url::{ParseError, Url};

/// An `http` or `https` URL that can be posted to.
///
/// Its query may hold a secret, so neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    uri: Uri,
    /// The host and port that it connects to.
    host: String,
}

impl Endpoint {
    /// Reads a URL as an operator writes it, by the rules of the WHATWG: the name of a host is
    /// written in Punycode, and what a path or query must not hold is percent-encoded.
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
        // The two standards differ in little that is left: a `Uri` is shorter than 64 KiB.
        let uri = url
            .as_str()
            .parse()
            .map_err(|_invalid| EndpointError::Malformed)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let host = format!("{}:{port}", url.host_str().unwrap_or_default());
        Ok(Self(Arc::new(Parts { uri, host })))
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// The host and port that it connects to, such as `events.example.edu:443`.
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

/// Why a text is not the URL of an endpoint. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It is no URL, or one that is too long.
    #[error("read the URL: it is not valid")]
    Malformed,
    /// It does not begin with a scheme.
    #[error("read the URL: it does not begin with http:// or https://")]
    Relative,
    /// It has another scheme than the two.
    #[error("read the URL: it is neither http nor https")]
    Scheme,
    /// It names no host.
    #[error("read the URL: it has no host")]
    NoHost,
    /// Its host is neither a name that can be looked up nor an address.
    #[error("read the URL: its host is not a valid name or address")]
    Host,
    /// Its port is not one.
    #[error("read the URL: its port is not a number from 1 to 65535")]
    Port,
    /// It holds a user name or a password.
    #[error("read the URL: it holds a user name or password, which is not supported")]
    Userinfo,
    /// It ends in a fragment, which is never sent.
    #[error("read the URL: it has a fragment (#…), which is never sent")]
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
            // `ParseError` may get further variants.
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
    fn refuses(url: &str, why: &str) {
        let error = Endpoint::parse(url).unwrap_err();
        assert!(error.to_string().contains(why), "{url}: {error}");
    }

    #[test]
    fn urls_of_http_and_https_are_endpoints() {
        accepts("http://127.0.0.1:8080", "http://127.0.0.1:8080/");
        accepts(
            "https://lms.meadow.example/a/b",
            "https://lms.meadow.example/a/b",
        );
        accepts("HTTPS://[::1]:443/", "https://[::1]/");
        accepts(" http://meadow.example/ ", "http://meadow.example/");
    }

    #[test]
    fn what_a_uri_does_not_allow_is_encoded() {
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
    fn other_urls_are_refused_with_the_reason() {
        refuses("", "does not begin with http");
        refuses("/hook", "does not begin with http");
        refuses("meadow.example", "does not begin with http");
        refuses("ftp://meadow.example/", "neither http nor https");
        refuses("mailto:ida@meadow.example", "neither http nor https");
        refuses("http://", "no host");
        refuses("http://:80/", "no host");
        refuses("http://a b/", "not a valid name or address");
        refuses("http://1.2.3.4.5/", "not a valid name or address");
        refuses("http://[::1", "not a valid name or address");
        refuses("http://xn--a/", "not a valid name or address");
        refuses("http://meadow.example:99999/", "port");
        refuses("http://meadow.example:0/", "port");
        refuses("http://ida:pw@meadow.example/", "user name");
        refuses("http://meadow.example/#top", "fragment");
        let long = format!("http://meadow.example/{}", "a".repeat(70_000));
        refuses(&long, "not valid");
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
