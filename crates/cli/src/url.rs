//! The address of a server.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// The address of a server: scheme, host and perhaps a path, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url(String);

impl Url {
    /// Returns the address of a server that listens on `address`, without TLS.
    pub(crate) fn http(address: SocketAddr) -> Self {
        Self(format!("http://{address}"))
    }

    /// Returns whether the connection uses TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || "must be an address such as http://127.0.0.1:4567".to_owned();
        let uri: http::Uri = text.parse().map_err(|_parse_error| invalid())?;
        match (uri.scheme_str(), uri.authority(), uri.query()) {
            (Some("http" | "https"), Some(_), None) => {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_scheme_and_a_host_and_must_not_have_a_query() {
        assert_eq!(
            "http://easel.example/".parse(),
            Ok(Url("http://easel.example".to_owned()))
        );
        for text in [
            "easel.example",
            "ftp://easel.example",
            "/v1",
            "http://easel.example?a=b",
            "http://a b",
            "",
        ] {
            let error = text.parse::<Url>().unwrap_err();
            assert!(
                error.starts_with("must be an address such as "),
                "{text:?}: {error}"
            );
        }
    }
}
