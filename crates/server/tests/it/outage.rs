//! Endpoints that are down, and the other subscriptions.

use std::time::Duration;

use easel_testkit::{Receiver, event};

use crate::test_server::{TestServer, config};

#[tokio::test]
async fn an_endpoint_gets_missed_events_after_an_outage_and_other_endpoints_do_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let (down, up) = (Receiver::start().await, Receiver::start().await);
    test_server.subscribe("down", "", &down.url()).await;
    test_server.subscribe("up", "", &up.url()).await;
    down.take_down().await;

    for n in 0..200_u32 {
        test_server
            .post("/v1/events", event("grade_change", u64::from(n)))
            .await;
        let count = usize::try_from(n).unwrap() + 1;
        let arrived = tokio::time::timeout(Duration::from_secs(4), up.wait_for(count)).await;
        assert!(arrived.is_ok(), "event {n} waited for the other endpoint");
    }
    // The first deliveries failed and are parked. Then the subscription was on hold.
    let balance = test_server.balance("down").await;
    let term = |name: &str| balance[name].as_u64().unwrap();
    assert_eq!(term("pending") + term("parked"), 200, "{balance}");
    assert!(term("parked") < 20, "{balance}");

    down.bring_up().await;
    let mut received: Vec<_> = down
        .wait_for(200)
        .await
        .into_iter()
        .map(|request| request.body)
        .collect();
    received.sort();
    received.dedup();
    assert_eq!(received.len(), 200);
    test_server.close().await;
}
