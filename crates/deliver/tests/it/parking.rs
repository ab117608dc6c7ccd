//! What becomes of deliveries that fail: parked, tried again by their schedule, given up.

use std::collections::BTreeMap;
use std::time::Duration;

use easel_log::Offset;
use easel_sinks::{Batch, SendError};
use easel_subscriptions::{Attempt, DeadLetter, Term};
use tokio::time::Instant;

use crate::fixture::{Fixture, id, numbers, refused, rejected};

const ONE: &str = r#"{"name":"one","webhook":{"url":"http://localhost/"}}"#;

fn with(rest: &str) -> String {
    format!(r#"{{"name":"one",{rest},"webhook":{{"url":"http://localhost/"}}}}"#)
}

async fn letters(fixture: &Fixture) -> Vec<(Offset, DeadLetter)> {
    let one = fixture.subscriptions.get("one").unwrap();
    let letters = fixture
        .subscriptions
        .dead_letters(&one, Offset::ZERO, 1_000);
    letters.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_comes_again_by_itself_and_stops_nobody() {
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
    assert_eq!(parked.cursor, Offset::new(1_000), "the cursor passes it");
    assert!(began.elapsed() < Duration::from_secs(4));
    fixture.settled("one").await;
    // 5 s, 30 s and 2 min, each up to a fifth shorter or longer.
    let secs = began.elapsed().as_secs_f64();
    assert!((0.8 * 155.0..1.2 * 155.0 + 2.0).contains(&secs), "{secs}");
    let attempts: Vec<_> = sink.received()[1_000..]
        .iter()
        .map(|batch| (id(batch).as_u128(), batch.attempt.get()))
        .collect();
    assert_eq!(attempts, [(0, 2), (0, 3), (0, 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_given_up_after_its_last_attempt_with_everything_that_is_known() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(&with(r#""retry":["10s","1m"]"#)).await;
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
    let at: Vec<_> = letter.attempts.iter().map(Attempt::at).collect();
    let pauses: Vec<_> = at
        .windows(2)
        .map(|pair| pair[1].duration_since(pair[0]))
        .collect();
    for (pause, secs) in pauses.iter().zip([10.0, 60.0]) {
        let ratio = pause.as_secs_f64() / secs;
        assert!((0.79..1.21).contains(&ratio), "{pauses:?}");
    }
    assert!(letter.attempts.iter().all(|it| it.outcome == "refused"));
}

#[tokio::test(start_paused = true)]
async fn each_schedule_is_kept_to_from_the_first_attempt_to_the_last() {
    // What pauses each of these has is tested with the schedules.
    for retry in [
        r#""default""#,
        r#""hosted""#,
        r#"["1s","1h","3days"]"#,
        "[]",
    ] {
        let fixture = Fixture::for_days().await;
        let sink = fixture
            .subscribe(&with(&format!(r#""retry":{retry}"#)))
            .await;
        sink.answer_with(|batch| match id(batch).as_u128() {
            0 => Err(refused(500)),
            _ => Ok(()),
        });
        let schedule = fixture.subscriptions.get("one").unwrap().spec.retry.clone();
        let pauses = schedule.pauses();
        // Others go through every hour, so the endpoint is not at fault.
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
        let at: Vec<_> = letters[0].1.attempts.iter().map(Attempt::at).collect();
        for (pair, wanted) in at.windows(2).zip(pauses) {
            let pause = pair[1].duration_since(pair[0]).as_secs_f64();
            let is_jittered = (0.79..1.21).contains(&(pause / wanted.as_secs_f64()));
            assert!(is_jittered, "{retry}: {pause} s in place of {wanted:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn poison_is_dead_at_once_and_the_rest_goes_on_and_can_be_redelivered() {
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
    let one = fixture.subscriptions.get("one").unwrap();
    let all = |_: Offset, _: &DeadLetter| true;
    // Two operators at once redeliver each of them once.
    let (first, second) = tokio::join!(
        fixture.subscriptions.redeliver(&one, .., all),
        fixture.subscriptions.redeliver(&one, .., all)
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
async fn an_endpoint_that_refuses_everything_is_at_fault_itself() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(&with(r#""in_flight":64"#)).await;
    sink.answer_with(|_| Err(rejected()));
    for n in 0..10 {
        fixture
            .append((0..1_000).map(|k| ("user_created", n * 1_000 + k)))
            .await;
    }
    tokio::time::sleep(Duration::from_hours(1)).await;
    let dead = fixture.balance("one").get(Term::Dead);
    assert!((1..=100).contains(&dead), "{dead} dead");
    let one = fixture.subscriptions.get("one").unwrap();
    assert!(
        one.live
            .hold()
            .is_some_and(|hold| hold.reason.contains("422"))
    );
    sink.answer_with(|_| Ok(()));
    let balance = fixture.settled("one").await;
    assert_eq!(balance.get(Term::Delivered), 10_000 - dead);
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_beside_a_scheduled_attempt_delivers_once() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&with(r#""retry":["1h"],"on_exhausted":"hold_lane""#))
        .await;
    sink.answer_in_turn([Err(refused(500))]);
    fixture.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let one = fixture.subscriptions.get("one").unwrap();
    let now = fixture.clock.now();
    {
        let mut account = one.live.account();
        let due = account.clock().at(now);
        assert!(account.make_due(Offset::ZERO, due));
        assert!(account.make_due(Offset::ZERO, due));
    }
    one.live.work.notify_one();
    fixture.settled("one").await;
    tokio::time::sleep(Duration::from_hours(3)).await;
    assert_eq!(sink.received().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_a_schedule_is_stopped_while_a_lane_is_paused() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(&with(r#""retry":["1h"]"#)).await;
    sink.answer_in_turn([Err(refused(500))]);
    fixture.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture.subscriptions.pause("one").await.unwrap();
    tokio::time::sleep(Duration::from_hours(5)).await;
    fixture.subscriptions.resume("one").await.unwrap();
    tokio::time::sleep(Duration::from_mins(40)).await;
    assert_eq!(sink.received().len(), 1, "it has waited for 40 minutes");
    // Neither does a restart bring it nearer, nor take what it has waited for.
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
async fn a_refused_batch_is_split_until_the_culprit_is_alone() {
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
    assert!(delivered.values().all(|count| *count == 1), "each once");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_failed_is_sent_again_as_it_was() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(
            r#"{"name":"one","format":"caliper","webhook":{"url":"http://localhost/","batch":10}}"#,
        )
        .await;
    sink.answer_in_turn([Err(refused(502)), Ok(())]);
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
async fn an_edit_of_the_endpoint_reaches_what_is_parked() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(&with(r#""retry":["1m"]"#)).await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append_examples(1..2).await;
    sink.wait_for(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The new endpoint is another sink of the same name, in another format.
    sink.answer_with(|_| Ok(()));
    let moved = r#"{"name":"one","format":"caliper","webhook":{"url":"http://localhost/new"}}"#;
    let moved = serde_json::from_str(moved).unwrap();
    fixture.subscriptions.update(moved).await.unwrap();
    fixture.settled("one").await;
    let received = sink.received();
    assert!(received[1].items[0].form.caliper().is_some());
    assert_eq!(received[1].attempt.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_must_lose_nothing_waits_for_its_operator() {
    let mut fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&with(r#""retry":[],"on_exhausted":"hold_lane""#))
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
    assert_eq!(sink.received().len(), 4, "not even a probe");
    // A restart changes nothing.
    fixture.drain().await;
    fixture.crash().await;
    fixture.start();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(sink.received().len(), 4);
    let one = fixture.subscriptions.get("one").unwrap();
    assert_eq!(one.live.hold().unwrap().until, None);
    let waiting = fixture
        .subscriptions
        .waiting_for_operator(&one, &(..))
        .await
        .unwrap();
    assert_eq!(waiting[0].1.event_id.as_u128(), 3);

    sink.answer_with(|_| Ok(()));
    let done = fixture.subscriptions.redeliver(&one, .., |_, _| true).await;
    assert_eq!(done.unwrap().redelivered_count, 1);
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 50);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_operator_may_be_discarded() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&with(r#""retry":[],"on_exhausted":"hold_lane""#))
        .await;
    sink.answer_in_turn([Err(rejected())]);
    fixture.append((0..1).map(|n| ("user_created", n))).await;
    sink.wait_for(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let one = fixture.subscriptions.get("one").unwrap();
    let done = fixture.subscriptions.discard(&one, .., |_, _| true).await;
    assert_eq!(done.unwrap(), 1);
    fixture.append([("user_created", 1)]).await;
    let balance = fixture.settled("one").await;
    let terms = [Term::Delivered, Term::Dead, Term::Discarded];
    assert_eq!(terms.map(|term| balance.get(term)), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn retries_neither_starve_what_is_new_nor_are_starved() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&with(r#""in_flight":8,"retry":["1s","1s","1s","1s"]"#))
        .await;
    // Everything of the first thousand fails once; then half of the places hang with retries.
    sink.answer_with(|batch| match (id(batch).as_u128(), batch.attempt.get()) {
        (0..400, 1) if id(batch).as_u128().is_multiple_of(3) => Err(refused(500)),
        _ => Ok(()),
    });
    sink.hang_for(|batch| batch.attempt.get() > 1);
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
    assert_eq!(fresh.count(), 2_000, "retries that hang leave places");
    assert!((1..=8).contains(&retries), "{retries}");
    sink.hang(false);
    fixture.settled("one").await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_keeps_to_its_rate() {
    let fixture = Fixture::new().await;
    fixture.subscribe(&with(r#""max_rate":100"#)).await;
    let began = Instant::now();
    fixture
        .append((0..2_000).map(|n| ("user_created", n)))
        .await;
    fixture.settled("one").await;
    let secs = began.elapsed().as_secs_f64();
    assert!((19.5..20.5).contains(&secs), "{secs}");
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_in_the_attempt_log_and_a_restart_forgets_none() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_in_turn([Err(SendError::TimedOut), Ok(())]);
    fixture.append([("user_created", 1)]).await;
    fixture.settled("one").await;
    fixture.drain().await;
    fixture.crash().await;
    fixture.start();
    fixture.append([("user_created", 2)]).await;
    fixture.settled("one").await;
    let one = fixture.subscriptions.get("one").unwrap();
    fixture.subscriptions.restore_attempts(&one).await.unwrap();
    let attempts = one.live.attempts();
    let latest: Vec<_> = attempts
        .latest()
        .map(|it| (it.offset.get(), it.number, it.outcome))
        .collect();
    let wanted = [
        (1, 1, "delivered"),
        (0, 2, "delivered"),
        (0, 1, "timed_out"),
    ];
    assert_eq!(latest, wanted);
}
