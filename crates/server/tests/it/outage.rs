//! Endpoints that are down, and the subscriptions beside them.

use std::time::Duration;

use easel_testkit::{Receiver, event};

use crate::test_server::{TestServer, config};

#[tokio::test]
async fn what_an_endpoint_missed_arrives_once_it_is_back_and_others_never_waited() {
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
    // The first ones failed and are parked; then the subscription was on hold.
    let balance = test_server.balance("down").await;
    let term = |name: &str| balance[name].as_u64().unwrap();
    assert_eq!(term("pending") + term("parked"), 200, "{balance}");
    assert!(term("parked") < 20, "{balance}");

    down.bring_up().await;
    let mut received: Vec<_> = down
        .wait_for(200)
        .await
        .into_iter()
        .map(|it| it.body)
        .collect();
    received.sort();
    received.dedup();
    assert_eq!(received.len(), 200);
    test_server.close().await;
}
