//! A URL that may hold a secret.

use std::fmt;

use crate::Secret;

/// A URL that may hold a secret: in its user name and password, or in its query.
///
/// It is not parsed, for a URL that cannot be used may hold a secret too.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Secret<String>);

impl SecretUrl {
    /// A URL with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Secret::new(text.into()))
    }

    /// The whole URL. It must not be logged, and must not be shown to somebody who may not see it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The URL without user name, password, query and fragment.
    pub fn without_secrets(&self) -> String {
        let text = self.expose();
        let is_scheme = |scheme: &str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
            _ => (String::new(), text),
        };
        // Browsers take a backslash for a slash, so it ends the host too.
        let host_end = rest.find(['/', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(host_end);
        let host = match authority.rsplit_once('@') {
            // It is unclear where the host begins.
            Some((userinfo, _)) if userinfo.contains(['?', '#']) => return format!("{scheme}…"),
            Some((_, host)) => host,
            None => authority,
        };
        let before_query = |text: &str| text.split(['?', '#']).next().unwrap_or("").to_owned();
        match before_query(host) {
            cut if cut.len() < host.len() => scheme + &cut,
            host => scheme + &host + &before_query(path),
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
    fn only_scheme_host_and_path_are_shown() {
        check("https://a.example/hook", "https://a.example/hook");
        check("https://a.example:8443", "https://a.example:8443");
        check(
            "https://a.example/hook?key=s3cret",
            "https://a.example/hook",
        );
        check("https://a.example?key=s3cret", "https://a.example");
        check("https://a.example/#s3cret", "https://a.example/");
        check("https://ida:s3cret@a.example/x@y", "https://a.example/x@y");
        check("https://ida:s3@cret@a.example/", "https://a.example/");
        check("https://ida:s3cret@a.example\\x", "https://a.example\\x");
    }

    #[test]
    fn what_is_no_url_shows_no_secret_either() {
        check("", "");
        check("ida:s3cret@a.example", "a.example");
        check("a.example/hook?key=s3cret", "a.example/hook");
        check("?key=s3cret", "");
        check("https://ida:s3?cret@a.example/", "https://…");
        check("ida:s3cret@a.example/x://y", "a.example/x://y");
    }
}
