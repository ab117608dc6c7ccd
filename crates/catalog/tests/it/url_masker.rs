//! Promises of the masker for any event and any URL.

use std::borrow::Cow;

use easel_catalog::UrlMasker;
use proptest::prelude::*;
use proptest::sample::select;

use crate::json::{Node, damage, node, spaces};

/// The members whose strings are URLs.
const MEMBERS: [&str; 3] = ["url", "request_url", "referrer"];

fn mask(event: &str) -> String {
    let masked = UrlMasker::default().mask(event.as_bytes()).into_owned();
    String::from_utf8(masked).unwrap()
}

/// Spells a text as a JSON string. `escaped` says for each character in turn whether it is an escape.
fn spelled(text: &str, escaped: &[bool]) -> String {
    let mut escaped = escaped.iter().copied().cycle();
    let spell = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        character if escaped.next() == Some(true) || character < ' ' => {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units).iter();
            let escapes: Vec<_> = units.map(|unit| format!("\\u{unit:04X}")).collect();
            escapes.concat()
        }
        character => character.to_string(),
    };
    let spelled: String = text.chars().map(spell).collect();
    format!("\"{spelled}\"")
}

/// Returns whether each character is an escape. Most texts have no escapes.
fn escaped() -> impl Strategy<Value = Vec<bool>> {
    let some = prop::collection::vec(any::<bool>(), 1..20);
    prop_oneof![4 => Just(vec![false]), 1 => Just(vec![true]), 2 => some]
}

/// Any URL, made of pieces that matter to the masker. It may have an unpaired surrogate.
fn url() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "https://",
        "//",
        "a.example",
        "/",
        "\\",
        "?",
        "&",
        "&amp;",
        ";",
        "#",
        "=",
        ":",
        "@",
        "token",
        "access_token",
        "Signature",
        "verifier",
        "b",
        "x",
        "é",
        "%",
        "%3D",
        "%3d",
        "%26",
        "%23",
        "%3F",
        "%2F",
        "%40",
        "%25",
        "%253D",
        "%25253D",
        "%74oken",
        "[",
        "]",
        "+",
        " ",
        "\"",
        "masked",
    ]);
    let text = prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat());
    let spelled = (text, escaped()).prop_map(|(text, escaped)| spelled(&text, &escaped));
    (spelled, prop::bool::weighted(0.1)).prop_map(|(spelled, has_surrogate)| {
        let start = if has_surrogate { "\"\\ud83d" } else { "\"" };
        spelled.replacen('"', start, 1)
    })
}

/// A key: the key of a URL, a similar one, or any other.
fn key() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => select(MEMBERS.to_vec()),
        2 => select(vec!["my_url", "URL", "urls", "a\"url", "referrer ", "\\url", ""]),
    ];
    (name, escaped()).prop_map(|(name, escaped)| spelled(name, &escaped))
}

/// Any JSON with many URLs, below the key of a URL and elsewhere.
fn event() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![3 => url().prop_map(Node::Scalar), 1 => node()];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Node::Array),
            3 => prop::collection::vec((key(), inner), 0..6).prop_map(Node::Object),
        ]
    })
}

/// Returns the same JSON, with each URL masked on its own.
fn masked(node: &Node, is_url: bool) -> Node {
    match node {
        Node::Scalar(scalar) if is_url => {
            let masked = mask(&format!("{{\"url\":{scalar}}}"));
            let scalar = masked.strip_prefix("{\"url\":").unwrap();
            Node::Scalar(scalar.strip_suffix('}').unwrap().to_owned())
        }
        Node::Scalar(_) => node.clone(),
        Node::Array(elements) => Node::Array(
            elements
                .iter()
                .map(|element| masked(element, is_url))
                .collect(),
        ),
        Node::Object(members) => {
            let member = |(key, value): &(String, Node)| {
                let name: Option<String> = serde_json::from_str(key).ok();
                let is_member = name.is_some_and(|name| MEMBERS.contains(&name.as_str()));
                (key.clone(), masked(value, is_url || is_member))
            };
            Node::Object(members.iter().map(member).collect())
        }
    }
}

/// Spells each character as itself or as a percent escape.
fn percent_encoded(text: &str, encoded: &[bool]) -> String {
    let mut encoded = encoded.iter().copied().cycle();
    let spell = |byte: u8| match encoded.next() {
        Some(true) => format!("%{byte:02x}"),
        _ => char::from(byte).to_string(),
    };
    text.bytes().map(spell).collect()
}

/// Encodes all that must be encoded in the value of a parameter.
fn parameter_value(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encoded: Vec<_> = text.bytes().map(|byte| !is_plain(byte)).collect();
    percent_encoded(text, &encoded)
}

/// A URL with the secret in a value or as the password. `markers` are texts that must stay.
#[derive(Clone, Debug)]
struct Hiding {
    url: String,
    secret: String,
    markers: Vec<&'static str>,
}

/// A name of a secret in a random spelling.
fn secret_name() -> impl Strategy<Value = String> {
    let name = select(vec!["access_token", "token", "signature", "verifier"]);
    let flips = prop::collection::vec(any::<bool>(), 1..12);
    let around = select(vec![
        ("", ""),
        ("", "[]"),
        ("a[", "]"),
        ("", "[0]"),
        ("/b/", ""),
        (" ", "+"),
        ("%5B", "%5D"),
    ]);
    (name, flips.clone(), flips, around).prop_map(|(name, upper, encoded, (before, after))| {
        let mut upper = upper.into_iter().cycle();
        let flip = |letter: char| match upper.next() {
            Some(true) => letter.to_ascii_uppercase(),
            _ => letter,
        };
        let name: String = name.chars().map(flip).collect();
        let name = percent_encoded(&name, &encoded);
        format!("{before}{name}{after}")
    })
}

fn hiding() -> impl Strategy<Value = Hiding> {
    let secret = "qz[a-z0-9]{14}";
    let before = select(vec![
        "?",
        "?page=A1&",
        "?page=A1&amp;",
        "?page=A1;",
        "?b=",
        "#",
        "?c=d#",
        "#/e?",
        ";",
    ]);
    let after = select(vec![
        "",
        "&also=B2",
        "#also=B2",
        "&amp;also=B2",
        ";f=g",
        "~h",
        "%26i",
        "/j",
    ]);
    let parameter = (
        secret,
        secret_name(),
        prop::collection::vec(any::<bool>(), 1..6),
        before,
        after,
    )
        .prop_map(|(secret, name, encoded, before, after)| {
            let value = percent_encoded(&secret, &encoded);
            let url = format!("https://k.example/l{before}{name}={value}{after}");
            let markers = ["A1", "B2"].into_iter();
            let markers = markers.filter(|marker| url.contains(marker)).collect();
            Hiding {
                url,
                secret,
                markers,
            }
        });
    let password =
        (secret, select(vec!["/m", "?page=A1", "#page=A1", ""])).prop_map(|(secret, after)| {
            Hiding {
                url: format!("https://ola:{secret}@k.example{after}"),
                secret,
                markers: Vec::from(if after.contains("A1") {
                    ["A1"].as_slice()
                } else {
                    &[]
                }),
            }
        });
    let outer = select(vec![
        ("https://n.example/o?return_to=", "&p=C3"),
        ("https://n.example/o?r=C3&u=", ""),
        ("/q#C3=", ""),
        ("https://n.example/C3/", "?s=t"),
    ]);
    (
        prop_oneof![4 => parameter, 1 => password],
        prop::collection::vec(outer, 0..4),
    )
        .prop_map(|(mut hiding, outers)| {
            for (before, after) in outers {
                let value = parameter_value(&hiding.url);
                hiding.url = format!("{before}{value}{after}");
                hiding.markers.push("C3");
            }
            hiding
        })
}

/// Decodes percent escapes until there are none.
fn decoded(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    loop {
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
            let byte = digits
                .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
                .and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
            decoded.push(byte.unwrap_or(bytes[at]));
            at += if byte.is_some() { 3 } else { 1 };
        }
        if decoded.len() == bytes.len() {
            return String::from_utf8_lossy(&decoded).into_owned();
        }
        bytes = decoded;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::cmp::max(1_000, ProptestConfig::default().cases)))]

    #[test]
    fn only_urls_change(event in event(), spaces in spaces()) {
        let wanted = masked(&event, false);
        prop_assert_eq!(mask(&event.compact()), wanted.compact());
        prop_assert_eq!(mask(&event.spaced(&spaces)), wanted.spaced(&spaces));
    }

    #[test]
    fn a_masked_event_is_not_masked_again(event in event()) {
        let masked = mask(&event.compact());
        let masked_again = UrlMasker::default().mask(masked.as_bytes()).into_owned();
        prop_assert_eq!(String::from_utf8(masked_again).unwrap(), masked);
    }

    #[test]
    fn an_event_without_secrets_is_not_copied(event in event()) {
        let event = event.compact();
        let masker = UrlMasker::default();
        match masker.mask(event.as_bytes()) {
            Cow::Borrowed(bytes) => prop_assert_eq!(bytes, event.as_bytes()),
            Cow::Owned(bytes) => prop_assert_ne!(bytes, event.into_bytes()),
        }
    }

    #[test]
    fn no_secret_survives(hiding in hiding(), escaped in escaped(), key in select(MEMBERS.to_vec())) {
        let url = spelled(&hiding.url, &escaped);
        let masked = mask(&format!(r#"{{"metadata":{{"{key}":{url}}},"body":{{}}}}"#));
        let json: serde_json::Value = serde_json::from_str(&masked).unwrap();
        let url = json["metadata"][key].as_str().unwrap();
        let decoded = decoded(url);
        prop_assert!(!decoded.contains(&hiding.secret), "{url}");
        let (start, end) = hiding.secret.split_at(8);
        prop_assert!(!decoded.contains(start) && !decoded.contains(end), "{url}");
        for marker in &hiding.markers {
            prop_assert!(decoded.contains(marker), "{marker} in {url}");
        }
    }

    #[test]
    fn an_own_name_is_masked_in_any_spelling(
        name in "[a-zA-Z0-9_.~:ø日-]{1,12}",
        encoded in prop::collection::vec(any::<bool>(), 1..12),
        secret in "qz[a-z]{8}",
    ) {
        let masker = UrlMasker::with_names([name.clone()]).unwrap();
        let is_ascii = name.is_ascii();
        let spelled_name = percent_encoded(&name, if is_ascii { &encoded } else { &[true] });
        let event = format!(r#"{{"url":"https://a.example/b?{spelled_name}={secret}#c"}}"#);
        let wanted = format!(r#"{{"url":"https://a.example/b?{spelled_name}=masked#c"}}"#);
        let masked = masker.mask(event.as_bytes()).into_owned();
        prop_assert_eq!(String::from_utf8(masked).unwrap(), wanted);
    }

    #[test]
    fn damaged_input_causes_no_panic(
        event in event(),
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        let mut bytes = event.compact().into_bytes();
        for damage in &damages {
            damage.apply(&mut bytes);
        }
        drop(UrlMasker::default().mask(&bytes));
    }

    #[test]
    fn arbitrary_bytes_cause_no_panic(
        start in select(vec![&b""[..], b"{\"url\":", b"{\"url\":\"a?token=", b"{\"\\u0075rl\":\""]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        drop(UrlMasker::default().mask(&[start, &bytes].concat()));
    }
}
