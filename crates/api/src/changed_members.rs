//! The names of the members of a definition that a change has changed.

use serde::Serialize;
use serde_json::Value;

/// Returns the names of the members that are different, such as `events` and `webhook.url`. The values can be
/// secrets, so no value is returned.
pub(crate) fn changed_members<T: Serialize>(old: &T, new: &T) -> Vec<String> {
    let mut names = Vec::new();
    // A definition is always an object. Otherwise no name is found.
    if let (Ok(old), Ok(new)) = (serde_json::to_value(old), serde_json::to_value(new)) {
        compare("", &old, &new, &mut names);
    }
    names
}

fn compare(name: &str, old: &Value, new: &Value, names: &mut Vec<String>) {
    let (Value::Object(old_members), Value::Object(new_members)) = (old, new) else {
        if old != new {
            names.push(name.to_owned());
        }
        return;
    };
    let added = new_members
        .keys()
        .filter(|name| !old_members.contains_key(*name));
    for member in old_members.keys().chain(added) {
        let path = if name.is_empty() {
            member.clone()
        } else {
            format!("{name}.{member}")
        };
        let value = |members: &serde_json::Map<String, Value>| {
            members.get(member).cloned().unwrap_or(Value::Null)
        };
        compare(&path, &value(old_members), &value(new_members), names);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_names_of_different_members_are_returned() {
        let old = json!({ "name": "a", "webhook": { "url": "x", "secret": "s1" }, "rate": 1 });
        let new = json!({ "name": "a", "webhook": { "url": "x", "secret": "s2" }, "new": {} });
        assert_eq!(
            changed_members(&old, &new),
            ["webhook.secret", "rate", "new"]
        );
        assert!(changed_members(&old, &old).is_empty());
    }
}
