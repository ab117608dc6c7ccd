//! Secrets in the queries of addresses: tokens and the like, which no subscriber needs.

use std::borrow::Cow;

/// The parameters whose values are secrets.
const SECRETS: [&str; 4] = ["access_token", "token", "signature", "verifier"];
/// What stands in the place of a secret.
const MASK: &str = "masked";

/// The address between the quotes of `raw`, JSON, with the values of secret parameters masked.
pub(crate) fn mask(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'?', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    // The separator may be escaped, so what is escaped is read first.
    let text = if raw.contains(&b'\\') {
        let quoted = [b"\"", raw, b"\""].concat();
        let Ok(text) = serde_json::from_slice::<String>(&quoted) else {
            return Cow::Borrowed(raw);
        };
        Cow::Owned(text)
    } else {
        String::from_utf8_lossy(raw)
    };
    let Some(masked) = masked(&text) else {
        return Cow::Borrowed(raw);
    };
    let json = serde_json::Value::from(masked).to_string();
    let inner = json.as_bytes().get(1..json.len() - 1).unwrap_or_default();
    Cow::Owned(inner.to_vec())
}

/// The address with its secrets masked; `None` when it has none.
fn masked(address: &str) -> Option<String> {
    let (before, query) = address.split_once('?')?;
    if !query.split('&').any(is_secret) {
        return None;
    }
    let mut out = format!("{before}?");
    for (index, parameter) in query.split('&').enumerate() {
        if index > 0 {
            out.push('&');
        }
        match parameter.split_once('=').filter(|_| is_secret(parameter)) {
            None => out.push_str(parameter),
            Some((name, value)) => {
                out.push_str(name);
                out.push('=');
                out.push_str(MASK);
                // What follows in the fragment is no part of the value.
                out.push_str(
                    value
                        .find('#')
                        .and_then(|at| value.get(at..))
                        .unwrap_or_default(),
                );
            }
        }
    }
    Some(out)
}

/// Whether a parameter of a query has a value that is a secret.
fn is_secret(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        // An ampersand may have come as HTML has it.
        let name = name.strip_prefix("amp;").unwrap_or(name);
        !value.is_empty()
            && SECRETS
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, wanted: &str) {
        assert_eq!(
            String::from_utf8_lossy(&mask(raw.as_bytes())),
            wanted,
            "{raw}"
        );
    }

    #[test]
    fn the_values_of_secrets_are_masked() {
        check(
            "https://a/b?access_token=1~x&c=d",
            "https://a/b?access_token=masked&c=d",
        );
        check(
            "https://a/b?c=d&Verifier=x#e",
            "https://a/b?c=d&Verifier=masked#e",
        );
        check(
            "https://a/b?c=d&amp;token=x&amp;e=f",
            "https://a/b?c=d&amp;token=masked&amp;e=f",
        );
        check(
            r"https:\/\/a\/b?c=d\u0026signature=x",
            "https://a/b?c=d&signature=masked",
        );
    }

    #[test]
    fn everything_else_is_left_as_it_is_spelled() {
        for raw in [
            r"https:\/\/a\/token=x",
            r"https:\/\/a?b=\u0026c",
            "https://a?tokens=x&token=&token",
            "https://a?b=token",
            "",
        ] {
            check(raw, raw);
        }
    }
}
