//! Tests of replays: a range is served again, independent of the live lane.

use std::time::Duration;

use easel_log::Offset;
use easel_subscriptions::{MaxRate, ReplayNumber, ReplaySpec, Subscription, Term};
use tokio::time::Instant;

use crate::fixture::{Fixture, full_name, id, numbers, refused};

const ONE: &str = r#"{"name":"one","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#;

fn range(from: u64, to: u64) -> ReplaySpec {
    ReplaySpec::of_range(Offset::new(from), Offset::new(to))
}

async fn ended(fixture: &Fixture, replay: &Subscription) {
    while !replay.has_ended() {
        assert!(fixture.subscriptions.balance(replay).adds_up());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns a fixture whose live lane has processed a thousand events. Every second event matched.
async fn fixture() -> (Fixture, std::sync::Arc<easel_testkit::RecordingSink>) {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    let event_type = |n| {
        if n % 2 == 0 {
            "grade_change"
        } else {
            "user_created"
        }
    };
    for n in 0..10 {
        fixture
            .append((n * 100..n * 100 + 100).map(|n| (event_type(n), n)))
            .await;
    }
    fixture.settled("one").await;
    (fixture, sink)
}

#[tokio::test(start_paused = true)]
async fn a_replay_serves_its_range_again_with_its_number_and_does_not_change_the_live_lane() {
    let (fixture, sink) = fixture().await;
    let live = fixture.balance("one");
    let replay = fixture
        .subscriptions
        .start_replay(&full_name("one"), range(100, 300))
        .await;
    let replay = replay.unwrap();
    ended(&fixture, &replay).await;
    assert_eq!(fixture.balance("one"), live);
    let again: Vec<_> = sink.received()[500..].to_vec();
    assert!(
        again
            .iter()
            .all(|batch| batch.replay == ReplayNumber::new(1))
    );
    let mut again = numbers(&again);
    again.sort_unstable();
    assert_eq!(again, (50..150).map(|n| n * 2).collect::<Vec<_>>());
    let balance = fixture.subscriptions.balance(&replay);
    let terms = [Term::Delivered, Term::Filtered, Term::Pending];
    assert_eq!(
        (balance.accepted, terms.map(|term| balance.get(term))),
        (200, [100, 100, 0])
    );
    // The live lane continues.
    fixture.append([("grade_change", 5_000)]).await;
    let after = fixture.settled("one").await;
    assert_eq!(after.get(Term::Delivered), live.get(Term::Delivered) + 1);
    let received = sink.received();
    let last = received.last().unwrap();
    assert_eq!((id(last).as_u128(), last.replay), (5_000, None));
}

#[tokio::test(start_paused = true)]
async fn a_replay_can_have_its_own_rate_and_event_types() {
    let (fixture, sink) = fixture().await;
    let spec = ReplaySpec {
        max_rate: Some(MaxRate::try_from(50).unwrap()),
        ..range(0, 1_000)
    };
    let began = Instant::now();
    let replay = fixture
        .subscriptions
        .start_replay(&full_name("one"), spec)
        .await
        .unwrap();
    ended(&fixture, &replay).await;
    let secs = began.elapsed().as_secs_f64();
    assert!(
        (9.5..10.5).contains(&secs),
        "500 events at 50 a second took {secs} s"
    );
    let unwanted = ReplaySpec {
        events: vec!["user_*".parse().unwrap()],
        ..range(0, 1_000)
    };
    let before = sink.received().len();
    let replay = fixture
        .subscriptions
        .start_replay(&full_name("one"), unwanted)
        .await;
    let replay = replay.unwrap();
    ended(&fixture, &replay).await;
    assert_eq!(
        sink.received().len(),
        before,
        "the subscription does not want user events"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_replay_sends_nothing_more_and_is_removed() {
    let (mut fixture, sink) = fixture().await;
    let spec = ReplaySpec {
        max_rate: Some(MaxRate::try_from(10).unwrap()),
        ..range(0, 1_000)
    };
    let replay = fixture
        .subscriptions
        .start_replay(&full_name("one"), spec)
        .await
        .unwrap();
    sink.answer_with(|_| Err(refused(500)));
    sink.wait_for(505).await;
    let live = fixture.balance("one");
    let number = replay.lane_id().replay.unwrap();
    fixture
        .subscriptions
        .cancel_replay(&full_name("one"), number)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = sink.received().len();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(sink.received().len(), before);
    assert_eq!(fixture.balance("one"), live);
    fixture.crash().await;
    fixture.start();
    assert_eq!(fixture.subscriptions.lanes().len(), 1);
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(sink.received().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_replay_continues_after_a_crash_and_has_its_own_dead_letters() {
    let (mut fixture, sink) = fixture().await;
    sink.answer_with(|batch| match id(batch).as_u128() {
        40 => Err(crate::fixture::rejected()),
        _ => Ok(()),
    });
    let spec = ReplaySpec {
        max_rate: Some(MaxRate::try_from(100).unwrap()),
        ..range(0, 1_000)
    };
    fixture
        .subscriptions
        .start_replay(&full_name("one"), spec)
        .await
        .unwrap();
    sink.wait_for(650).await;
    fixture.drain().await;
    fixture.crash().await;
    fixture.start();
    let replay = fixture
        .subscriptions
        .lane(&full_name("one"), ReplayNumber::new(1))
        .unwrap();
    ended(&fixture, &replay).await;
    let balance = fixture.subscriptions.balance(&replay);
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Dead)),
        (499, 1)
    );
    assert_eq!(fixture.balance("one").get(Term::Dead), 0);
    assert_eq!(sink.received().len(), 1_000, "a drain repeats nothing");
    // The replay has ended. A redelivery starts it again.
    sink.answer_with(|_| Ok(()));
    let done = fixture
        .subscriptions
        .redeliver(&replay, .., |_, _| true)
        .await;
    assert_eq!(done.unwrap().redelivered_count, 1);
    ended(&fixture, &replay).await;
    assert_eq!(
        fixture.subscriptions.balance(&replay).get(Term::Delivered),
        500
    );
}

#[tokio::test(start_paused = true)]
async fn a_trim_past_the_end_of_a_replay_expires_only_events_of_its_range() {
    let (fixture, sink) = fixture().await;
    sink.answer_with(|_| Err(refused(500)));
    sink.hang_if(|batch| batch.replay.is_some());
    let replay = fixture
        .subscriptions
        .start_replay(&full_name("one"), range(0, 10))
        .await;
    let replay = replay.unwrap();
    sink.wait_for(505).await;
    fixture.log.trim_to(Offset::new(900)).await.unwrap();
    fixture.subscriptions.expire_trimmed();
    sink.hang(false);
    ended(&fixture, &replay).await;
    let balance = fixture.subscriptions.balance(&replay);
    assert!(balance.adds_up(), "{balance:?}");
    assert_eq!((balance.accepted, balance.get(Term::Expired)), (10, 5));
}
