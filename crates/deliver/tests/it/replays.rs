//! Replays: a range served again, beside the live lane.

use std::time::Duration;

use easel_log::Offset;
use easel_subscriptions::{MaxRate, ReplayNumber, ReplaySpec, Subscription, Term};
use tokio::time::Instant;

use crate::campus::{Campus, id, numbers, refused};

const ONE: &str = r#"{"name":"one","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#;

fn range(from: u64, to: u64) -> ReplaySpec {
    ReplaySpec::of_range(Offset::new(from), Offset::new(to))
}

async fn ended(campus: &Campus, replay: &Subscription) {
    while !replay.has_ended() {
        assert!(campus.subscriptions.balance(replay).adds_up());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A campus whose live lane has had a thousand events, of which every second is wanted.
async fn campus() -> (Campus, std::sync::Arc<easel_testkit::RecordingSink>) {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ONE).await;
    let name = |n| {
        if n % 2 == 0 {
            "grade_change"
        } else {
            "user_created"
        }
    };
    for n in 0..10 {
        campus
            .append((n * 100..n * 100 + 100).map(|n| (name(n), n)))
            .await;
    }
    campus.settled("one").await;
    (campus, sink)
}

#[tokio::test(start_paused = true)]
async fn a_replay_serves_its_range_again_labelled_and_leaves_the_live_lane_alone() {
    let (campus, sink) = campus().await;
    let live = campus.balance("one");
    let replay = campus
        .subscriptions
        .start_replay("one", range(100, 300))
        .await;
    let replay = replay.unwrap();
    ended(&campus, &replay).await;
    assert_eq!(campus.balance("one"), live);
    let again: Vec<_> = sink.received()[500..].to_vec();
    assert!(
        again
            .iter()
            .all(|batch| batch.replay == ReplayNumber::new(1))
    );
    let mut again = numbers(&again);
    again.sort_unstable();
    assert_eq!(again, (50..150).map(|n| n * 2).collect::<Vec<_>>());
    let balance = campus.subscriptions.balance(&replay);
    let terms = [Term::Delivered, Term::Filtered, Term::Pending];
    assert_eq!(
        (balance.accepted, terms.map(|term| balance.get(term))),
        (200, [100, 100, 0])
    );
    // What is live goes on.
    campus.append([("grade_change", 5_000)]).await;
    let after = campus.settled("one").await;
    assert_eq!(after.get(Term::Delivered), live.get(Term::Delivered) + 1);
    let received = sink.received();
    let last = received.last().unwrap();
    assert_eq!((id(last).as_u128(), last.replay), (5_000, None));
}

#[tokio::test(start_paused = true)]
async fn a_replay_may_be_a_part_and_has_a_rate_of_its_own() {
    let (campus, sink) = campus().await;
    let spec = ReplaySpec {
        max_rate: Some(MaxRate::try_from(50).unwrap()),
        ..range(0, 1_000)
    };
    let began = Instant::now();
    let replay = campus
        .subscriptions
        .start_replay("one", spec)
        .await
        .unwrap();
    ended(&campus, &replay).await;
    let secs = began.elapsed().as_secs_f64();
    assert!(
        (9.5..10.5).contains(&secs),
        "500 events at 50 a second took {secs} s"
    );
    let nothing = ReplaySpec {
        events: vec!["user_*".parse().unwrap()],
        ..range(0, 1_000)
    };
    let before = sink.received().len();
    let replay = campus.subscriptions.start_replay("one", nothing).await;
    let replay = replay.unwrap();
    ended(&campus, &replay).await;
    assert_eq!(
        sink.received().len(),
        before,
        "the subscription wants no such events"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_replay_sends_nothing_more_and_leaves_nothing_behind() {
    let (mut campus, sink) = campus().await;
    let spec = ReplaySpec {
        max_rate: Some(MaxRate::try_from(10).unwrap()),
        ..range(0, 1_000)
    };
    let replay = campus
        .subscriptions
        .start_replay("one", spec)
        .await
        .unwrap();
    sink.answer_with(|_| Err(refused(500)));
    sink.wait_for(505).await;
    let live = campus.balance("one");
    let cancelled = campus
        .subscriptions
        .cancel_replay("one", replay.lane().replay.unwrap());
    cancelled.await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = sink.received().len();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(sink.received().len(), before);
    assert_eq!(campus.balance("one"), live);
    campus.crash().await;
    campus.start();
    assert_eq!(campus.subscriptions.lanes().len(), 1);
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(sink.received().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_replay_goes_on_after_a_crash_and_its_dead_letters_are_its_own() {
    let (mut campus, sink) = campus().await;
    sink.answer_with(|batch| match id(batch).as_u128() {
        40 => Err(crate::campus::rejected()),
        _ => Ok(()),
    });
    let spec = ReplaySpec {
        max_rate: Some(MaxRate::try_from(100).unwrap()),
        ..range(0, 1_000)
    };
    campus
        .subscriptions
        .start_replay("one", spec)
        .await
        .unwrap();
    sink.wait_for(650).await;
    campus.drain().await;
    campus.crash().await;
    campus.start();
    let replay = campus
        .subscriptions
        .lane("one", ReplayNumber::new(1))
        .unwrap();
    ended(&campus, &replay).await;
    let balance = campus.subscriptions.balance(&replay);
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Dead)),
        (499, 1)
    );
    assert_eq!(campus.balance("one").get(Term::Dead), 0);
    assert_eq!(sink.received().len(), 1_000, "a drain repeats nothing");
    // It has ended; a redelivery wakes it once more.
    sink.answer_with(|_| Ok(()));
    let done = campus
        .subscriptions
        .redeliver(&replay, .., |_, _| true)
        .await;
    assert_eq!(done.unwrap().redelivered_count, 1);
    ended(&campus, &replay).await;
    assert_eq!(
        campus.subscriptions.balance(&replay).get(Term::Delivered),
        500
    );
}

#[tokio::test(start_paused = true)]
async fn a_trim_past_the_end_of_a_replay_is_no_loss_of_the_replay() {
    let (campus, sink) = campus().await;
    sink.answer_with(|_| Err(refused(500)));
    sink.hang_for(|batch| batch.replay.is_some());
    let replay = campus.subscriptions.start_replay("one", range(0, 10)).await;
    let replay = replay.unwrap();
    sink.wait_for(505).await;
    campus.log.trim_to(Offset::new(900)).await.unwrap();
    campus.subscriptions.expire_trimmed();
    sink.hang(false);
    ended(&campus, &replay).await;
    let balance = campus.subscriptions.balance(&replay);
    assert!(balance.adds_up(), "{balance:?}");
    assert_eq!((balance.accepted, balance.get(Term::Expired)), (10, 5));
}
