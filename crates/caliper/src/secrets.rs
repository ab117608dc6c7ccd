//! Masks secrets, such as tokens, in the queries of addresses. No subscriber needs these secrets.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The parameters whose values are secrets.
const SECRETS: [&str; 4] = ["access_token", "token", "signature", "verifier"];
/// The text that replaces a secret.
const MASK: &str = "masked";

/// Masks the values of secret parameters in an address.
///
/// `raw` is the address as it stands between the quotes of a JSON string. An address that cannot be
/// decoded loses its query.
pub(crate) fn mask(raw: &[u8]) -> Cow<'_, [u8]> {
    // The separators may be escaped, so decode the escapes first.
    let text = if raw.contains(&b'\\') {
        let quoted = [b"\"", raw, b"\""].concat();
        match serde_json::from_slice::<String>(&quoted) {
            Ok(text) => Cow::Owned(text),
            Err(_) => return Cow::Borrowed(without_query(raw)),
        }
    } else if raw.contains(&b'?') {
        String::from_utf8_lossy(raw)
    } else {
        return Cow::Borrowed(raw);
    };
    let Some(masked) = masked(&text) else {
        return Cow::Borrowed(raw);
    };
    let json = serde_json::Value::from(masked).to_string();
    let inner = json.as_bytes().get(1..json.len() - 1).unwrap_or_default();
    Cow::Owned(inner.to_vec())
}

/// Returns the bytes before the first question mark, which may be escaped.
fn without_query(raw: &[u8]) -> &[u8] {
    let unescaped_at = memchr::memchr(b'?', raw);
    let escaped_at = raw
        .windows(6)
        .position(|window| window.eq_ignore_ascii_case(br"\u003f"));
    let end = unescaped_at.into_iter().chain(escaped_at).min();
    end.and_then(|end| raw.get(..end)).unwrap_or(raw)
}

/// Returns the address with its secrets masked, or `None` if it has no secrets.
fn masked(address: &str) -> Option<String> {
    let (before, query) = address.split_once('?')?;
    let mut is_masked = false;
    let parameters: Vec<_> = query
        .split('&')
        .map(|parameter| {
            let Some(value) = secret_of(parameter) else {
                return Cow::Borrowed(parameter);
            };
            is_masked = true;
            let name = parameter.get(..parameter.len() - value.len());
            // The fragment is not part of the value.
            let fragment = value.find('#').and_then(|at| value.get(at..));
            let parts = [name, Some(MASK), fragment].map(Option::unwrap_or_default);
            Cow::Owned(parts.concat())
        })
        .collect();
    is_masked.then(|| format!("{before}?{}", parameters.join("&")))
}

/// Returns the text after the name of the first secret in a query parameter, up to its end.
///
/// A semicolon may separate two parameters, end an HTML `&amp;`, or be part of a value.
fn secret_of(parameter: &str) -> Option<&str> {
    let starts = parameter.match_indices(';').map(|(at, _)| at + 1);
    std::iter::once(0).chain(starts).find_map(|start| {
        let (name, value) = parameter.get(start..)?.split_once('=')?;
        (!value.is_empty() && is_secret(name)).then_some(value)
    })
}

/// Returns whether a parameter of this name has a secret value.
fn is_secret(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    SECRETS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
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
    fn secret_values_are_masked() {
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
    fn a_secret_is_masked_in_every_spelling() {
        check(
            r"https://a/b\u003faccess_token=1~x",
            "https://a/b?access_token=masked",
        );
        check(
            "https://a/b?access%5Ftoken=1~x",
            "https://a/b?access%5Ftoken=masked",
        );
        check("https://a/b?a=1;token=x;y", "https://a/b?a=1;token=masked");
    }

    #[test]
    fn an_address_that_cannot_be_decoded_loses_its_query() {
        check(r"https://a/b?access_token=1~x&q=\ud83d", "https://a/b");
        check(r"https://a/b\u003Faccess_token=1~x&q=\ud83d", "https://a/b");
    }

    #[test]
    fn an_address_without_secrets_is_unchanged() {
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
