//! Which URLs keys are fetched from.

use url::{Host, Url};

/// Rejects a URL of keys that is not `https`. On this machine, `http` is allowed, for tests.
///
/// # Errors
///
/// Returns what the URL must be. The text reads after the name of the setting.
pub fn check_jwks_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("must be a URL: {error}"))?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_http || !url.username().is_empty() || url.password().is_some() {
        return Err(
            "must be a URL that begins with https:// or http:// and has no user name or password"
                .to_owned(),
        );
    }
    let is_local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    };
    if url.scheme() == "https" || is_local {
        return Ok(());
    }
    Err("must begin with https://".to_owned())
}
