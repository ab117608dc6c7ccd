//! Tests of watched attempts.

use easel_sinks::{SendError, Sink, Trial};
use easel_testkit::Receiver;
use http::StatusCode;

use crate::fixtures::{batch, body, impatient_webhook, webhook};

#[tokio::test]
async fn a_test_has_the_test_header_and_shows_the_start_of_the_answer() {
    let receiver = Receiver::start().await;
    receiver.set_body("thank you ".repeat(500));
    let trial = webhook(&receiver.url()).try_out(&batch()).await;
    assert_eq!((trial.result, trial.status), (Ok(()), Some(200)));
    assert_eq!(trial.body.len(), 1024);
    assert!(
        trial.body.starts_with(b"thank you thank"),
        "{:?}",
        trial.body
    );
    let request = receiver.received().remove(0);
    assert_eq!(request.header("easel-test"), "true");
    assert_eq!(request.body, body(&batch()));
}

#[tokio::test]
async fn a_test_shows_the_answer_of_a_refusal() {
    let receiver = Receiver::start().await;
    receiver.set_status(StatusCode::UNPROCESSABLE_ENTITY);
    receiver.set_body("no such course");
    let trial = webhook(&receiver.url()).try_out(&batch()).await;
    let wanted = Trial {
        result: Err(SendError::Rejected {
            reason: "the endpoint answered 422".to_owned(),
        }),
        status: Some(422),
        body: "no such course".into(),
    };
    assert_eq!(trial, wanted);
}

#[tokio::test]
async fn a_test_without_an_answer_has_an_error() {
    let receiver = Receiver::start().await;
    receiver.hang(true);
    let trial = impatient_webhook(&receiver.url()).try_out(&batch()).await;
    assert_eq!(
        (trial.result, trial.status),
        (Err(SendError::TimedOut), None)
    );
}

#[tokio::test]
async fn a_watched_delivery_sends_the_request_of_a_delivery_and_shows_the_answer() {
    let receiver = Receiver::start().await;
    receiver.set_body("thank you");
    let webhook = webhook(&receiver.url());
    let outcome = webhook.send(&batch()).await;
    assert_eq!(outcome.result(0), Ok(()));
    let trial = webhook.deliver(&batch()).await;
    assert_eq!((trial.result, trial.status), (Ok(()), Some(200)));
    assert_eq!(trial.body, "thank you");
    let requests = receiver.received();
    assert_eq!(requests[0], requests[1]);
}
