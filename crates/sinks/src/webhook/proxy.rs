//! The HTTP proxy that webhooks use, if the operator wants one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use easel_keys::SecretUrl;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::Url;

/// A proxy that opens a tunnel for every connection, with the method CONNECT.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    uri: Uri,
    /// The value of `Proxy-Authorization`. It is marked as sensitive, so `Debug` does not print it.
    authorization: Option<HeaderValue>,
}

/// Why the URL of the proxy is invalid. The error never contains the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// The text is not a URL.
    #[error("the URL is invalid")]
    Malformed,
    /// The scheme is not `http`.
    #[error("the scheme must be http, as in http://proxy.example:3128")]
    Scheme,
    /// The URL has a path, a query or a fragment.
    #[error("the URL must end after the port")]
    Path,
    /// The port is 0.
    #[error("the port must be a number from 1 to 65535")]
    Port,
}

impl Proxy {
    /// Parses `http://host:port` or `http://user:password@host:port`.
    pub(super) fn parse(url: &SecretUrl) -> Result<Self, ProxyError> {
        let url = Url::parse(url.expose()).map_err(|_invalid| ProxyError::Malformed)?;
        if url.scheme() != "http" {
            return Err(ProxyError::Scheme);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Path);
        }
        if url.port() == Some(0) {
            return Err(ProxyError::Port);
        }
        let host = url.host_str().ok_or(ProxyError::Malformed)?;
        let port = url.port_or_known_default().ok_or(ProxyError::Port)?;
        let uri = format!("http://{host}:{port}/").parse();
        Ok(Self {
            uri: uri.map_err(|_invalid| ProxyError::Malformed)?,
            authorization: authorization(&url)?,
        })
    }

    /// Returns the URL to connect to, without user name and password.
    pub(super) const fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) const fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

/// Returns the credentials of the URL for the scheme Basic (RFC 7617).
fn authorization(url: &Url) -> Result<Option<HeaderValue>, ProxyError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(url.password().unwrap_or_default()));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(credentials)));
    let mut value = value.map_err(|_invalid| ProxyError::Malformed)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepts(url: &str, uri: &str, authorization: Option<&str>) {
        let proxy = Proxy::parse(&SecretUrl::new(url)).unwrap();
        assert_eq!(proxy.uri().to_string(), uri, "{url}");
        let header = proxy.authorization().map(|value| value.to_str().unwrap());
        assert_eq!(header, authorization, "{url}");
    }

    #[track_caller]
    fn rejects(url: &str, error: ProxyError) {
        let result = Proxy::parse(&SecretUrl::new(url));
        assert_eq!(result.unwrap_err(), error, "{url}");
    }

    #[test]
    fn the_url_of_a_proxy_may_have_a_user_name_and_a_password() {
        let uri = "http://proxy.example:3128/";
        accepts("http://proxy.example:3128", uri, None);
        accepts("http://Proxy.Example:3128/", uri, None);
        accepts("http://proxy.example", "http://proxy.example:80/", None);
        accepts("http://[::1]:3128", "http://[::1]:3128/", None);
        let aladdin = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        accepts(
            "http://Aladdin:open%20sesame@proxy.example:3128",
            uri,
            aladdin,
        );
        accepts("http://ida@proxy.example:3128", uri, Some("Basic aWRhOg=="));
    }

    #[test]
    fn other_urls_are_rejected_with_the_reason() {
        rejects("", ProxyError::Malformed);
        rejects("proxy.example", ProxyError::Malformed);
        rejects("proxy.example:3128", ProxyError::Scheme);
        rejects("http://", ProxyError::Malformed);
        rejects("https://proxy.example:3128", ProxyError::Scheme);
        rejects("socks5://proxy.example:1080", ProxyError::Scheme);
        rejects("http://proxy.example:3128/a", ProxyError::Path);
        rejects("http://proxy.example:3128?a", ProxyError::Path);
        rejects("http://proxy.example:3128#a", ProxyError::Path);
        rejects("http://proxy.example:0", ProxyError::Port);
    }

    #[test]
    fn debug_output_hides_the_password() {
        let proxy = Proxy::parse(&SecretUrl::new("http://ida:s3cret@proxy.example:3128"));
        let shown = format!("{:?}", proxy.unwrap());
        assert!(!shown.contains("aWRhOnMzY3JldA"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
