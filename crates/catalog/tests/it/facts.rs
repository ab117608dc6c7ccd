//! The facts of any event, compared with another parser.

use std::borrow::Cow;
use std::collections::HashMap;

use easel_catalog::Facts;
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::json::{Node, node, number, text};

const NAMES: [&str; 8] = [
    "event_time",
    "root_account_id",
    "root_account_uuid",
    "context_type",
    "context_id",
    "context_account_id",
    "user_id",
    "producer",
];

proptest! {
    #[test]
    fn facts_equal_those_of_another_parser(
        values in prop::collection::vec(value(), NAMES.len()),
        present in prop::sample::subsequence((0..NAMES.len()).collect::<Vec<_>>(), 0..=NAMES.len())
            .prop_shuffle(),
        others in prop::collection::vec(node(), 2),
    ) {
        let mut metadata: Vec<_> = present
            .iter()
            .map(|index| (format!("\"{}\"", NAMES[*index]), values[*index].clone()))
            .collect();
        metadata.insert(metadata.len() / 2, (r#""other""#.to_owned(), others[0].clone()));
        let metadata = Node::Object(metadata);
        let stored = Node::Object(vec![
            (r#""body""#.to_owned(), others[1].clone()),
            (r#""metadata""#.to_owned(), metadata.clone()),
        ])
        .compact();
        let metadata = metadata.compact();
        let wanted = lookup(&metadata);
        let facts = Facts::from_event(stored.as_bytes());
        let found = [
            facts.event_time,
            facts.root_account_id,
            facts.root_account_uuid,
            facts.context_type,
            facts.context_id,
            facts.context_account_id,
            facts.user_id,
            facts.producer,
        ];
        for (name, found) in NAMES.into_iter().zip(found) {
            prop_assert_eq!(found.map(Cow::into_owned), wanted.get(name).cloned(), "{}", name);
        }
    }
}

fn value() -> impl Strategy<Value = Node> {
    let string = text().prop_map(|text| text.spelled);
    prop_oneof![string, number(), Just("null".to_owned())]
        .prop_map(Node::Scalar)
        .boxed()
        .prop_union(node().boxed())
}

/// Returns the strings and numbers of an object.
fn lookup(object: &str) -> HashMap<String, String> {
    let members: HashMap<String, &RawValue> = serde_json::from_str(object).expect("an object");
    let text = |value: &RawValue| match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get()).ok(),
        Some(b'-' | b'0'..=b'9') => Some(value.get().to_owned()),
        _ => None,
    };
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name, text(value)?)))
        .collect()
}
