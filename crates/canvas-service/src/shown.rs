//! A stored object without its secrets, as it is given back.
//!
//! The names of the secret members are not all known, so a member is secret if a word of its name is, such as
//! `AwsSecretKey` and `api_token`. In a URL, user name, password and query are secret.

use easel_keys::SecretUrl;
use serde_json::{Map, Value};

/// The text in place of a secret.
const SHOWN: &str = "…";

/// Words that make a name secret.
const SECRET_WORDS: [&str; 9] = [
    "authorization",
    "credential",
    "credentials",
    "key",
    "keys",
    "passphrase",
    "password",
    "secret",
    "token",
];

/// Words that say that a value is a URL.
const URL_WORDS: [&str; 3] = ["url", "uri", "endpoint"];

/// Names with a secret word whose value is no secret: the id of a developer key.
const PUBLIC_NAMES: [&str; 2] = ["DeveloperKey", "DeveloperKeyId"];

/// Returns the object without secrets.
pub(crate) fn shown(object: &Map<String, Value>) -> Map<String, Value> {
    let members = object.iter();
    members
        .map(|(name, value)| (name.clone(), shown_member(name, value)))
        .collect()
}

fn shown_member(name: &str, value: &Value) -> Value {
    let words = words(name);
    let has_word = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if has_word(&SECRET_WORDS) && !PUBLIC_NAMES.contains(&name) {
        return match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                SHOWN.into()
            }
        };
    }
    match value {
        Value::String(text) if has_word(&URL_WORDS) => {
            SecretUrl::new(text.as_str()).without_secrets().into()
        }
        Value::Object(members) => shown(members).into(),
        Value::Array(items) => {
            let items = items.iter();
            items.map(|item| shown_member(name, item)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Returns `new`, or `current` if `new` is what is shown of it. So a caller can send back what it received,
/// and no secret is lost.
pub(crate) fn keep_secrets(name: &str, new: Value, current: Option<&Value>) -> Value {
    let Some(current) = current else {
        return new;
    };
    if shown_member(name, current) == new {
        return current.clone();
    }
    match (new, current) {
        (Value::Object(members), Value::Object(current)) => {
            let members = members.into_iter().map(|(name, value)| {
                let value = keep_secrets(&name, value, current.get(&name));
                (name, value)
            });
            Value::Object(members.collect())
        }
        (new, _) => new,
    }
}

/// Returns true if a text stands for a secret that is not there.
pub(crate) fn lacks_secrets(value: &Value) -> bool {
    match value {
        Value::String(text) => text == SHOWN,
        Value::Array(items) => items.iter().any(lacks_secrets),
        Value::Object(members) => members.values().any(lacks_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Divides a name such as `AwsSecretKey`, `aws_secret_key` or `awsURL` into words in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous_is_lower = false;
    let letters: Vec<char> = name.chars().collect();
    for (index, letter) in letters.iter().enumerate() {
        let next_is_lower = letters
            .get(index + 1)
            .is_some_and(|next| next.is_lowercase());
        let starts_word = letter.is_uppercase() && (previous_is_lower || next_is_lower);
        if !letter.is_alphanumeric() || starts_word {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        previous_is_lower = letter.is_lowercase() || letter.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_secret_is_found_by_a_word_of_its_name() {
        let secret = json!({
            "aws_secret_access_key": "s", "AwsSecretAccessKey": "s", "apiToken": "s", "PASSWORD": "s",
            "Credentials": {"a": "s"}, "x-authorization": ["s"],
            "TransportMetadata": {"Key": "s", "AccessKeyID": 7},
        });
        let text = Value::Object(shown(&object(secret))).to_string();
        assert!(!text.contains("\"s\"") && !text.contains('7'), "{text}");
        let public = json!({
            "DeveloperKey": "10000000000003", "Keyboard": "de", "Monkey": "m", "Signed": true,
            "OwnerId": "7", "Note": "https://a.example/?b=c",
        });
        assert_eq!(shown(&object(public.clone())), object(public));
    }

    #[test]
    fn a_url_is_given_back_without_its_query() {
        let stored = object(json!({"TransportMetadata": {"Url": "https://i:p@a.example/h?key=s"}}));
        let wanted = object(json!({"TransportMetadata": {"Url": "https://…@a.example/h?…"}}));
        assert_eq!(shown(&stored), wanted);
    }

    #[test]
    fn what_is_shown_can_be_sent_back() {
        let current = json!({"Url": "https://a.example/h?key=s", "Secret": "s", "Region": "r"});
        let current = Some(&current);
        let keep = |new: Value| keep_secrets("TransportMetadata", new, current);
        let back = json!({"Url": "https://a.example/h?…", "Secret": "…", "Region": "q"});
        let wanted = json!({"Url": "https://a.example/h?key=s", "Secret": "s", "Region": "q"});
        assert_eq!(keep(back), wanted);
        let new = json!({"Url": "https://b.example/h?…", "Secret": "t"});
        assert_eq!(keep(new.clone()), new);
    }
}
