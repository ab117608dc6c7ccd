//! Calls of any shape, from well formed to arbitrary.

use proptest::prelude::*;

use super::*;

fn many(body: &str) -> Result<Put, KinesisError> {
    Put::many(body.as_bytes(), &Limits::default())
}

#[test]
fn base64_is_read_with_or_without_padding_and_escapes() {
    for data in ["W10=", "W10", r"\u0057\u00310="] {
        let body =
            format!(r#"{{"StreamName":"s","Records":[{{"Data":"{data}","PartitionKey":"k"}}]}}"#);
        let put = many(&body).unwrap();
        assert_eq!(put.misfits[0].bytes, b"[]"[..], "{data}");
        assert_eq!(put.misfits[0].code, "not_an_object", "{data}");
    }
}

#[test]
fn a_record_with_empty_data_is_a_record_all_the_same() {
    let put = many(r#"{"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"}]}"#).unwrap();
    assert_eq!(put.misfits[0].code, "empty");
}

#[test]
fn records_are_counted_but_not_kept_past_the_bound() {
    let body = |count| {
        format!(
            r#"{{"StreamName":"s","Records":[{}]}}"#,
            vec![r#"{"Data":"","PartitionKey":""}"#; count].join(",")
        )
    };
    let most = body(Intake::MAX_EVENTS);
    assert_eq!(many(&most).unwrap().order.len(), Intake::MAX_EVENTS);

    let more = body(Intake::MAX_EVENTS + 2);
    let call: PutRecordsJson<'_> = parse(more.as_bytes()).unwrap();
    assert_eq!(
        call.records.as_ref().unwrap().data.len(),
        Intake::MAX_EVENTS
    );
    let Err(refused) = many(&more) else {
        panic!("{} records are taken", call.records.unwrap().count)
    };
    let refused = format!("{refused:?}");
    assert!(refused.contains("ValidationException"), "{refused}");
    assert!(refused.contains("of length 65538"), "{refused}");
}

proptest! {
    #[test]
    fn every_record_of_a_call_is_an_event_or_a_misfit(
        records in prop::collection::vec("[A-Za-z0-9+/= é]{0,40}", 1..30)
    ) {
        let json: Vec<_> = records.iter().map(|data| serde_json::json!({ "Data": data, "PartitionKey": "k" })).collect();
        let body = serde_json::json!({ "StreamName": "s", "Records": json });
        let put = many(&body.to_string()).unwrap();
        prop_assert_eq!(put.order.len(), records.len());
        prop_assert_eq!(put.events.len() + put.misfits.len(), records.len());
    }

    #[test]
    fn arbitrary_calls_are_read_without_a_panic(
        body in prop_oneof![
            any::<Vec<u8>>(),
            r#"\{("(StreamName|StreamARN|Records|Data)":("[a-z:/]*"|\[(\{"Data":("W10="|7|null)\},?){0,2}\]|7),?){0,4}\}"#
                .prop_map(String::into_bytes),
        ]
    ) {
        let limits = Limits::default();
        for put in [Put::one(&body, &limits), Put::many(&body, &limits)].into_iter().flatten() {
            prop_assert!(!put.order.is_empty());
        }
    }
}
