//! Tests of order by key: the first deliveries of one key rise in offset, even after failures.

use easel_catalog::Reach;
use std::collections::HashMap;
use std::time::Duration;

use easel_subscriptions::{DeadLetter, Term};
use proptest::prelude::*;

use crate::fixture::{Fixture, full_name, id, numbers, refused, rejected};
use crate::histories::cases;

/// Returns the key of an event that `append_keyed` appends.
fn key(number: u64, key_count: u64) -> u64 {
    number % key_count
}

async fn fixture(rest: &str) -> (Fixture, std::sync::Arc<easel_testkit::RecordingSink>) {
    let fixture = Fixture::new().await;
    let json = format!(
        r#"{{"name":"one","order":"key","key":"body.key"{rest},
            "webhook":{{"url":"http://localhost/"}}}}"#
    );
    let sink = fixture.subscribe(&json).await;
    (fixture, sink)
}

/// Checks that the numbers of each key rise, in the order of first deliveries.
fn check_order(batches: &[easel_sinks::Batch], key_count: u64) {
    let mut latest: HashMap<u64, u64> = HashMap::new();
    let mut seen = std::collections::HashSet::new();
    for number in numbers(batches) {
        if seen.insert(number) {
            let before = latest.insert(key(number, key_count), number);
            assert!(
                before.is_none_or(|before| before < number),
                "{number} after {before:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_parked_event_blocks_only_its_key_and_later_events_of_the_key_stay_in_order() {
    let (fixture, sink) = fixture("").await;
    sink.answer_with(|batch| match (id(batch).as_u128(), batch.attempt.get()) {
        (3, 1) => Err(refused(500)),
        _ => Ok(()),
    });
    fixture.append_keyed(0..1_000, 10).await;
    let balance = fixture
        .reached("one", |balance| balance.get(Term::Pending) == 0)
        .await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Parked)),
        (900, 100)
    );
    fixture.settled("one").await;
    let third: Vec<_> = numbers(&sink.received())
        .into_iter()
        .filter(|number| key(*number, 10) == 3)
        .collect();
    let mut wanted: Vec<_> = (0..100).map(|n| n * 10 + 3).collect();
    wanted.insert(0, 3);
    assert_eq!(third, wanted);
    check_order(&sink.received(), 10);
}

#[tokio::test(start_paused = true)]
async fn events_of_one_key_are_never_in_flight_together() {
    let (fixture, sink) = fixture(r#","in_flight":16"#).await;
    sink.hang(true);
    fixture.append_keyed(0..400, 4).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(numbers(&sink.received()), [0, 1, 2, 3]);
    sink.hang(false);
    fixture.settled("one").await;
    check_order(&sink.received(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_key_stays_blocked_after_a_crash() {
    let (mut fixture, sink) = fixture("").await;
    sink.answer_with(|batch| match (id(batch).as_u128(), batch.attempt.get()) {
        (0, _) => Err(refused(500)),
        _ => Ok(()),
    });
    fixture.append_keyed(0..200, 5).await;
    fixture
        .reached("one", |balance| balance.get(Term::Pending) == 0)
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture.crash().await;
    fixture.start();
    fixture.append_keyed(200..400, 5).await;
    fixture
        .reached("one", |balance| balance.get(Term::Pending) == 0)
        .await;
    assert!(
        !numbers(&sink.received()).contains(&200),
        "the key of event 200 is blocked"
    );
    sink.answer_with(|_| Ok(()));
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 400);
    check_order(&sink.received(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_frees_its_key_unless_on_exhausted_is_hold_key() {
    for (rest, freed) in [("", true), (r#","on_exhausted":"hold_key""#, false)] {
        let (fixture, sink) = fixture(rest).await;
        sink.answer_with(|batch| match id(batch).as_u128() {
            0 => Err(rejected()),
            _ => Ok(()),
        });
        fixture.append_keyed(0..100, 5).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        let balance = fixture.balance("one");
        let wanted = if freed { (99, 0, 1) } else { (80, 20, 0) };
        let counts = (
            balance.get(Term::Delivered),
            balance.get(Term::Parked),
            balance.get(Term::Dead),
        );
        assert_eq!(counts, wanted);
        sink.answer_with(|_| Ok(()));
        let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
        let all = |_: easel_log::Offset, _: &DeadLetter| true;
        fixture
            .subscriptions
            .redeliver(&subscription, .., all)
            .await
            .unwrap();
        assert_eq!(fixture.settled("one").await.get(Term::Delivered), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_discarded_or_expired_event_frees_its_key() {
    for is_discarded in [true, false] {
        let (fixture, sink) = fixture(r#","on_exhausted":"hold_key""#).await;
        sink.answer_with(|batch| match id(batch).as_u128() {
            0 => Err(rejected()),
            _ => Ok(()),
        });
        for number in 0..10 {
            fixture.append_keyed(number..number + 1, 5).await;
        }
        fixture
            .reached("one", |balance| balance.get(Term::Pending) == 0)
            .await;
        let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
        if is_discarded {
            fixture
                .subscriptions
                .discard(&subscription, .., |_, _| true)
                .await
                .unwrap();
        } else {
            fixture
                .log
                .trim_to(easel_log::Offset::new(1))
                .await
                .unwrap();
            fixture.subscriptions.expire_trimmed();
        }
        assert_eq!(fixture.settled("one").await.get(Term::Delivered), 9);
    }
}

#[tokio::test(start_paused = true)]
async fn events_that_wait_for_a_key_are_sent_when_the_subscription_drops_its_order() {
    let (fixture, sink) = fixture("").await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append_keyed(0..5, 1).await;
    fixture
        .reached("one", |balance| balance.get(Term::Parked) == 5)
        .await;
    sink.answer_with(|_| Ok(()));
    let free = r#"{"name":"one","webhook":{"url":"http://localhost/"}}"#;
    let free = serde_json::from_str(free).unwrap();
    fixture
        .subscriptions
        .update(Reach::Everything, free)
        .await
        .unwrap();
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 5);
}

#[tokio::test(start_paused = true)]
async fn the_parts_of_a_rejected_batch_keep_the_order_of_their_key() {
    let fixture = Fixture::new().await;
    let json = r#"{"name":"one","order":"key","format":"caliper","in_flight":4,
        "webhook":{"url":"http://localhost/","batch":4}}"#;
    let sink = fixture.subscribe(json).await;
    // The batch is rejected. After that, its first half fails.
    sink.answer_with(
        |batch| match (batch.items.len(), numbers(std::slice::from_ref(batch))[0]) {
            (4, 0) => Err(rejected()),
            (2, 0) if batch.attempt.get() == 2 => Err(refused(500)),
            _ => Ok(()),
        },
    );
    // All events have the same acting user, so they have the same key.
    fixture.append_examples(0..8).await;
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 8);
    let delivered = sink.received().into_iter().filter(|batch| {
        let first = numbers(std::slice::from_ref(batch))[0];
        let is_rejected = batch.items.len() == 4 && first == 0;
        let failed = batch.items.len() == 2 && first == 0 && batch.attempt.get() == 2;
        !is_rejected && !failed
    });
    let order = numbers(&delivered.collect::<Vec<_>>());
    assert_eq!(order, (0..8).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 100, ..cases(24) })]
    #[test]
    fn every_key_stays_in_order_after_any_history(
        seed in any::<u64>(),
        key_count in 1..40_u64,
        failing in 0..40_u64,
        crashes in 0..3_u32,
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (mut fixture, sink) = fixture(r#","retry":["1s","2s","5s","10s","1m"]"#).await;
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut answer_rng = rng.fork();
            sink.answer_with(move |_| match answer_rng.u64(0..100) {
                number if number < failing => Err(refused(503)),
                _ => Ok(()),
            });
            let mut first = 0;
            for _ in 0..=crashes {
                for _ in 0..rng.u64(1..20) {
                    let end = first + rng.u64(1..60);
                    fixture.append_keyed(first..end, key_count).await;
                    first = end;
                    tokio::time::sleep(Duration::from_millis(rng.u64(0..2_000))).await;
                }
                let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
                fixture.subscriptions.save_one(&subscription).await.unwrap();
                fixture.drain().await;
                fixture.crash().await;
                fixture.start();
            }
            sink.answer_with(|_| Ok(()));
            let balance = fixture.settled("one").await;
            assert_eq!(balance.get(Term::Delivered) + balance.get(Term::Dead), first);
            check_order(&sink.received(), key_count);
        });
    }
}
