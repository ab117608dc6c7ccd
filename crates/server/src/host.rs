//! Validates the host of a request: exactly one, and well-formed.
//!
//! RFC 9112, section 3.2: an HTTP/1.1 request without `Host`, and any request with two `Host` headers
//! or a malformed one, gets 400. Over HTTP/2 the host is in `:authority` (RFC 9113, section 8.3.1). A
//! request can have `Host` instead, or both if they are equal. A host has the form `host [":" port]` of
//! RFC 3986, without user information. An empty host is refused, as RFC 9110, section 4.2.1, requires
//! for `http`. The name of the host does not matter: Easel serves under any name.

use std::net::Ipv6Addr;

use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, StatusCode, Version};
use easel_access::Problem;

/// Refuses a request that does not name exactly one well-formed host.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    check_host(request).map_err(|(code, detail)| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, code, detail);
        if request.version() == Version::HTTP_2 {
            return problem;
        }
        // A proxy may read the bytes after such a request differently.
        problem.with_header(CONNECTION, HeaderValue::from_static("close"))
    })
}

/// Checks the host. An error has the code and the detail of the problem.
fn check_host<B>(request: &Request<B>) -> Result<(), (&'static str, &'static str)> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next().map(HeaderValue::as_bytes);
    if headers.next().is_some() {
        return Err((
            "host_repeated",
            "The request has more than one Host header.",
        ));
    }
    let authority = request.uri().authority();
    let authority = authority.map(|authority| authority.as_str().as_bytes());
    if [header, authority]
        .into_iter()
        .flatten()
        .any(|host| !is_host(host))
    {
        return Err(("host_malformed", "The host of the request is malformed."));
    }
    match (request.version(), header, authority) {
        (Version::HTTP_2, None, None) | (Version::HTTP_11, None, _) => {
            Err(("host_missing", "The request has no host."))
        }
        (Version::HTTP_2, Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
            Err(("host_repeated", "The request's Host and :authority differ."))
        }
        _ => Ok(()),
    }
}

/// Returns whether `text` is a host with an optional port.
fn is_host(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    if let Some(rest) = text.strip_prefix('[') {
        return rest
            .split_once(']')
            .is_some_and(|(address, port)| address.parse::<Ipv6Addr>().is_ok() && is_port(port));
    }
    let end = text.find(':').unwrap_or(text.len());
    let (name, port) = text.split_at(end);
    !name.is_empty() && is_name(name) && is_port(port)
}

/// Returns whether `text` is empty, or a colon and an optional port.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else {
        return text.is_empty();
    };
    port.bytes().all(|byte| byte.is_ascii_digit())
        && (port.is_empty() || port.parse::<u16>().is_ok())
}

/// Returns whether `name` is a registered name or an IPv4 address, which has the same characters.
fn is_name(name: &str) -> bool {
    let mut pieces = name.split('%');
    let is_plain = |piece: &str| {
        let mut bytes = piece.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte))
    };
    // Two hexadecimal digits follow a percent sign.
    let is_escaped = |piece: &str| {
        let digits = piece.get(..2);
        digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    pieces.next().is_some_and(is_plain) && pieces.all(|piece| is_escaped(piece) && is_plain(piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the code of the problem for a request of this version with these hosts.
    #[track_caller]
    fn check_code(version: Version, uri: &str, hosts: &[&str], wanted: Option<&str>) {
        let mut request = Request::get(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let problem = check(&request.body(()).unwrap()).err();
        let code = problem.as_ref().map(Problem::code);
        assert_eq!(code, wanted, "{version:?} {uri} {hosts:?}");
    }

    #[test]
    fn a_request_must_name_exactly_one_host() {
        let (missing, repeated) = (Some("host_missing"), Some("host_repeated"));
        check_code(Version::HTTP_11, "/", &["a"], None);
        check_code(Version::HTTP_11, "/", &[], missing);
        check_code(Version::HTTP_11, "http://a/", &[], missing);
        check_code(Version::HTTP_11, "http://a/", &["b"], None);
        check_code(Version::HTTP_11, "/", &["a", "a"], repeated);
        check_code(Version::HTTP_10, "/", &[], None);
        check_code(Version::HTTP_10, "/", &["a", "b"], repeated);
        check_code(Version::HTTP_2, "http://a/", &[], None);
        check_code(Version::HTTP_2, "/", &["a"], None);
        check_code(Version::HTTP_2, "/", &[], missing);
        check_code(Version::HTTP_2, "http://a:1/", &["A:1"], None);
        check_code(Version::HTTP_2, "http://a/", &["b"], repeated);
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for host in [
            "easel.example",
            "Easel_1.example.",
            "a:",
            "a:4567",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:4567",
            "xn--bcher-kva.example",
            "a%20b",
            "localhost:65535",
        ] {
            check_code(Version::HTTP_11, "/", &[host], None);
        }
        for host in [
            "",
            ":80",
            "a b",
            "a/b",
            "a@b",
            "user:pass@b",
            "a:b",
            "a:80:80",
            "a:65536",
            "::1",
            "[::1",
            "[a]",
            "[::1]a",
            "a%2",
            "a%zz",
            "é",
            "a\tb",
            "a?b",
            "a#b",
            "<a>",
            "http://a",
        ] {
            check_code(Version::HTTP_11, "/", &[host], Some("host_malformed"));
        }
        check_code(
            Version::HTTP_2,
            "http://user@a/",
            &[],
            Some("host_malformed"),
        );
        check_code(Version::HTTP_10, "/", &["a/b"], Some("host_malformed"));
    }
}
