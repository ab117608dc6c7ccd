//! A URL that may contain a secret.

use std::fmt;

use crate::Secret;

/// A URL that may contain a secret: in its user name, password or query.
///
/// The text is not parsed as a URL, because an invalid URL may contain a secret too.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Secret<String>);

impl SecretUrl {
    /// Wraps the text of a URL.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Secret::new(text.into()))
    }

    /// Wraps a text that is a secret already.
    pub const fn from_secret(text: Secret<String>) -> Self {
        Self(text)
    }

    /// Returns the whole URL. It must not be logged, nor shown to callers without permission.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Returns the URL without user name, password, query and fragment. `…@` stands for a user name, and `?…`
    /// for a query.
    pub fn without_secrets(&self) -> String {
        let text = self.expose();
        let is_scheme = |scheme: &str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
            _ => (String::new(), text),
        };
        // Browsers treat a backslash like a slash, so a backslash ends the host too.
        let host_end = rest.find(['/', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(host_end);
        let host = match authority.rsplit_once('@') {
            // It is unclear where the host starts, so hide everything after the scheme.
            Some((userinfo, _)) if userinfo.contains(['?', '#']) => return format!("{scheme}…"),
            Some((_, host)) => format!("…@{host}"),
            None => authority.to_owned(),
        };
        let host_and_path = [&host, path].concat();
        match host_and_path.find(['?', '#']) {
            None => scheme + &host_and_path,
            Some(end) => {
                let (before, rest) = host_and_path.split_at(end);
                let query = if rest.starts_with('?') { "?…" } else { "" };
                scheme + before + query
            }
        }
    }
}

/// Prints the URL without its secrets.
impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({:?})", self.without_secrets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, wanted: &str) {
        let url = SecretUrl::new(text);
        assert_eq!(url.without_secrets(), wanted, "{text}");
        assert_eq!(url.expose(), text);
        assert_eq!(format!("{url:?}"), format!("SecretUrl({wanted:?})"));
    }

    #[test]
    fn only_scheme_host_port_and_path_are_shown() {
        check("https://a.example/hook", "https://a.example/hook");
        check("https://a.example:8443", "https://a.example:8443");
        check(
            "https://a.example/hook?key=s3cret",
            "https://a.example/hook?…",
        );
        check("https://a.example?key=s3cret", "https://a.example?…");
        check("https://a.example/#s3cret", "https://a.example/");
        check(
            "https://ida:s3cret@a.example/x@y",
            "https://…@a.example/x@y",
        );
        check("https://ida:s3@cret@a.example/", "https://…@a.example/");
        check("https://ida:s3cret@a.example\\x", "https://…@a.example\\x");
    }

    #[test]
    fn invalid_urls_show_no_secret_either() {
        check("", "");
        check("ida:s3cret@a.example", "…@a.example");
        check("a.example/hook?key=s3cret", "a.example/hook?…");
        check("?key=s3cret", "?…");
        check("https://ida:s3?cret@a.example/", "https://…");
        check("ida:s3cret@a.example/x://y", "…@a.example/x://y");
    }
}
