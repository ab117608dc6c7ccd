//! Generated events of every type with any values. Their translations must follow a few rules.

use std::sync::LazyLock;

use easel_caliper::{Dialect, Level, Translator, check};
use easel_catalog::{Catalog, EventType, Field, Kind, Limits, UrlMasker, admit};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::published::translator;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);
static TRANSLATOR: LazyLock<Translator> = LazyLock::new(translator);

fn moment() -> impl Strategy<Value = Value> {
    let date = "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])";
    let time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?";
    let zone = "(Z| UTC|[+-](0[0-9]|1[0-3]):?[0-5][0-9])";
    (date, select(vec!["T", " "]), time, zone).prop_map(|(date, between, time, zone)| {
        Value::from([date.as_str(), between, &time, &zone].concat())
    })
}

/// Generates a value for a field of this kind, sometimes an invalid one.
fn value(kind: Kind) -> BoxedStrategy<Value> {
    let text = prop_oneof![
        "\\PC{0,20}".prop_map(Value::from),
        Just(json!("a \" \\ / \u{1f393} \n</b>")),
        Just(json!("https://a.example/b?access_token=x&c=d")),
    ];
    let id = prop_oneof![
        6 => "[1-9][0-9]{0,16}".prop_map(Value::from),
        2 => (0..10_u64.pow(15)).prop_map(Value::from),
        1 => Just(json!("")),
    ];
    let valid = match kind {
        Kind::Text => text.boxed(),
        Kind::Id(_) => id.boxed(),
        Kind::Integer => prop_oneof![
            4 => any::<i64>().prop_map(Value::from),
            1 => Just(json!(u64::MAX)),
        ]
        .boxed(),
        Kind::Number => prop_oneof![(-1e6..1e6).prop_map(Value::from), Just(json!(100.0))].boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Timestamp(_) => moment().boxed(),
        Kind::Object(_) | Kind::Texts | Kind::Ids(_) | Kind::Objects(_) => {
            Just(json!({ "a": null })).boxed()
        }
    };
    let other = select(vec![
        json!(null),
        json!(7),
        json!(true),
        json!("x"),
        json!([null]),
        json!({ "b": [1] }),
    ]);
    prop_oneof![20 => valid, 1 => other].boxed()
}

fn members(fields: Vec<(Field, bool)>) -> BoxedStrategy<Map<String, Value>> {
    let members: Vec<_> = fields
        .into_iter()
        .map(|(field, always)| {
            let values: BoxedStrategy<Vec<Value>> = match field.values {
                Some(values) => select(values.listed.to_vec())
                    .prop_map(|text| vec![text.into()])
                    .boxed(),
                None => value(field.kind).prop_map(|value| vec![value]).boxed(),
            };
            let absent = if always { 0 } else { 2 };
            let maybe = prop_oneof![8 => values, absent => Just(Vec::new())];
            maybe.prop_map(move |values| {
                values
                    .into_iter()
                    .map(|value| (field.name.to_owned(), value))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    members
        .prop_map(|members| members.into_iter().flatten().collect())
        .boxed()
}

/// Returns the same JSON with these letters escaped. They occur only in strings.
fn escaped(json: &str, letters: &[char]) -> String {
    let escaped = |letter| match letter {
        letter if letters.contains(&letter) => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.to_string(),
    };
    json.chars().map(escaped).collect()
}

/// Generates an event of a type that has a Caliper form.
fn event() -> impl Strategy<Value = (EventType, String)> {
    let types: Vec<_> = CATALOG
        .types()
        .iter()
        .filter(|event_type| event_type.caliper.is_some())
        .copied()
        .collect();
    select(types).prop_flat_map(|event_type| {
        let metadata = CATALOG
            .metadata()
            .iter()
            .map(|metadata| (metadata.field, false))
            .collect();
        let body = event_type
            .body
            .iter()
            .map(|field| (*field, false))
            .collect();
        let roles = vec![
            "TeacherEnrollment",
            "TaEnrollment",
            "ObserverEnrollment",
            "AccountAdmin",
            "Chief \"cook\"",
            "",
        ];
        (
            Just(event_type),
            members(metadata),
            members(body),
            moment(),
            select(roles),
            select(vec!["Course", "Group"]),
            subsequence(vec!['+', '&', '=', '?', '/', 'é', ';'], 0..=3),
        )
            .prop_map(
                |(event_type, mut metadata, body, time, role, context, letters)| {
                    metadata.insert("event_name".to_owned(), event_type.name.into());
                    metadata.insert("event_time".to_owned(), time);
                    metadata.insert("context_role".to_owned(), role.into());
                    metadata.insert("context_type".to_owned(), context.into());
                    let event = json!({ "metadata": metadata, "body": body });
                    (event_type, escaped(&event.to_string(), &letters))
                },
            )
    })
}

/// Visits every value in a tree, with the key of the object member that holds it.
fn visit_values<'a>(key: &'a str, value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    visit(key, value);
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, value)| visit_values(key, value, visit)),
        Value::Array(elements) => elements
            .iter()
            .for_each(|value| visit_values(key, value, visit)),
        _ => (),
    }
}

#[test]
fn the_translated_example_of_every_event_type_matches_its_schema() {
    for event_type in CATALOG.types() {
        let Some(caliper) = event_type.caliper else {
            continue;
        };
        let example = CATALOG.example(
            event_type,
            easel_catalog::EventOrigin::Request,
            jiff::Timestamp::UNIX_EPOCH,
        );
        for (dialect, template) in [
            (Dialect::Compatible, caliper.compatible),
            (Dialect::Strict, caliper.strict),
        ] {
            let schema = CATALOG.caliper_schema(event_type, "caliper", &template);
            jsonschema::draft202012::meta::validate(&schema).expect(event_type.name);
            let validator = jsonschema::draft202012::new(&schema).expect(event_type.name);
            let event = TRANSLATOR
                .translate(
                    event_type.name,
                    example.as_bytes(),
                    Uuid::from_u128(7),
                    dialect,
                )
                .unwrap();
            let mut envelope: Value =
                serde_json::from_slice(&event.envelope(jiff::Timestamp::UNIX_EPOCH)).unwrap();
            validator.validate(&envelope).expect(event_type.name);
            envelope["data"][0]["object"]["mood"] = json!("good");
            assert!(!validator.is_valid(&envelope), "{}", event_type.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::cmp::max(2_000, ProptestConfig::default().cases)))]

    #[test]
    fn every_translation_is_valid((event_type, text) in event()) {
        let event = admit(text.as_bytes(), &Limits::default()).unwrap();
        let bytes = UrlMasker::default().mask(&event.bytes).into_owned();
        for dialect in [Dialect::Compatible, Dialect::Strict] {
            let translate = || TRANSLATOR.translate(event_type.name, &bytes, Uuid::from_u128(0x3f67_2715_6aa8_4293_b62a_3b33_19ff_5701), dialect);
            let Ok(translated) = translate() else {
                // The object has no id.
                continue;
            };
            prop_assert_eq!(translate().unwrap(), translated.clone());
            let send_time = "2200-01-01T00:00:00Z".parse().unwrap();
            let envelope = translated.envelope(send_time);
            let tree: Value = serde_json::from_slice(&envelope).expect("JSON");
            visit_values("", &tree, &mut |key, value| {
                assert!(!value.is_null(), "{key} is null in {tree}");
                if key == "id" || key.ends_with("_id") {
                    assert!(value.is_string(), "{key} is not a string in {tree}");
                }
                let is_date = ["eventTime", "sendTime"].contains(&key) || key.starts_with("date") || key.ends_with("_at");
                if is_date {
                    let text = value.as_str().expect(key);
                    assert!(text.len() == 24 && text.ends_with('Z'), "{key}: {text}");
                }
                if ["request_url", "referrer"].contains(&key) {
                    assert!(!value.as_str().expect(key).contains("access_token=x"), "{value}");
                }
            });
            let breaches = check(&envelope).unwrap();
            prop_assert!(breaches.iter().all(|breach| breach.rule.code() != "E9"), "{breaches:?}");
            if dialect == Dialect::Strict {
                let must: Vec<_> = breaches.iter().filter(|breach| breach.rule.level() == Level::Must).collect();
                prop_assert!(must.is_empty(), "{must:?}\n{tree:#}\n{text}");
            }
        }
    }
}
