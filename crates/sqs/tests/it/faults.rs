//! Tests of failures: each message has its own result, and the order of a key holds.

use std::collections::HashMap;
use std::sync::Arc;

use easel_catalog::OrderKey;
use easel_keys::Secret;
use easel_log::Offset;
use easel_sinks::{Batch, Blame, Form, Item, Outcome, Sink};
use easel_sqs::{AwsCredentials, AwsHttp, QueueAddress, QueueClient, SqsSink, SqsSinkOptions};
use http::StatusCode;
use uuid::Uuid;

use crate::stand_in::{Fate, StandIn, Verdict};

const ENDPOINT: Blame = Blame::Endpoint { retry_after: None };

fn sink(stand_in: &StandIn, queue: &str) -> SqsSink {
    let endpoint = &stand_in.endpoint;
    let address = QueueAddress::new(&format!("{endpoint}/1/{queue}"), None, Some(endpoint));
    let credentials = AwsCredentials::KeyPair {
        access_key_id: "id".to_owned(),
        secret_access_key: Secret::new("secret".to_owned()),
        session_token: None,
    };
    SqsSink::new(SqsSinkOptions {
        client: QueueClient::new(address.unwrap(), credentials, AwsHttp::new(b"")),
        max_in_flight: 4,
    })
}

/// Returns a batch of events with these keys. The body of each event is its place.
fn batch(keys: &[Option<i64>]) -> Batch {
    let template = easel_testkit::batch("0");
    let items = (0_u64..).zip(keys).map(|(place, _key)| {
        Arc::new(Item {
            offset: Offset::new(place),
            id: Uuid::from_u128(u128::from(place)),
            form: Form::Canvas(place.to_string().into()),
            ..Item::clone(&template.items[0])
        })
    });
    Batch {
        items: items.collect(),
        keys: keys.iter().map(|key| key.map(OrderKey)).collect(),
        ..template
    }
}

fn fates<const N: usize>(fates: [(&str, Fate); N]) -> Verdict {
    let fates = fates.map(|(body, fate)| (body.to_owned(), fate));
    Verdict::Each(HashMap::from(fates))
}

/// Returns who is to blame for each item; `None` for a success.
fn blames(outcome: &Outcome, count: usize) -> Vec<Option<Blame>> {
    let results = (0..count).map(|index| outcome.result(index).err());
    results
        .map(|error| error.map(easel_sinks::SendError::blame))
        .collect()
}

#[tokio::test]
async fn each_message_of_a_request_has_its_own_result() {
    let verdict = fates([
        ("1", Fate::Rejected("InvalidMessageContents")),
        ("3", Fate::Failed("InternalError")),
        ("4", Fate::Failed("ThrottlingException")),
    ]);
    let stand_in = StandIn::start(verdict).await;
    let sink = sink(&stand_in, "q");
    let outcome = sink.send(&batch(&[None; 5])).await;
    let pause = Blame::Pause { retry_after: None };
    let wanted = [None, Some(Blame::Event), None, Some(ENDPOINT), Some(pause)];
    assert_eq!(blames(&outcome, 5), wanted);
    assert_eq!(stand_in.requests().len(), 1);
}

#[tokio::test]
async fn an_event_does_not_overtake_an_earlier_one_of_its_key_that_failed() {
    let stand_in = StandIn::start(fates([("1", Fate::Failed("InternalError"))])).await;
    let sink = sink(&stand_in, "q.fifo");
    let keys = [Some(7), Some(8), Some(7), Some(8), Some(8), None];
    let outcome = sink.send(&batch(&keys)).await;
    let wanted = [
        None,
        Some(ENDPOINT),
        None,
        Some(ENDPOINT),
        Some(ENDPOINT),
        None,
    ];
    assert_eq!(blames(&outcome, 6), wanted);
    // One message of each key in a request: the second request has only the next event of key 7.
    assert_eq!(stand_in.requests(), [vec!["0", "1", "5"], vec!["2"]]);
    let groups = stand_in.accepted();
    let groups = groups
        .iter()
        .map(|message| message["MessageGroupId"].as_str().unwrap());
    let alone = Uuid::from_u128(5).to_string();
    assert_eq!(
        groups.collect::<Vec<_>>(),
        ["0000000000000007", &alone, "0000000000000007"]
    );
}

#[tokio::test]
async fn an_event_that_is_rejected_lets_the_next_one_of_its_key_pass() {
    let verdict = fates([("0", Fate::Rejected("InvalidMessageContents"))]);
    let stand_in = StandIn::start(verdict).await;
    let sink = sink(&stand_in, "q.fifo");
    let outcome = sink.send(&batch(&[Some(7), Some(7)])).await;
    assert_eq!(blames(&outcome, 2), [Some(Blame::Event), None]);
}

#[tokio::test]
async fn a_request_that_is_too_long_is_sent_in_parts() {
    let stand_in = StandIn::start(Verdict::AtMost(3)).await;
    let sink = sink(&stand_in, "q");
    let outcome = sink.send(&batch(&[None; 10])).await;
    assert_eq!(blames(&outcome, 10), [None; 10]);
    assert_eq!(stand_in.accepted().len(), 10);
    stand_in.set(Verdict::AtMost(0));
    let outcome = sink.send(&batch(&[None; 2])).await;
    assert_eq!(blames(&outcome, 2), [Some(Blame::Event); 2]);
}

#[tokio::test]
async fn a_missing_queue_and_wrong_credentials_are_the_endpoints_fault_with_a_clear_text() {
    for (code, message) in [
        ("QueueDoesNotExist", "The specified queue does not exist."),
        ("InvalidClientTokenId", "The security token is invalid."),
        ("AccessDeniedException", "User is not authorized."),
    ] {
        let verdict = Verdict::Error(StatusCode::BAD_REQUEST, code, message);
        let stand_in = StandIn::start(verdict).await;
        let outcome = sink(&stand_in, "q").send(&batch(&[None; 3])).await;
        assert_eq!(blames(&outcome, 3), [Some(ENDPOINT); 3]);
        let text = outcome.first_failure(3).unwrap().to_string();
        assert!(text.contains(code) && text.contains(message), "{text}");
        assert_eq!(outcome.answer.unwrap().status, 400);
    }
}

#[tokio::test]
async fn a_host_without_a_service_is_the_hosts_fault() {
    let stand_in = StandIn::start(Verdict::AtMost(10)).await;
    let sink = sink(&stand_in, "q");
    drop(stand_in);
    let outcome = sink.send(&batch(&[None])).await;
    assert_eq!(blames(&outcome, 1), [Some(Blame::Host)]);
}
