//! Tests of hosts that are down: all lanes of a host share its state.

use std::sync::Arc;
use std::time::Duration;

use easel_sinks::SendError;
use easel_subscriptions::Term;
use easel_testkit::RecordingSink;
use tokio::time::Instant;

use crate::fixture::{Fixture, full_name, refused};

fn unconnected() -> SendError {
    SendError::Unconnected {
        reason: "the name does not resolve".to_owned(),
    }
}

async fn subscribe(fixture: &Fixture, name: &str, url: &str) -> Arc<RecordingSink> {
    let json = format!(r#"{{"name":"{name}","webhook":{{"url":"{url}"}}}}"#);
    fixture.subscribe(&json).await
}

#[tokio::test(start_paused = true)]
async fn twenty_subscriptions_to_one_host_share_one_probe() {
    let fixture = Fixture::new().await;
    let mut sinks = Vec::new();
    for number in 0..20 {
        let url = format!("https://nowhere.example/{number}");
        let sink = subscribe(&fixture, &format!("s{number}"), &url).await;
        sink.answer_with(|_| Err(unconnected()));
        sinks.push(sink);
    }
    let elsewhere = subscribe(&fixture, "elsewhere", "https://somewhere.example/").await;
    fixture.append((0..10).map(|n| ("user_created", n))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fixture.settled("elsewhere").await.get(Term::Delivered), 10);
    let attempts = || {
        sinks
            .iter()
            .map(|sink| sink.received().len())
            .sum::<usize>()
    };
    let before = attempts();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let probes = attempts() - before;
    // 5, 10, 20, 40, 80, 160 and 300 s.
    assert!((5..=8).contains(&probes), "{probes} probes in ten minutes");

    for sink in &sinks {
        sink.answer_with(|_| Ok(()));
    }
    let began = Instant::now();
    for number in 0..20 {
        fixture.settled(&format!("s{number}")).await;
    }
    // After one successful probe, all lanes resume. Parked deliveries still follow their schedule.
    assert!(
        began.elapsed() < Duration::from_mins(8),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(elsewhere.received().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_error_status_of_one_path_does_not_affect_other_paths_of_the_host() {
    let fixture = Fixture::new().await;
    let bad = subscribe(&fixture, "bad", "https://shared.example/bad").await;
    bad.answer_with(|_| Err(refused(503)));
    let good = subscribe(&fixture, "good", "https://shared.example/good").await;
    for n in 0..100 {
        fixture.append([("user_created", n)]).await;
    }
    fixture.settled("good").await;
    assert_eq!(good.received().len(), 100);
    let good = fixture.subscriptions.get(&full_name("good")).unwrap();
    assert!(good.shared.hold().is_none());
    let bad = fixture.subscriptions.get(&full_name("bad")).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bad.shared.hold().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_waits_for_an_operator_still_waits_when_its_host_is_back() {
    let fixture = Fixture::new().await;
    let json = r#"{"name":"careful","retry":[],"on_exhausted":"hold_lane",
        "webhook":{"url":"https://nowhere.example/careful"}}"#;
    let careful = fixture.subscribe(json).await;
    careful.answer_with(|_| Err(unconnected()));
    fixture.append((0..20).map(|n| ("user_created", n))).await;
    let lane = fixture.subscriptions.get(&full_name("careful")).unwrap();
    while lane.shared.hold().is_none_or(|hold| hold.until.is_some()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let other = subscribe(&fixture, "other", "https://nowhere.example/other").await;
    other.answer_with(|_| Err(unconnected()));
    fixture.append((20..40).map(|n| ("user_created", n))).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    careful.answer_with(|_| Ok(()));
    other.answer_with(|_| Ok(()));
    fixture.settled("other").await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(lane.shared.hold().is_some_and(|hold| hold.until.is_none()));
    assert!(fixture.balance("careful").get(Term::Parked) > 0);
}
