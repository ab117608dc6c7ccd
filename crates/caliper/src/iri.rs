//! Validates and encodes ids, which are absolute IRIs or URNs.
//!
//! The crate `oxiri` applies RFC 3987. Two schemes have extra rules: an HTTP IRI must have a host
//! (RFC 9110), and a URN must have a namespace (RFC 8141).

use std::borrow::Cow;
use std::fmt::Write;

use oxiri::Iri;

/// Returns whether a text is an absolute IRI. A URN is an absolute IRI too.
pub fn is_iri(text: &str) -> bool {
    let Ok(iri) = Iri::parse(text) else {
        return false;
    };
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "urn" => rest.split_once(':').is_some_and(|(namespace, name)| {
            let is_namespace = (2..=32).contains(&namespace.len())
                && !namespace.starts_with('-')
                && namespace
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            is_namespace && !name.is_empty()
        }),
        "http" | "https" => iri.authority().is_some_and(|authority| {
            let host = authority.rsplit('@').next().unwrap_or_default();
            !host.is_empty() && !host.starts_with(':')
        }),
        _ => !rest.is_empty(),
    }
}

/// Encodes a text as a part of a URN.
///
/// `raw` is the text as it stands between the quotes of a JSON string. Characters that a URN does not
/// allow are percent-encoded. `#` is percent-encoded too, because it would start a fragment.
pub(crate) fn encode_part(raw: &[u8]) -> Cow<'_, [u8]> {
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(byte);
    if raw.iter().all(is_plain) {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(encode(&unescape(raw), |_| false).into_bytes())
}

/// Encodes an address as an IRI where possible: characters that an IRI does not allow are
/// percent-encoded.
///
/// `raw` is the address as it stands between the quotes of a JSON string.
pub(crate) fn encode_address(raw: &[u8]) -> Cow<'_, [u8]> {
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
    // An IPv6 address keeps its brackets.
    let mut encoded = encode(head, |letter| "[]".contains(letter));
    encoded.push_str(&encode(path, |_| false));
    if let Some(fragment) = fragment {
        encoded.push('#');
        encoded.push_str(&encode(fragment, |_| false));
    }
    Cow::Owned(encoded.into_bytes())
}

/// Encodes the address of an installation, `http://HOST/`.
///
/// If the address is not an IRI, characters that a host name does not allow are percent-encoded.
pub(crate) fn encode_base(raw: &[u8]) -> Cow<'_, [u8]> {
    let whole = encode_address(raw);
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

/// Returns the end of the authority of an address, or 0 if it has no authority.
fn authority_end(text: &str) -> usize {
    let Some(start) = text.find("://").map(|at| at + 3) else {
        return 0;
    };
    let rest = text.get(start..).unwrap_or_default();
    start + rest.find(['/', '?', '#']).unwrap_or(rest.len())
}

fn unescape(raw: &[u8]) -> String {
    let quoted = [b"\"", raw, b"\""].concat();
    // A string of an admitted event may contain an unpaired surrogate, which is not a character.
    // Such a string keeps its escapes.
    serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(raw).into_owned())
}

/// Percent-encodes every character that the path of an IRI does not allow, with two exceptions: `?`,
/// which starts a query, and characters for which `is_allowed` returns true.
fn encode(text: &str, is_allowed: impl Fn(char) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for (at, letter) in text.char_indices() {
        let is_plain = match letter {
            '?' => true,
            '#' => false,
            '%' => is_percent_encoded(text.get(at..).unwrap_or_default()),
            _ => {
                is_allowed(letter)
                    || Iri::parse(["x:", letter.encode_utf8(&mut buffer)].concat()).is_ok()
            }
        };
        if is_plain {
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

/// Returns whether a text starts with a percent sign and two hexadecimal digits.
fn is_percent_encoded(text: &str) -> bool {
    matches!(text.as_bytes(), [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_an_iri_does_not_allow_are_encoded() {
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
                String::from_utf8_lossy(&encode_part(raw.as_bytes())),
                wanted,
                "{raw}"
            );
        }
    }

    #[test]
    fn an_address_keeps_its_host_query_and_fragment() {
        for (raw, wanted) in [
            (
                "http://[::1]:3000/a[]?b[]=1#c#d",
                "http://[::1]:3000/a%5B%5D?b%5B%5D=1#c%23d",
            ),
            (r"http:\/\/a.example\/%", "http://a.example/%25"),
            ("a[1]", "a%5B1%5D"),
        ] {
            let found = encode_address(raw.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), wanted, "{raw}");
        }
    }

    #[test]
    fn the_address_of_an_installation_is_an_iri_for_any_host() {
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
            let found = encode_base(raw.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), wanted, "{raw}");
            assert!(str::from_utf8(&found).is_ok_and(is_iri), "{raw}");
        }
    }
}
