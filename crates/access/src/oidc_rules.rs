//! What the claims of a token of the operator's identity provider allow.
//!
//! A claim that is missing allows nothing. A token reaches everything only if one of its claims has a value that
//! the settings name for this. Otherwise the claim of the reach must name one root account.

use easel_catalog::{Reach, RootAccount};
use serde_json::{Map, Value};

use crate::{Scope, Scopes};

/// The claims of a token.
pub(crate) type Claims = Map<String, Value>;

/// What the claims of a token allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcRules {
    /// One of the values of `aud`.
    pub audience: String,
    /// The claim with the values that give scopes. Dots lead into objects.
    pub scopes_claim: String,
    /// The values of the claim, and the scope that each gives.
    pub scopes: Vec<(String, Scope)>,
    /// The claim that names a root account. Dots lead into objects.
    pub reach_claim: Option<String>,
    /// The claims, and the value of each, that give the reach of everything.
    pub everything: Vec<ClaimValue>,
}

/// A claim with a value, as text `CLAIM=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimValue {
    /// The claim. Dots lead into objects.
    pub claim: String,
    /// The value, or one of the values.
    pub value: String,
}

impl std::fmt::Display for ClaimValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.claim, self.value)
    }
}

impl OidcRules {
    pub(crate) fn is_addressed(&self, claims: &Claims) -> bool {
        match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(all)) => all.iter().any(|one| one == self.audience.as_str()),
            Some(_) | None => false,
        }
    }

    pub(crate) fn scopes(&self, claims: &Claims) -> Scopes {
        let values = words(claims, &self.scopes_claim);
        let given_by = |value: &str| {
            let rules = self
                .scopes
                .iter()
                .filter(move |(name, _scope)| name == value);
            rules.map(|(_name, scope)| *scope).collect::<Vec<_>>()
        };
        values.iter().flat_map(|value| given_by(value)).collect()
    }

    /// Returns the reach; `None` if the claims do not say it.
    pub(crate) fn reach(&self, claims: &Claims) -> Option<Reach> {
        let says = |rule: &ClaimValue| words(claims, &rule.claim).contains(&rule.value);
        if self.everything.iter().any(says) {
            return Some(Reach::Everything);
        }
        let account = match find(claims, self.reach_claim.as_deref()?)? {
            Value::Array(values) => match values.as_slice() {
                [value] => text_of(value),
                _ => None,
            },
            value => text_of(value),
        };
        let account: RootAccount = account?.parse().ok()?;
        Some(Reach::RootAccount(account))
    }
}

/// Returns the value of a claim. A claim whose own name has dots comes first.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut parts = name.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// Returns the values of a claim: those of a list, or the text and the words of the text.
fn words(claims: &Claims, name: &str) -> Vec<String> {
    match find(claims, name) {
        Some(Value::Array(values)) => values.iter().filter_map(text_of).collect(),
        Some(value) => {
            let Some(text) = text_of(value) else {
                return Vec::new();
            };
            let mut words: Vec<_> = text.split_ascii_whitespace().map(str::to_owned).collect();
            words.push(text);
            words
        }
        None => Vec::new(),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> OidcRules {
        OidcRules {
            audience: "easel".to_owned(),
            scopes_claim: "realm.roles".to_owned(),
            scopes: vec![
                ("senders".to_owned(), Scope::Ingest),
                ("admins".to_owned(), Scope::Read),
                ("admins".to_owned(), Scope::Manage),
            ],
            reach_claim: Some("school".to_owned()),
            everything: vec![ClaimValue {
                claim: "groups".to_owned(),
                value: "all schools".to_owned(),
            }],
        }
    }

    fn claims(json: &Value) -> Claims {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn a_token_is_for_the_audience_that_it_names() {
        let check = |aud: Value, wanted| {
            let claims = claims(&json!({ "aud": aud }));
            assert_eq!(rules().is_addressed(&claims), wanted, "{aud}");
        };
        check(json!("easel"), true);
        check(json!(["other", "easel"]), true);
        check(json!("easel other"), false);
        check(json!(["other"]), false);
        check(json!([]), false);
        check(json!({"easel": 1}), false);
        assert!(!rules().is_addressed(&claims(&json!({}))));
    }

    #[test]
    fn scopes_come_only_from_the_values_that_the_settings_name() {
        let check = |json: Value, wanted: &str| {
            let scopes = rules().scopes(&claims(&json));
            assert_eq!(scopes.to_string(), wanted, "{json}");
        };
        check(
            json!({"realm": {"roles": ["senders", "admins"]}}),
            "ingest read manage",
        );
        check(json!({"realm": {"roles": "senders others"}}), "ingest");
        check(json!({"realm.roles": "admins"}), "read manage");
        check(json!({"realm": {"roles": ["manage"]}}), "");
        check(json!({"realm": ["senders"]}), "");
        check(json!({"scope": "admins"}), "");
        check(json!({}), "");
    }

    #[test]
    fn a_missing_or_strange_claim_never_means_everything() {
        let check = |json: Value, wanted: Option<&str>| {
            let reach = rules().reach(&claims(&json));
            let reach = reach.map(|reach| reach.to_string());
            assert_eq!(reach.as_deref(), wanted, "{json}");
        };
        check(json!({"groups": ["x", "all schools"]}), Some("*"));
        check(json!({"groups": "all schools"}), Some("*"));
        check(
            json!({"school": "21070000000000001"}),
            Some("root_account:21070000000000001"),
        );
        check(
            json!({"school": 21_070_000_000_000_001_u64}),
            Some("root_account:21070000000000001"),
        );
        check(json!({"school": ["a-uuid"]}), Some("root_account:a-uuid"));
        check(json!({"school": ["1", "2"]}), None);
        check(json!({"school": "*"}), None);
        check(json!({"school": ""}), None);
        check(json!({"school": null}), None);
        check(json!({"school": true}), None);
        check(json!({"school": 1.5}), None);
        check(json!({}), None);
    }
}
