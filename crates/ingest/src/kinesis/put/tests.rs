//! Valid and arbitrary calls.

use ciborium::cbor;
use proptest::prelude::*;

use super::*;
use crate::Intake;

fn many(body: &str) -> Result<ValidatedRecords, KinesisError> {
    let call = PutCall::many(KinesisFormat::Json, body.as_bytes())?;
    Ok(ValidatedRecords::new(
        body.into(),
        call.records,
        (&Limits::default(), &Reach::Everything),
    ))
}

fn put_records(data: &[&str]) -> String {
    let records: Vec<_> = data
        .iter()
        .map(|data| format!(r#"{{"Data":"{data}","PartitionKey":"k"}}"#))
        .collect();
    format!(r#"{{"StreamName":"s","Records":[{}]}}"#, records.join(","))
}

#[test]
fn every_record_keeps_its_bytes_in_the_memory_of_the_call() {
    let event = |n: u64| {
        format!(
            r#"{{"attributes":{{"event_name":"logged_out", "event_time":"2025-03-03T08:00:00Z"}}, "body":{{"n":{n}}}}}"#
        )
    };
    let (first, second) = (BASE64.encode(event(1)), BASE64.encode(event(2)));
    let escaped = BASE64.encode(event(3)).replacen('e', r"\u0065", 1);
    let validated = many(&put_records(&[
        &first,
        "not base64!",
        &second,
        "W10=",
        &escaped,
    ]))
    .unwrap();
    let stored = |n: u64| event(n).replace("attributes", "metadata").replace(' ', "");
    let events = validated.events.iter().map(|event| event.bytes.to_vec());
    let events: Vec<_> = events.collect();
    assert_eq!(events, [1, 2, 3].map(|n| stored(n).into_bytes()));
    let invalid_records = validated
        .invalid_records
        .iter()
        .map(|record| record.bytes.to_vec());
    let invalid_records: Vec<_> = invalid_records.collect();
    assert_eq!(invalid_records, [&b"not base64!"[..], b"[]"]);
}

#[test]
fn base64_is_read_with_or_without_padding_and_escapes() {
    for data in ["W10=", "W10", r"\u0057\u00310="] {
        let body =
            format!(r#"{{"StreamName":"s","Records":[{{"Data":"{data}","PartitionKey":"k"}}]}}"#);
        let put = many(&body).unwrap();
        assert_eq!(put.invalid_records[0].bytes, b"[]"[..], "{data}");
        assert_eq!(put.invalid_records[0].code, "not_an_object", "{data}");
    }
}

#[test]
fn a_record_with_empty_data_is_invalid() {
    let put = many(r#"{"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"}]}"#).unwrap();
    assert_eq!(put.invalid_records[0].code, "empty");
}

#[test]
fn records_past_the_limit_are_counted_but_not_stored() {
    let body = |count| {
        format!(
            r#"{{"StreamName":"s","Records":[{}]}}"#,
            vec![r#"{"Data":"","PartitionKey":""}"#; count].join(",")
        )
    };
    let most = body(Intake::MAX_EVENTS);
    assert_eq!(many(&most).unwrap().order.len(), Intake::MAX_EVENTS);

    let more = body(Intake::MAX_EVENTS + 2);
    let call: PutRecordsJson<'_> = KinesisFormat::Json.parse(more.as_bytes()).unwrap();
    assert_eq!(
        call.records.as_ref().unwrap().data.len(),
        Intake::MAX_EVENTS
    );
    let Err(refused) = many(&more) else {
        panic!("{} records are accepted", call.records.unwrap().count)
    };
    let refused = format!("{refused:?}");
    assert!(refused.contains("ValidationException"), "{refused}");
    assert!(refused.contains("of length 65538"), "{refused}");
}

#[test]
fn a_record_of_another_root_account_goes_to_quarantine_with_the_reach_of_its_key() {
    let data = |account: &str| {
        format!(
            r#"{{"attributes":{{"event_name":"x","event_time":"2019-11-05T07:38:00Z"{account}}},"body":{{}}}}"#
        )
    };
    let own = data(r#","root_account_id":"7""#);
    let (foreign, unnamed) = (data(r#","root_account_id":"8""#), data(""));
    let sent = [&own, &foreign, &unnamed].map(|data| BASE64.encode(data));
    let body = put_records(&sent.each_ref().map(String::as_str));
    let call = PutCall::many(KinesisFormat::Json, body.as_bytes()).unwrap();
    let reach = "root_account:7".parse().unwrap();
    let limits = Limits::default();
    let validated = ValidatedRecords::new(body.into(), call.records, (&limits, &reach));

    let accounts = validated.events.iter();
    let accounts = accounts.map(|event| event.provenance.root_account_id.as_deref());
    assert_eq!(accounts.collect::<Vec<_>>(), [Some("7"), Some("7")]);
    let [invalid] = validated.invalid_records.as_slice() else {
        panic!("{:?}", validated.invalid_records);
    };
    assert_eq!(invalid.code, "out_of_reach");
    assert_eq!(invalid.reach.as_deref(), Some("root_account:7"));
    assert_eq!(invalid.bytes, foreign.as_bytes());
}

proptest! {
    #[test]
    fn every_record_of_a_call_is_an_event_or_invalid(
        records in prop::collection::vec("[A-Za-z0-9+/= é]{0,40}", 1..30)
    ) {
        let json: Vec<_> = records.iter().map(|data| serde_json::json!({ "Data": data, "PartitionKey": "k" })).collect();
        let body = serde_json::json!({ "StreamName": "s", "Records": json });
        let put = many(&body.to_string()).unwrap();
        prop_assert_eq!(put.order.len(), records.len());
        prop_assert_eq!(put.events.len() + put.invalid_records.len(), records.len());
    }

    #[test]
    fn a_call_has_the_same_records_in_both_formats(
        records in prop::collection::vec(
            prop_oneof![
                any::<Vec<u8>>(),
                r#"\{"attributes": ?\{"event_name":"a","event_time":"2025-03-03T08:00:00Z"\},"body":\{\}\}"#
                    .prop_map(String::into_bytes),
            ],
            1..20,
        )
    ) {
        let json = records.iter().map(|data| {
            serde_json::json!({ "Data": BASE64.encode(data), "PartitionKey": "k" })
        });
        let json: Vec<_> = json.collect();
        let json = serde_json::json!({ "StreamName": "s", "Records": json }).to_string();
        let records = records.iter().map(|data| {
            let data = ciborium::Value::from(data.clone());
            cbor!({ "Data" => data, "PartitionKey" => "k" }).unwrap()
        });
        let records = ciborium::Value::Array(records.collect());
        let members = cbor!({ "StreamName" => "s", "Records" => records }).unwrap();
        let mut body = Vec::new();
        ciborium::into_writer(&members, &mut body).unwrap();
        let read = |format, body: Vec<u8>| {
            let call = PutCall::many(format, &body).unwrap();
            let validated = ValidatedRecords::new(body, call.records, (&Limits::default(), &Reach::Everything));
            let events = validated.events.into_iter().map(|event| event.bytes);
            let invalid_records = validated.invalid_records.into_iter();
            let invalid_records = invalid_records.map(|record| (record.code, record.bytes));
            (events.collect::<Vec<_>>(), invalid_records.collect::<Vec<_>>())
        };
        prop_assert_eq!(
            read(KinesisFormat::Json, json.into_bytes()),
            read(KinesisFormat::Cbor, body)
        );
    }

    #[test]
    fn arbitrary_calls_are_parsed_without_a_panic(
        body in prop_oneof![
            any::<Vec<u8>>(),
            r#"\{("(StreamName|StreamARN|Records|Data)":("[a-z:/]*"|\[(\{"Data":("W10="|7|null)\},?){0,2}\]|7),?){0,4}\}"#
                .prop_map(String::into_bytes),
        ]
    ) {
        let formats = [KinesisFormat::Json, KinesisFormat::Cbor];
        let calls = formats.map(|format| [PutCall::one(format, &body), PutCall::many(format, &body)]);
        for call in calls.into_iter().flatten().flatten() {
            let count = call.records.len();
            let validated = ValidatedRecords::new(body.clone(), call.records, (&Limits::default(), &Reach::Everything));
            prop_assert!(count > 0 && validated.order.len() == count);
        }
    }
}
