//! Tests of failed deliveries: they are parked, retried by their schedule, and given up.

use easel_catalog::Reach;
use std::collections::BTreeMap;
use std::time::Duration;

use easel_log::Offset;
use easel_sinks::{Batch, SendError};
use easel_subscriptions::{Attempt, DeadLetter, Term};
use tokio::time::Instant;

use crate::fixture::{Fixture, full_name, id, numbers, refused, rejected};

const ONE: &str = r#"{"name":"one","webhook":{"url":"http://localhost/"}}"#;

fn spec_with(rest: &str) -> String {
    format!(r#"{{"name":"one",{rest},"webhook":{{"url":"http://localhost/"}}}}"#)
}

async fn letters(fixture: &Fixture) -> Vec<(Offset, DeadLetter)> {
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    let letters = fixture
        .subscriptions
        .dead_letters(&subscription, Offset::ZERO, 1_000);
    letters.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_failed_delivery_is_retried_and_does_not_stop_others() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|batch| match (id(batch).is_nil(), batch.attempt.get()) {
        (true, 1..=3) => Err(refused(500)),
        _ => Ok(()),
    });
    let began = Instant::now();
    fixture
        .append((0..1_000).map(|n| ("user_created", n)))
        .await;
    let parked = fixture
        .reached("one", |balance| balance.get(Term::Pending) == 0)
        .await;
    assert_eq!(
        (parked.get(Term::Delivered), parked.get(Term::Parked)),
        (999, 1)
    );
    assert_eq!(
        parked.cursor,
        Offset::new(1_000),
        "the cursor moves past the parked delivery"
    );
    assert!(began.elapsed() < Duration::from_secs(4));
    fixture.settled("one").await;
    // The pauses are 5 s, 30 s and 2 min, each with a jitter of 20 %.
    let secs = began.elapsed().as_secs_f64();
    assert!((0.8 * 155.0..1.2 * 155.0 + 2.0).contains(&secs), "{secs}");
    let attempts: Vec<_> = sink.received()[1_000..]
        .iter()
        .map(|batch| (id(batch).as_u128(), batch.attempt.get()))
        .collect();
    assert_eq!(attempts, [(0, 2), (0, 3), (0, 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_becomes_a_dead_letter_with_all_details_after_its_last_attempt() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&spec_with(r#""retry":["10s","1m"]"#))
        .await;
    sink.answer_with(|batch| match id(batch).as_u128() {
        7 => Err(refused(500)),
        _ => Ok(()),
    });
    for n in 0..20 {
        fixture.append([("grade_change", n)]).await;
    }
    let balance = fixture.settled("one").await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Dead)),
        (19, 1)
    );
    let letters = letters(&fixture).await;
    let [(offset, letter)] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!((offset.get(), letter.event_id.as_u128()), (7, 7));
    assert_eq!(&*letter.event_type, "grade_change");
    assert!(letter.reason.contains("500"), "{}", letter.reason);
    assert_eq!(letter.attempt_count, 3);
    let times: Vec<_> = letter.attempts.iter().map(Attempt::at).collect();
    let pauses: Vec<_> = times
        .windows(2)
        .map(|pair| pair[1].duration_since(pair[0]))
        .collect();
    for (pause, secs) in pauses.iter().zip([10.0, 60.0]) {
        let ratio = pause.as_secs_f64() / secs;
        assert!((0.79..1.21).contains(&ratio), "{pauses:?}");
    }
    assert!(
        letter
            .attempts
            .iter()
            .all(|attempt| attempt.outcome == "refused")
    );
}

#[tokio::test(start_paused = true)]
async fn each_schedule_is_followed_from_the_first_attempt_to_the_last() {
    // The tests of schedules check all pauses of each schedule. The first and the last tell the
    // schedules apart.
    let days = |days: u64| Duration::from_hours(24 * days);
    let minutes = Duration::from_mins;
    for (retry, pause_count, ends) in [
        (
            r#""default""#,
            12,
            Some((Duration::from_secs(5), minutes(12 * 60))),
        ),
        (r#""hosted""#, 3, Some((minutes(2), minutes(8)))),
        (
            r#"["1s","1h","3days"]"#,
            3,
            Some((Duration::from_secs(1), days(3))),
        ),
        ("[]", 0, None),
    ] {
        let fixture = Fixture::for_days().await;
        let sink = fixture
            .subscribe(&spec_with(&format!(r#""retry":{retry}"#)))
            .await;
        sink.answer_with(|batch| match id(batch).as_u128() {
            0 => Err(refused(500)),
            _ => Ok(()),
        });
        let schedule = fixture
            .subscriptions
            .get(&full_name("one"))
            .unwrap()
            .spec
            .retry
            .clone();
        let pauses = schedule.pauses();
        assert_eq!(pauses.len(), pause_count, "{retry}");
        assert_eq!(
            pauses.first().copied().zip(pauses.last().copied()),
            ends,
            "{retry}"
        );
        // Another event succeeds every hour, so the endpoint is not at fault.
        let mut number = 0;
        while fixture.balance("one").get(Term::Dead) == 0 {
            fixture.append([("grade_change", number)]).await;
            number += 1;
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        let received = sink.received();
        let attempts = received.iter().filter(|batch| id(batch).is_nil()).count();
        assert_eq!(attempts, pauses.len() + 1, "{retry}");
        let letters = letters(&fixture).await;
        let times: Vec<_> = letters[0].1.attempts.iter().map(Attempt::at).collect();
        for (pair, wanted) in times.windows(2).zip(pauses) {
            let pause = pair[1].duration_since(pair[0]).as_secs_f64();
            let is_jittered = (0.79..1.21).contains(&(pause / wanted.as_secs_f64()));
            assert!(is_jittered, "{retry}: {pause} s instead of {wanted:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_event_is_a_dead_letter_immediately_and_can_be_redelivered() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|batch| match id(batch).as_u128() % 100 {
        0 => Err(rejected()),
        _ => Ok(()),
    });
    let began = Instant::now();
    for n in 0..10 {
        fixture
            .append((0..1_000).map(|k| ("user_created", n * 1_000 + k)))
            .await;
    }
    let balance = fixture.settled("one").await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Dead)),
        (9_900, 100)
    );
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(letters(&fixture).await.len(), 100);

    sink.answer_with(|_| Ok(()));
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    let all = |_: Offset, _: &DeadLetter| true;
    // Two concurrent redeliveries redeliver each event once.
    let (first, second) = tokio::join!(
        fixture.subscriptions.redeliver(&subscription, .., all),
        fixture.subscriptions.redeliver(&subscription, .., all)
    );
    let count = first.unwrap().redelivered_count + second.unwrap().redelivered_count;
    assert_eq!(count, 100);
    let balance = fixture.settled("one").await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Dead)),
        (10_000, 0)
    );
    assert_eq!(sink.received().len(), 10_100);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_rejects_everything_is_at_fault() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(&spec_with(r#""in_flight":64"#)).await;
    sink.answer_with(|_| Err(rejected()));
    for n in 0..10 {
        fixture
            .append((0..1_000).map(|k| ("user_created", n * 1_000 + k)))
            .await;
    }
    tokio::time::sleep(Duration::from_hours(1)).await;
    let dead = fixture.balance("one").get(Term::Dead);
    assert!((1..=100).contains(&dead), "{dead} dead");
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    assert!(
        subscription
            .shared
            .hold()
            .is_some_and(|hold| hold.reason.contains("422"))
    );
    sink.answer_with(|_| Ok(()));
    let balance = fixture.settled("one").await;
    assert_eq!(balance.get(Term::Delivered), 10_000 - dead);
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_and_a_scheduled_attempt_deliver_only_once() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&spec_with(r#""retry":["1h"],"on_exhausted":"hold_lane""#))
        .await;
    sink.answer_in_order([Err(refused(500))]);
    fixture.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    let now = fixture.clock.now();
    {
        let mut account = subscription.shared.account();
        let due = account.clock().at(now);
        assert!(account.make_due(Offset::ZERO, due));
        assert!(account.make_due(Offset::ZERO, due));
    }
    subscription.shared.work.notify_one();
    fixture.settled("one").await;
    tokio::time::sleep(Duration::from_hours(3)).await;
    assert_eq!(sink.received().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_a_schedule_stops_while_a_lane_is_paused() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(&spec_with(r#""retry":["1h"]"#)).await;
    sink.answer_in_order([Err(refused(500))]);
    fixture.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture
        .subscriptions
        .pause(&full_name("one"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_hours(5)).await;
    fixture
        .subscriptions
        .resume(&full_name("one"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_mins(40)).await;
    assert_eq!(
        sink.received().len(),
        1,
        "only 40 of 60 minutes have passed"
    );
    // A restart neither adds time to the clock nor resets it.
    fixture.drain().await;
    fixture.crash().await;
    tokio::time::sleep(Duration::from_hours(5)).await;
    fixture.start();
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(sink.received().len(), 1);
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(fixture.balance("one").get(Term::Delivered), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_batch_is_split_until_only_the_rejected_event_is_left() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(
            r#"{"name":"one","format":"caliper","in_flight":1,
                "webhook":{"url":"http://localhost/","batch":50}}"#,
        )
        .await;
    let is_culprit = |batch: &Batch| numbers(std::slice::from_ref(batch)).contains(&33);
    sink.answer_with(move |batch| {
        if is_culprit(batch) {
            Err(rejected())
        } else {
            Ok(())
        }
    });
    fixture.append_examples(0..100).await;
    let balance = fixture.settled("one").await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Dead)),
        (99, 1)
    );
    assert_eq!(letters(&fixture).await[0].1.event_id.as_u128(), 33);
    let mut delivered: BTreeMap<u64, u32> = BTreeMap::new();
    for batch in sink.received().iter().filter(|batch| !is_culprit(batch)) {
        for number in numbers(std::slice::from_ref(batch)) {
            *delivered.entry(number).or_default() += 1;
        }
    }
    assert_eq!(delivered.len(), 99);
    assert!(
        delivered.values().all(|count| *count == 1),
        "each event is delivered once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_is_sent_again_with_the_same_items() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(
            r#"{"name":"one","format":"caliper","webhook":{"url":"http://localhost/","batch":10}}"#,
        )
        .await;
    sink.answer_in_order([Err(refused(502)), Ok(())]);
    fixture.append_examples(0..30).await;
    fixture.settled("one").await;
    let received = sink.received();
    let again: Vec<_> = received
        .iter()
        .filter(|batch| batch.attempt.get() == 2)
        .collect();
    let [again] = again[..] else {
        panic!("{again:?}")
    };
    let first = received
        .iter()
        .find(|batch| id(batch) == id(again))
        .unwrap();
    assert_eq!(
        first.offsets().collect::<Vec<_>>(),
        again.offsets().collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_of_the_endpoint_applies_to_parked_deliveries() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(&spec_with(r#""retry":["1m"]"#)).await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append_examples(1..2).await;
    sink.wait_for(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The new endpoint uses the same sink, in another format.
    sink.answer_with(|_| Ok(()));
    let moved = r#"{"name":"one","format":"caliper","webhook":{"url":"http://localhost/new"}}"#;
    let moved = serde_json::from_str(moved).unwrap();
    fixture
        .subscriptions
        .update(Reach::Everything, moved)
        .await
        .unwrap();
    fixture.settled("one").await;
    let received = sink.received();
    assert!(received[1].items[0].form.caliper().is_some());
    assert_eq!(received[1].attempt.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lane_with_hold_lane_waits_for_an_operator() {
    let mut fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&spec_with(r#""retry":[],"on_exhausted":"hold_lane""#))
        .await;
    sink.answer_with(|batch| match id(batch).as_u128() {
        3 => Err(rejected()),
        _ => Ok(()),
    });
    fixture.append((0..3).map(|n| ("user_created", n))).await;
    fixture.settled("one").await;
    fixture.append([("user_created", 3)]).await;
    sink.wait_for(4).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture.append((4..50).map(|n| ("user_created", n))).await;
    tokio::time::advance(Duration::from_hours(100)).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    let balance = fixture.balance("one");
    assert_eq!((balance.get(Term::Parked), balance.get(Term::Dead)), (1, 0));
    assert_eq!(sink.received().len(), 4, "no probe is sent");
    // A restart changes nothing.
    fixture.drain().await;
    fixture.crash().await;
    fixture.start();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(sink.received().len(), 4);
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    assert_eq!(subscription.shared.hold().unwrap().until, None);
    let waiting = fixture
        .subscriptions
        .waiting_for_operator(&subscription, &(..))
        .await
        .unwrap();
    assert_eq!(waiting[0].1.event_id.as_u128(), 3);

    sink.answer_with(|_| Ok(()));
    let done = fixture
        .subscriptions
        .redeliver(&subscription, .., |_, _| true)
        .await;
    assert_eq!(done.unwrap().redelivered_count, 1);
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 50);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_waits_for_an_operator_can_be_discarded() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&spec_with(r#""retry":[],"on_exhausted":"hold_lane""#))
        .await;
    sink.answer_in_order([Err(rejected())]);
    fixture.append((0..1).map(|n| ("user_created", n))).await;
    sink.wait_for(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    let done = fixture
        .subscriptions
        .discard(&subscription, .., |_, _| true)
        .await;
    assert_eq!(done.unwrap(), 1);
    fixture.append([("user_created", 1)]).await;
    let balance = fixture.settled("one").await;
    let terms = [Term::Delivered, Term::Dead, Term::Discarded];
    assert_eq!(terms.map(|term| balance.get(term)), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn retries_and_new_events_do_not_starve_each_other() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&spec_with(r#""in_flight":8,"retry":["1s","1s","1s","1s"]"#))
        .await;
    // Every third of the first 400 events fails once, and all retries hang.
    sink.answer_with(|batch| match (id(batch).as_u128(), batch.attempt.get()) {
        (0..400, 1) if id(batch).as_u128().is_multiple_of(3) => Err(refused(500)),
        _ => Ok(()),
    });
    sink.hang_if(|batch| batch.attempt.get() > 1);
    fixture.append((0..400).map(|n| ("user_created", n))).await;
    sink.wait_for(400).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    fixture
        .append((1_000..3_000).map(|n| ("user_created", n)))
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let received = sink.received();
    let retries = received
        .iter()
        .filter(|batch| batch.attempt.get() > 1)
        .count();
    let fresh = received.iter().filter(|batch| id(batch).as_u128() >= 1_000);
    assert_eq!(
        fresh.count(),
        2_000,
        "hanging retries leave places for new events"
    );
    assert!((1..=8).contains(&retries), "{retries}");
    sink.hang(false);
    fixture.settled("one").await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_does_not_exceed_its_rate() {
    let fixture = Fixture::new().await;
    fixture.subscribe(&spec_with(r#""max_rate":100"#)).await;
    let began = Instant::now();
    fixture
        .append((0..2_000).map(|n| ("user_created", n)))
        .await;
    fixture.settled("one").await;
    let secs = began.elapsed().as_secs_f64();
    assert!((19.5..20.5).contains(&secs), "{secs}");
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_in_the_attempt_log_and_survives_a_restart() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_in_order([Err(SendError::TimedOut), Ok(())]);
    fixture.append([("user_created", 1)]).await;
    fixture.settled("one").await;
    fixture.drain().await;
    fixture.crash().await;
    fixture.start();
    fixture.append([("user_created", 2)]).await;
    fixture.settled("one").await;
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    fixture
        .subscriptions
        .restore_attempts(&subscription)
        .await
        .unwrap();
    let attempts = subscription.shared.attempts();
    let latest: Vec<_> = attempts
        .latest()
        .map(|attempt| (attempt.offset.get(), attempt.number, attempt.outcome))
        .collect();
    let wanted = [
        (1, 1, "delivered"),
        (0, 2, "delivered"),
        (0, 1, "timed_out"),
    ];
    assert_eq!(latest, wanted);
}
