//! What can be a name: absolute IRIs, URNs among them.
//!
//! RFC 3987 decides, through the crate `oxiri`. Two schemes have rules of their own: an HTTP IRI
//! has a host (RFC 9110), and a URN has a namespace (RFC 8141).

use std::borrow::Cow;
use std::fmt::Write;

use oxiri::Iri;

/// Whether a text is an absolute IRI, a URN among them.
pub fn is_iri(text: &str) -> bool {
    let Ok(iri) = Iri::parse(text) else {
        return false;
    };
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "urn" => rest.split_once(':').is_some_and(|(space, name)| {
            let is_space = (2..=32).contains(&space.len())
                && !space.starts_with('-')
                && space
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || it == b'-');
            is_space && !name.is_empty()
        }),
        "http" | "https" => iri.authority().is_some_and(|authority| {
            let host = authority.rsplit('@').next().unwrap_or_default();
            !host.is_empty() && !host.starts_with(':')
        }),
        _ => !rest.is_empty(),
    }
}

/// What stands between the quotes of `raw`, JSON, as a part of a URN. What an IRI cannot have there
/// is percent-encoded, and so is `#`, which would begin a fragment.
pub(crate) fn part(raw: &[u8]) -> Cow<'_, [u8]> {
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(byte);
    if raw.iter().all(is_plain) {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(encode(&unescape(raw), |_| false).into_bytes())
}

/// The address between the quotes of `raw`, JSON, as an IRI as far as that can be: what an IRI
/// cannot have in its place is percent-encoded.
pub(crate) fn address(raw: &[u8]) -> Cow<'_, [u8]> {
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(byte);
    if raw.iter().all(is_plain) {
        return Cow::Borrowed(raw);
    }
    let text = unescape(raw);
    let (head, rest) = text.split_at(authority_end(&text));
    let (path, fragment) = match rest.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (rest, None),
    };
    // Brackets around an IPv6 address.
    let mut encoded = encode(head, |letter| "[]".contains(letter));
    encoded.push_str(&encode(path, |_| false));
    if let Some(fragment) = fragment {
        encoded.push('#');
        encoded.push_str(&encode(fragment, |_| false));
    }
    Cow::Owned(encoded.into_bytes())
}

/// The address of an installation, `http://HOST/`. If that is no IRI, everything in the host is
/// percent-encoded that no host name can have.
pub(crate) fn base(raw: &[u8]) -> Cow<'_, [u8]> {
    let whole = address(raw);
    if str::from_utf8(&whole).is_ok_and(is_iri) {
        return whole;
    }
    let text = unescape(raw);
    let host = text.strip_prefix("http://").unwrap_or(&text);
    let host = host.strip_suffix('/').unwrap_or(host);
    let mut encoded = encode(host, |_| false);
    for (letter, code) in [(":", "%3A"), ("@", "%40"), ("/", "%2F"), ("?", "%3F")] {
        encoded = encoded.replace(letter, code);
    }
    Cow::Owned(["http://", &encoded, "/"].concat().into_bytes())
}

/// Where the authority of an address ends; 0 if it has none.
fn authority_end(text: &str) -> usize {
    let Some(start) = text.find("://").map(|at| at + 3) else {
        return 0;
    };
    let rest = text.get(start..).unwrap_or_default();
    start + rest.find(['/', '?', '#']).unwrap_or(rest.len())
}

fn unescape(raw: &[u8]) -> String {
    let quoted = [b"\"", raw, b"\""].concat();
    // What stands between quotes in an admitted event is a string, but half a surrogate pair can
    // be in it, which is no letter: then it is named as it is spelled.
    serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(raw).into_owned())
}

/// Percent-encodes every letter that cannot stand in the path of an IRI, unless `is_kept`; `?`
/// stays, for it begins a query.
fn encode(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for (at, letter) in text.char_indices() {
        let stands = match letter {
            '?' => true,
            '#' => false,
            '%' => is_percent_encoded(text.get(at..).unwrap_or_default()),
            _ => {
                is_kept(letter)
                    || Iri::parse(["x:", letter.encode_utf8(&mut buffer)].concat()).is_ok()
            }
        };
        if stands {
            encoded.push(letter);
        } else {
            for byte in letter.encode_utf8(&mut buffer).bytes() {
                // Writing to a string does not fail.
                if write!(encoded, "%{byte:02X}").is_err() {}
            }
        }
    }
    encoded
}

/// Whether a text starts with a percent sign and two hexadecimal digits.
fn is_percent_encoded(text: &str) -> bool {
    matches!(text.as_bytes(), [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_an_iri_is_encoded() {
        for (raw, wanted) in [
            ("2107", "2107"),
            ("lti/tool_proxy", "lti/tool_proxy"),
            (r#"a \"b\" \u007b\\ø"#, "a%20%22b%22%20%7B%5Cø"),
            (r"a\ud83d", "a%5Cud83d"),
            ("50%", "50%25"),
            ("%41%4", "%41%254"),
            ("a[1]#b", "a%5B1%5D%23b"),
            ("\u{e000}", "%EE%80%80"),
        ] {
            assert_eq!(
                String::from_utf8_lossy(&part(raw.as_bytes())),
                wanted,
                "{raw}"
            );
        }
    }

    #[test]
    fn an_address_keeps_its_host_its_query_and_its_fragment() {
        for (raw, wanted) in [
            (
                "http://[::1]:3000/a[]?b[]=1#c#d",
                "http://[::1]:3000/a%5B%5D?b%5B%5D=1#c%23d",
            ),
            (r"http:\/\/a.example\/%", "http://a.example/%25"),
            ("a[1]", "a%5B1%5D"),
        ] {
            let found = address(raw.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), wanted, "{raw}");
        }
    }

    #[test]
    fn the_address_of_an_installation_is_an_iri_whatever_its_host() {
        for (raw, wanted) in [
            ("http://[::1]:3000/", "http://[::1]:3000/"),
            ("http://a:b/", "http://a%3Ab/"),
            ("http://[x/", "http://%5Bx/"),
            ("http://:80/", "http://%3A80/"),
            ("http://a b%/", "http://a%20b%25/"),
            ("http:////", "http://%2F/"),
            ("http://?@/", "http://%3F%40/"),
            (r"http://\ud800:/x/", "http://%5Cud800:/x/"),
        ] {
            let found = base(raw.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), wanted, "{raw}");
            assert!(str::from_utf8(&found).is_ok_and(is_iri), "{raw}");
        }
    }
}
