//! What can be a name: absolute IRIs, URNs among them.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a text is an absolute IRI, a URN among them.
pub fn is_iri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_scheme = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it));
    let is_clean = !rest.chars().any(is_forbidden);
    let names_something = match scheme.to_ascii_lowercase().as_str() {
        "urn" => rest.split_once(':').is_some_and(|(space, name)| {
            let is_space = (2..=32).contains(&space.len())
                && !space.starts_with('-')
                && space
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || it == b'-');
            is_space && !name.is_empty()
        }),
        "http" | "https" => rest.strip_prefix("//").is_some_and(|it| !it.is_empty()),
        _ => !rest.is_empty(),
    };
    is_scheme && is_clean && names_something
}

/// What stands between the quotes of `raw`, JSON, as a part of an IRI: what cannot stand in one is
/// percent-encoded.
pub(crate) fn part(raw: &[u8]) -> Cow<'_, [u8]> {
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(byte);
    if raw.iter().all(is_plain) {
        return Cow::Borrowed(raw);
    }
    let quoted = [b"\"", raw, b"\""].concat();
    // What stands between quotes in an admitted event is a string, but half a surrogate pair can
    // be in it, which is no letter: then it is named as it is spelled.
    let text: String = serde_json::from_slice(&quoted)
        .unwrap_or_else(|_| String::from_utf8_lossy(raw).into_owned());
    let mut encoded = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_forbidden(letter) {
            let mut buffer = [0; 4];
            for byte in letter.encode_utf8(&mut buffer).bytes() {
                // Writing to a string does not fail.
                if write!(encoded, "%{byte:02X}").is_err() {}
            }
        } else {
            encoded.push(letter);
        }
    }
    Cow::Owned(encoded.into_bytes())
}

/// Whether a letter can stand in no IRI.
fn is_forbidden(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || "<>\"{}|\\^`".contains(letter)
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
        ] {
            assert_eq!(
                String::from_utf8_lossy(&part(raw.as_bytes())),
                wanted,
                "{raw}"
            );
        }
    }
}
