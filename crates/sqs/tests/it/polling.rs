//! Tests of the pollers: what is deleted, and what is kept invisible.

use std::sync::Arc;

use easel_ingest::{Intake, IntakeOptions};
use easel_keys::Secret;
use easel_log::{Clock, Log, LogOptions, MemoryLog};
use easel_quarantine::Quarantine;
use easel_sources::{SourceJson, Sources};
use easel_sqs::{AwsCredentials, AwsHttp, QueueAddress, QueueClient, SqsPollers};
use easel_testkit::{FailingLog, FakeClock, event};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::queue_stand_in::QueueStandIn;

/// Pollers of a queue, with the log that they write to.
struct Polling {
    log: Arc<FailingLog>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Polling {
    fn start(queue: &QueueStandIn, prepare: impl FnOnce(&FailingLog)) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
        let memory = || Arc::new(MemoryLog::new(LogOptions::default(), Arc::clone(&clock)));
        let log = Arc::new(FailingLog::new(memory()));
        prepare(&log);
        let quarantine = Quarantine::new(memory(), Arc::clone(&clock));
        let shared = Arc::<FailingLog>::clone(&log);
        let options = IntakeOptions::default();
        let intake = Intake::new(shared, quarantine, Arc::clone(&clock), options);
        let endpoint = queue.endpoint.clone();
        let source = json!({
            "name": "queue", "kind": "sqs", "queue_url": format!("{endpoint}/1/canvas-live-events"),
            "endpoint_url": endpoint, "access_key_id": "A", "secret_access_key": "s", "pollers": 1,
        });
        let source: SourceJson = serde_json::from_value(source).unwrap();
        let declared = vec![source.try_into().unwrap()];
        let pollers = SqsPollers {
            sources: Arc::new(Sources::in_memory(Arc::clone(&clock), declared).unwrap()),
            intake: Arc::new(intake),
            make_client: Box::new(move |sqs| {
                let address = QueueAddress::new(&sqs.queue_url, None, Some(&endpoint)).unwrap();
                let credentials = AwsCredentials::KeyPair {
                    access_key_id: "A".to_owned(),
                    secret_access_key: Secret::new("s".to_owned()),
                    session_token: None,
                };
                Ok(QueueClient::new(address, credentials, AwsHttp::new(b"")))
            }),
            clock,
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(pollers.run(stop.clone()));
        Self { log, stop, tasks }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        self.tasks.join_next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn only_messages_that_were_not_deleted_are_deleted_again() {
    let bodies = [0, 1, 2].map(|number| event("logged_in", number));
    let queue = QueueStandIn::start(&bodies, &["1"]).await;
    let polling = Polling::start(&queue, |_log| ());
    let calls = queue.wait_for(|calls| calls.deleted.len() == 2).await;
    assert_eq!(calls.deleted, [vec!["0", "1", "2"], vec!["1"]]);
    assert_eq!(polling.log.bounds().borrow().head.get(), 3);
    polling.stop().await;
}

#[tokio::test]
async fn messages_stay_invisible_while_the_log_is_slow_and_are_deleted_only_afterwards() {
    let bodies = [0, 1].map(|number| event("logged_in", number));
    let queue = QueueStandIn::start(&bodies, &[]).await;
    let polling = Polling::start(&queue, |log| log.hold_appends(true));
    let calls = queue.wait_for(|calls| !calls.extended.is_empty()).await;
    assert_eq!(calls.extended, [["0", "1"]]);
    assert!(calls.deleted.is_empty());
    polling.log.hold_appends(false);
    let calls = queue.wait_for(|calls| !calls.deleted.is_empty()).await;
    assert_eq!(calls.deleted, [["0", "1"]]);
    assert_eq!(polling.log.bounds().borrow().head.get(), 2);
    polling.stop().await;
}
