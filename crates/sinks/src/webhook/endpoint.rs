//! Where a webhook posts to.

use std::fmt;

use http::Uri;
use http::uri::{InvalidUri, Scheme};
use thiserror::Error;

/// An `http` or `https` URL that can be posted to.
///
/// Its query may hold a secret, so neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

impl Endpoint {
    /// Reads a URL as an operator writes it.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        // `Uri` would drop it silently.
        if url.contains('#') {
            return Err(EndpointError::Fragment);
        }
        let uri: Uri = url.parse()?;
        match uri.scheme() {
            None => return Err(EndpointError::Relative),
            Some(scheme) if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS => {
                return Err(EndpointError::Scheme);
            }
            Some(_http_or_https) => (),
        }
        let authority = uri.authority().ok_or(EndpointError::Host)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::Userinfo);
        }
        if authority.host().is_empty() {
            return Err(EndpointError::Host);
        }
        // `Uri` takes any text for a port, and reads one that is no port as none.
        let has_port = authority.as_str() != authority.host();
        if has_port && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(EndpointError::Port);
        }
        Ok(Self(uri))
    }

    pub(super) const fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self
            .0
            .authority()
            .map_or("", |authority| authority.as_str());
        let query = if self.0.query().is_some() { "?…" } else { "" };
        write!(f, "{scheme}://{authority}{}{query}", self.0.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Why a text is not the URL of an endpoint. It never repeats the text.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// It is not a URL at all.
    #[error("read the URL")]
    Malformed(#[from] InvalidUri),
    /// It does not begin with a scheme.
    #[error("read the URL: it does not begin with http:// or https://")]
    Relative,
    /// It has another scheme than the two.
    #[error("read the URL: it is neither http nor https")]
    Scheme,
    /// It names no host.
    #[error("read the URL: it has no host")]
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
        accepts("HTTPS://[::1]:443/", "https://[::1]:443/");
    }

    #[test]
    fn other_urls_are_refused_with_the_reason() {
        refuses("", "read the URL");
        refuses("http://a b/", "read the URL");
        refuses("/hook", "does not begin with http");
        refuses("meadow.example", "does not begin with http");
        refuses("ftp://meadow.example/", "neither http nor https");
        refuses("http://:80/", "read the URL");
        refuses("http://meadow.example:99999/", "port");
        refuses("http://meadow.example:0/", "port");
        refuses("http://meadow.example:/", "port");
        refuses("http://ida:pw@meadow.example/", "user name");
        refuses("http://meadow.example/#top", "fragment");
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
