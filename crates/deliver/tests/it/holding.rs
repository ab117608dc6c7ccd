//! Tests of holds: a failing endpoint puts its own lane on hold and no other lane.

use easel_catalog::Reach;
use std::time::Duration;

use easel_sinks::SendError;
use easel_subscriptions::{Start, State, Term};
use tokio::time::{Instant, timeout};

use crate::fixture::{Fixture, full_name, id, numbers, refused};

const ONE: &str = r#"{"name":"one","webhook":{"url":"http://localhost/"}}"#;
const OTHER: &str = r#"{"name":"other","webhook":{"url":"http://localhost/"}}"#;

/// Waits until the lane of `one` is on hold.
async fn held(fixture: &Fixture) {
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    while subscription.shared.hold().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_endpoint_puts_only_its_own_lane_on_hold() {
    let fixture = Fixture::new().await;
    let failing = fixture.subscribe(ONE).await;
    let healthy = fixture.subscribe(OTHER).await;
    failing.answer_with(|_| Err(refused(500)));
    let began = Instant::now();
    for n in 0..50 {
        fixture.append([("user_created", n)]).await;
        healthy.wait_for(usize::try_from(n).unwrap() + 1).await;
    }
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "the healthy lane waited"
    );
    held(&fixture).await;
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    assert!(subscription.shared.hold().unwrap().reason.contains("500"));

    let before = failing.received().len();
    assert!(
        (10..=26).contains(&before),
        "{before} attempts before the hold"
    );
    tokio::time::sleep(Duration::from_mins(1)).await;
    let probes = failing.received().len() - before;
    assert!((3..=4).contains(&probes), "{probes} probes in a minute");
    failing.answer_with(|_| Ok(()));
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 50);
    assert!(subscription.shared.hold().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lane_on_hold_sends_single_probes_with_growing_pauses() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(r#"{"name":"one","in_flight":1,"webhook":{"url":"http://localhost/"}}"#)
        .await;
    sink.answer_with(|_| Err(SendError::TimedOut));
    fixture.append((0..12).map(|n| ("user_created", n))).await;
    let mut times = Vec::new();
    for attempt in 10..=15 {
        sink.wait_for(attempt).await;
        times.push(Instant::now());
    }
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, secs) in pauses.iter().zip([5.0, 10.0, 20.0, 40.0]) {
        let ratio = pause.as_secs_f64() / secs;
        assert!((0.79..1.25).contains(&ratio), "{pauses:?}");
    }
    // Probes alternate between parked and new events. Each sends another event, because one may be at fault.
    let probes = numbers(&sink.received()[10..]);
    assert_eq!(probes, [1, 10, 2, 11, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_throttling_endpoint_receives_nothing_until_retry_after_has_passed() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    let retry_after = Duration::from_mins(2);
    sink.answer_in_order([Err(SendError::Throttled {
        reason: String::new(),
        retry_after: Some(retry_after),
    })]);
    fixture.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    let began = Instant::now();
    fixture.append([("user_created", 2)]).await;
    sink.wait_for(2).await;
    assert!(began.elapsed() >= retry_after, "{:?}", began.elapsed());
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 2);
}

#[tokio::test(start_paused = true)]
async fn a_busy_endpoint_receives_other_events_immediately_and_the_failed_one_after_retry_after() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    let retry_after = Duration::from_mins(2);
    sink.answer_in_order([Err(SendError::Busy {
        reason: String::new(),
        retry_after: Some(retry_after),
    })]);
    fixture.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    let began = Instant::now();
    fixture.append([("user_created", 2)]).await;
    sink.wait_for(2).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 2);
    assert!(began.elapsed() >= retry_after, "{:?}", began.elapsed());
    assert_eq!(numbers(&sink.received()), [1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_lane_on_hold_stops_immediately_and_is_on_hold_again_after_a_restart() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|_| Err(SendError::TimedOut));
    fixture.append((0..50).map(|n| ("user_created", n))).await;
    held(&fixture).await;
    let began = Instant::now();
    fixture.drain().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    let balance = fixture.balance("one");
    assert_eq!(balance.get(Term::Pending) + balance.get(Term::Parked), 50);

    let before = sink.received().len();
    fixture.crash().await;
    fixture.start();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(sink.received().len(), before + 1, "one probe");
    held(&fixture).await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_on_hold_for_three_days_is_deactivated_and_loses_nothing() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append((0..30).map(|n| ("user_created", n))).await;
    held(&fixture).await;
    tokio::time::sleep(Duration::from_hours(40)).await;
    // A restart does not restart the three days.
    fixture.drain().await;
    fixture.crash().await;
    fixture.start();
    let mut changes = fixture.subscriptions.changes();
    let began = Instant::now();
    let deactivated = timeout(Duration::from_hours(40), changes.changed()).await;
    deactivated
        .expect("the subscription is deactivated")
        .unwrap();
    assert!(began.elapsed() >= Duration::from_hours(31));
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    let State::Deactivated {
        reason: Some(reason),
    } = &subscription.state
    else {
        panic!("{:?}", subscription.state);
    };
    assert!(
        reason.contains("it was on hold for 3days") && reason.contains("500"),
        "{reason}"
    );
    // No delivery used up its attempts meanwhile.
    let balance = fixture.balance("one");
    assert_eq!(balance.get(Term::Dead), 0);
    assert_eq!(balance.get(Term::Pending) + balance.get(Term::Parked), 30);

    sink.answer_with(|_| Ok(()));
    fixture
        .subscriptions
        .resume(&full_name("one"))
        .await
        .unwrap();
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 30);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_pause_by_an_operator_does_not_count_towards_deactivation() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append((0..30).map(|n| ("user_created", n))).await;
    held(&fixture).await;
    fixture
        .subscriptions
        .pause(&full_name("one"))
        .await
        .unwrap();
    tokio::time::advance(Duration::from_hours(5 * 24)).await;
    fixture
        .subscriptions
        .resume(&full_name("one"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    assert_eq!(subscription.state, State::Active);
    assert!(subscription.shared.hold().is_some());
}

#[tokio::test(start_paused = true)]
async fn events_skipped_by_a_resume_from_a_later_offset_are_expired() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append((0..30).map(|n| ("user_created", n))).await;
    held(&fixture).await;
    fixture
        .subscriptions
        .pause(&full_name("one"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    sink.answer_with(|_| Ok(()));
    let resumed = fixture
        .subscriptions
        .resume_from(&full_name("one"), Start::Now)
        .await;
    resumed.unwrap();
    fixture.append([("user_created", 99)]).await;
    let balance = fixture.settled("one").await;
    let terms = [Term::Delivered, Term::Expired, Term::Skipped];
    assert_eq!(terms.map(|term| balance.get(term)), [1, 30, 30]);
    assert_eq!(sink.received().last().map(id).unwrap().as_u128(), 99);
}

#[tokio::test(start_paused = true)]
async fn hanging_deliveries_stop_no_others_and_a_crash_repeats_only_them() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.hang_if(|batch| id(batch).as_u128() < 2);
    fixture
        .append((0..2_000).map(|n| ("user_created", n)))
        .await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(fixture.balance("one").get(Term::Delivered), 1_998);
    assert_eq!(sink.received().len(), 2_000);

    fixture.crash().await;
    sink.hang_if(|_| false);
    fixture.start();
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 2_000);
    assert_eq!(numbers(&sink.received()[2_000..]), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn retries_and_new_deliveries_stay_within_the_number_that_a_crash_may_repeat() {
    let mut fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(r#"{"name":"one","in_flight":256,"webhook":{"url":"http://localhost/"}}"#)
        .await;
    // Some of the first requests fail and are retried later.
    sink.answer_with(|batch| match batch.attempt.get() {
        1 if id(batch).as_u128().is_multiple_of(4) => Err(SendError::TimedOut),
        _ => Ok(()),
    });
    fixture.append((0..800).map(|n| ("user_created", n))).await;
    sink.wait_for(800).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture.refuse_saves().await;
    let before = sink.received().len();
    fixture
        .append((1_001..3_000).map(|n| ("user_created", n)))
        .await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let unsaved = sink.received().len() - before;
    assert!(
        (500..=1_000).contains(&unsaved),
        "a crash would repeat {unsaved} deliveries"
    );

    fixture.crash().await;
    fixture.start();
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 2_799);
}

#[tokio::test(start_paused = true)]
async fn a_lane_full_of_unsaved_deliveries_continues_after_an_update() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    // The first delivery fails late, so the next lane starts with that delivery.
    let mut fails = true;
    sink.answer_with(move |batch| {
        if id(batch).is_nil() && std::mem::take(&mut fails) {
            return Err(SendError::TimedOut);
        }
        Ok(())
    });
    sink.hang_if(|batch| id(batch).is_nil());
    fixture
        .append((0..2_000).map(|n| ("user_created", n)))
        .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let wider = r#"{"name":"one","in_flight":256,"webhook":{"url":"http://localhost/"}}"#;
    let wider = serde_json::from_str(wider).unwrap();
    fixture
        .subscriptions
        .update(Reach::Everything, wider)
        .await
        .unwrap();
    sink.hang_if(|_| false);
    let settled = timeout(Duration::from_mins(10), fixture.settled("one")).await;
    assert_eq!(
        settled.expect("the lane continues").get(Term::Delivered),
        2_000
    );
}

#[tokio::test(start_paused = true)]
async fn events_that_expire_during_a_hold_are_neither_pending_nor_parked_nor_sent() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|_| Err(refused(500)));
    for n in 0..40 {
        fixture.append([("user_created", n)]).await;
    }
    held(&fixture).await;
    let balance = fixture.balance("one");
    assert!(balance.get(Term::Parked) >= 10, "{balance:?}");
    let head = fixture.log.bounds().borrow().head;
    fixture.log.trim_to(head).await.unwrap();
    fixture.subscriptions.expire_trimmed();
    let balance = fixture.balance("one");
    let terms = [Term::Pending, Term::Parked, Term::Expired];
    assert_eq!(terms.map(|term| balance.get(term)), [0, 0, 40]);

    let attempts = sink.received().len();
    sink.answer_with(|_| Ok(()));
    fixture.append([("user_created", 99)]).await;
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 1);
    assert_eq!(numbers(&sink.received()[attempts..]), [99]);
}

#[tokio::test(start_paused = true)]
async fn an_update_of_a_lane_on_hold_that_scans_old_events_takes_effect() {
    let fixture = Fixture::new().await;
    for n in 0..3_000 {
        fixture.append([("user_updated", n)]).await;
    }
    let json = r#"{"name":"one","start":"earliest","conditions":{"user":["nobody"]},
        "webhook":{"url":"http://localhost/"}}"#;
    fixture.subscribe(json).await;
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    // The lane is on hold from its start, and its probe finds only old events that do not match.
    fixture
        .subscriptions
        .pause(&full_name("one"))
        .await
        .unwrap();
    let now = fixture.clock.now();
    subscription.shared.account().set_held_since(Some(now));
    fixture
        .subscriptions
        .resume(&full_name("one"))
        .await
        .unwrap();
    tokio::task::yield_now().await;
    let wider = r#"{"name":"one","webhook":{"url":"http://localhost/"}}"#;
    let wider = serde_json::from_str(wider).unwrap();
    fixture
        .subscriptions
        .update(Reach::Everything, wider)
        .await
        .unwrap();
    let settled = timeout(Duration::from_mins(10), fixture.settled("one")).await;
    assert!(settled.expect("the new lane serves").get(Term::Delivered) > 0);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_recovered_while_no_lane_ran_is_probed_before_deactivation() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append((0..30).map(|n| ("user_created", n))).await;
    held(&fixture).await;
    fixture.drain().await;
    fixture.crash().await;
    tokio::time::sleep(Duration::from_hours(4 * 24)).await;
    sink.answer_with(|_| Ok(()));
    fixture.start();
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 30);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_event_is_rejected_shows_that_the_endpoint_is_back() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append((0..12).map(|n| ("user_created", n))).await;
    held(&fixture).await;
    // The endpoint now works, but rejects these events.
    sink.answer_with(|_| Err(crate::fixture::rejected()));
    let balance = timeout(Duration::from_hours(24), fixture.settled("one")).await;
    let balance = balance.expect("the hold ends");
    assert_eq!(balance.get(Term::Dead), 12);
    let subscription = fixture.subscriptions.get(&full_name("one")).unwrap();
    assert!(subscription.shared.hold().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_late_rejection_does_not_prolong_a_hold() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    // Ten deliveries fail, so the lane is on hold. The other two are rejected later.
    sink.hang(true);
    sink.answer_with(|batch| match id(batch).as_u128() {
        0..10 if batch.attempt.get() == 1 => Err(refused(500)),
        _ => Err(crate::fixture::rejected()),
    });
    fixture.append((0..12).map(|n| ("user_created", n))).await;
    sink.wait_for(12).await;
    sink.hang_if(|batch| id(batch).as_u128() >= 10);
    held(&fixture).await;
    sink.hang(false);
    let settled = timeout(Duration::from_hours(24), fixture.settled("one")).await;
    let balance = settled.expect("the hold ends");
    assert_eq!(balance.get(Term::Dead), 12);
}

#[tokio::test(start_paused = true)]
async fn an_outage_causes_no_dead_letters_even_without_retries() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(
            r#"{"name":"one","in_flight":1,"retry":[],"webhook":{"url":"http://localhost/"}}"#,
        )
        .await;
    sink.answer_with(|_| Err(refused(500)));
    fixture.append((0..200).map(|n| ("user_created", n))).await;
    held(&fixture).await;
    let dead = fixture.balance("one").get(Term::Dead);
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert_eq!(fixture.balance("one").get(Term::Dead), dead);
    sink.answer_with(|_| Ok(()));
    let delivered = fixture.settled("one").await.get(Term::Delivered);
    assert_eq!(delivered, 200 - dead);
}

#[tokio::test(start_paused = true)]
async fn the_longer_of_two_requested_pauses_counts() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ONE).await;
    let throttled = |secs| SendError::Throttled {
        reason: String::new(),
        retry_after: Some(Duration::from_secs(secs)),
    };
    sink.hang(true);
    sink.answer_in_order([Err(throttled(600)), Err(throttled(1))]);
    fixture.append((0..2).map(|n| ("user_created", n))).await;
    sink.wait_for(2).await;
    sink.hang(false);
    tokio::time::sleep(Duration::from_secs(590)).await;
    assert_eq!(sink.received().len(), 2);
    assert_eq!(fixture.settled("one").await.get(Term::Delivered), 2);
}
