//! Promises of admission for any input.

use std::collections::HashSet;
use std::fmt;

use easel_catalog::{Event, Facts, Fault, FaultCode, Limits, admit, event_id, parse_timestamp};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Damage, Text, any_text, damage, draft, likely_text, spaces};

fn admit_text(input: &str) -> Result<Event, Fault> {
    admit(input.as_bytes(), &Limits::default())
}

proptest! {
    #[test]
    fn an_event_is_stored_minified_and_otherwise_unchanged(draft in draft(), spaces in spaces()) {
        let wanted = draft.spelled("metadata").compact();
        for spelling in ["metadata", "attributes"] {
            let event = admit_text(&draft.spelled(spelling).spaced(&spaces)).expect("an event");
            prop_assert_eq!(str::from_utf8(&event.bytes), Ok(wanted.as_str()));
            prop_assert_eq!(event.id, event_id(wanted.as_bytes()));
            prop_assert_eq!(event.event_type.as_ref(), draft.name.as_str());
            prop_assert_eq!(Some(event.occurred_at), parse_timestamp(&draft.time));
        }
    }

    #[test]
    fn a_stored_event_is_admitted_unchanged(draft in draft(), spaces in spaces()) {
        let event = admit_text(&draft.spelled("attributes").spaced(&spaces)).expect("an event");
        prop_assert_eq!(admit(&event.bytes, &Limits::default()), Ok(event));
    }

    #[test]
    fn a_duplicate_key_is_found_and_no_other_fault(
        keys in prop::collection::vec(prop_oneof![likely_text(), any_text()], 0..80),
        object in prop::sample::select(vec!["event", "metadata", "body"]),
    ) {
        let repeats = keys.iter().map(|key| &key.units).collect::<HashSet<_>>().len() < keys.len();
        let result = admit_text(&with_keys(&keys, object));
        match result {
            Ok(_) => prop_assert!(!repeats),
            Err(fault) => {
                prop_assert!(repeats, "{fault}");
                prop_assert_eq!(fault.code, FaultCode::DuplicateKey);
            }
        }
    }

    #[test]
    fn any_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_harmless(&bytes);
    }

    #[test]
    fn any_damage_is_harmless(
        draft in draft(),
        spaces in spaces(),
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        check_harmless(&damaged(draft.spelled("attributes").spaced(&spaces), &damages));
    }

    #[test]
    fn a_slow_and_simple_admission_gives_the_same_verdict(
        draft in draft(),
        spelling in prop::sample::select(vec!["metadata", "attributes", "metadatum"]),
        damages in prop::collection::vec(damage(), 0..3),
        end in prop::sample::select(vec!["", "", " ", "\n", "}", " {}", ","]),
    ) {
        // The model cannot parse an unpaired surrogate, so the input has no surrogates.
        let text = draft.spelled(spelling).compact().replace(r"\ud", r"\uc").replace(r"\uD", r"\uC");
        let bytes = damaged(text + end, &damages);
        prop_assume!(!String::from_utf8_lossy(&bytes).to_ascii_lowercase().contains(r"\ud"));
        let verdict = admit(&bytes, &Limits::default()).map(drop);
        prop_assert_eq!(verdict.is_ok(), is_event(&bytes), "{:?}", verdict);
    }
}

fn damaged(text: String, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    for damage in damages {
        damage.apply(&mut bytes);
    }
    bytes
}

/// Checks that admission gives an event that can be admitted again, or a fault with its place.
fn check_harmless(bytes: &[u8]) {
    match admit(bytes, &Limits::default()) {
        Ok(event) => {
            assert!(event.bytes.len() <= bytes.len());
            assert_eq!(admit(&event.bytes, &Limits::default()), Ok(event.clone()));
            assert!(Facts::from_event(&event.bytes).event_time.is_some());
        }
        Err(fault) => {
            assert!(fault.at.byte <= bytes.len(), "{fault}");
            assert!(fault.at.line >= 1 && fault.at.column >= 1, "{fault}");
            assert!(
                fault.at.path.is_empty() || fault.at.path.starts_with('/'),
                "{fault}"
            );
            // Facts must not panic, even for bytes that were rejected.
            drop(Facts::from_event(bytes));
        }
    }
}

/// Returns an event with these additional keys in `object`: the event, its metadata or its body.
fn with_keys(keys: &[Text], object: &str) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|key| format!(",{}:0", key.spelled))
        .collect();
    let keys = keys.concat();
    let keys_in = |name: &str| if name == object { keys.as_str() } else { "" };
    let known = r#""event_name":"a","event_time":"2019-11-01T19:11:05Z""#;
    let (metadata, body, event) = (keys_in("metadata"), keys_in("body"), keys_in("event"));
    format!(r#"{{"metadata":{{{known}{metadata}}},"body":{{"first_of_the_body":0{body}}}{event}}}"#)
}

/// Returns true if the bytes are an event: slow admission with another parser.
fn is_event(bytes: &[u8]) -> bool {
    let Some(event) = str::from_utf8(bytes).ok().and_then(distinct_members) else {
        return false;
    };
    let find = |name: &str| {
        event
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    };
    let Some(metadata) = find("metadata").xor(find("attributes")) else {
        return false;
    };
    let Some(metadata) = distinct_members(metadata.get()) else {
        return false;
    };
    let find_text = |name: &str| {
        let (_, value) = metadata.iter().find(|(key, _)| key == name)?;
        serde_json::from_str::<String>(value.get()).ok()
    };
    find("body")
        .and_then(|body| distinct_members(body.get()))
        .is_some()
        && find_text("event_name").is_some_and(|name| (1..=128).contains(&name.chars().count()))
        && find_text("event_time").is_some_and(|time| parse_timestamp(&time).is_some())
}

fn distinct_members(text: &str) -> Option<Vec<(String, &RawValue)>> {
    let Members(members) = serde_json::from_str(text).ok()?;
    let keys: HashSet<_> = members.iter().map(|(key, _)| key).collect();
    (keys.len() == members.len()).then_some(members)
}

/// The members of an object, duplicates included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
