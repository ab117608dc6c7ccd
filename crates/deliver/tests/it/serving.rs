//! Tests of which events are delivered, to which subscriber, and how often.

use easel_catalog::Reach;
use std::sync::Arc;
use std::time::Duration;

use easel_log::{LogOptions, MemoryLog, Offset, SharedLog, SystemClock};
use easel_sinks::SendError;
use easel_subscriptions::{State, Term};
use easel_testkit::{FailingLog, event};
use tokio::time::Instant;

use crate::fixture::{Fixture, full_name, gone, id, numbers};

const ALL: &str = r#"{"name":"all","webhook":{"url":"http://localhost/"}}"#;

#[tokio::test(start_paused = true)]
async fn each_subscriber_receives_each_matching_event_once_and_byte_for_byte() {
    let fixture = Fixture::new().await;
    let all = fixture.subscribe(ALL).await;
    let grades = fixture
        .subscribe(
            r#"{"name":"grades","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#,
        )
        .await;
    let course = fixture
        .subscribe(
            r#"{"name":"course","conditions":{"course":["10000000000301"]},
                "webhook":{"url":"http://localhost/"}}"#,
        )
        .await;

    fixture
        .append([
            ("grade_change", 1),
            ("course_created", 2),
            ("grade_override", 6),
        ])
        .await;

    assert_eq!(fixture.settled("all").await.get(Term::Delivered), 3);
    assert_eq!(fixture.settled("grades").await.get(Term::Filtered), 1);
    assert_eq!(fixture.settled("course").await.get(Term::Delivered), 2);
    let mut received = all.received();
    received.sort_by_key(id);
    assert_eq!(numbers(&received), [1, 2, 6]);
    assert_eq!(
        received[1].items[0].form.bytes(),
        event("course_created", 2)
    );
    assert_eq!(&*received[1].items[0].event_type, "course_created");
    assert_eq!(received[1].items[0].event_time, "2025-03-03T08:00:00.002Z");
    assert_eq!(&*received[1].subscription, "all");
    assert_eq!(received[1].attempt.get(), 1);
    assert_eq!(grades.received().len(), 2);
    assert_eq!(course.received().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_starts_in_the_past_receives_past_and_new_events() {
    let fixture = Fixture::new().await;
    for n in 0..50 {
        fixture
            .append((0..100).map(|k| ("user_updated", n * 100 + k)))
            .await;
    }
    fixture.append([("grade_change", 9_000)]).await;
    let past = fixture
        .subscribe(r#"{"name":"past","start":"earliest","webhook":{"url":"http://localhost/"}}"#)
        .await;
    let rare = fixture
        .subscribe(
            r#"{"name":"rare","start":100,"events":["grade_*"],
                "webhook":{"url":"http://localhost/"}}"#,
        )
        .await;
    rare.wait_for(1).await;
    fixture.append([("grade_change", 9_001)]).await;

    assert_eq!(fixture.settled("past").await.get(Term::Delivered), 5_002);
    let balance = fixture.settled("rare").await;
    assert_eq!(
        (
            balance.accepted,
            balance.get(Term::Delivered),
            balance.get(Term::Filtered)
        ),
        (4_902, 2, 4_900)
    );
    assert_eq!(numbers(&rare.received()), [9_000, 9_001]);
    let mut received = numbers(&past.received());
    received.sort_unstable();
    received.dedup();
    assert_eq!(received.len(), 5_002);
}

#[tokio::test(start_paused = true)]
async fn in_flight_limits_the_deliveries_that_are_sent_together() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(r#"{"name":"few","in_flight":3,"webhook":{"url":"http://localhost/"}}"#)
        .await;
    sink.hang(true);
    fixture.append((0..20).map(|n| ("user_created", n))).await;
    sink.wait_for(3).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(sink.received().len(), 3);
    sink.hang(false);
    assert_eq!(fixture.settled("few").await.get(Term::Delivered), 20);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_cannot_keep_up_loses_nothing_and_catches_up() {
    let fixture = Fixture::new().await;
    let slow = fixture.subscribe(ALL).await;
    slow.hang(true);
    for n in 0..40 {
        fixture
            .append((0..100).map(|k| ("user_created", n * 100 + k)))
            .await;
    }
    slow.wait_for(16).await;
    slow.hang(false);
    assert_eq!(fixture.settled("all").await.get(Term::Delivered), 4_000);
    fixture.append([("user_created", 5_000)]).await;
    assert_eq!(fixture.settled("all").await.get(Term::Delivered), 4_001);
    assert_eq!(slow.received().len(), 4_001);
}

#[tokio::test(start_paused = true)]
async fn a_crash_repeats_at_most_a_thousand_deliveries_and_skips_none() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    let (mut first, mut before) = (0, 0);
    for round in 0..6_u64 {
        let count = 700 * (round + 1);
        fixture
            .append((first..first + count).map(|n| ("user_created", n)))
            .await;
        first += count;
        sink.wait_for(before + 300 * usize::try_from(round + 1).unwrap())
            .await;
        fixture.crash().await;
        before = sink.received().len();
        fixture.start();
    }
    fixture.settled("all").await;
    let mut received = numbers(&sink.received());
    let repeated = received.len();
    received.sort_unstable();
    received.dedup();
    assert_eq!(received, (0..first).collect::<Vec<_>>());
    let repeated = repeated - received.len();
    assert!(repeated <= 6 * 1_000, "{repeated} repeated");
}

#[tokio::test(start_paused = true)]
async fn a_drain_repeats_nothing() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    fixture
        .append((0..2_000).map(|n| ("user_created", n)))
        .await;
    sink.wait_for(500).await;
    fixture.drain().await;
    fixture.crash().await;
    fixture.start();
    assert_eq!(fixture.settled("all").await.get(Term::Delivered), 2_000);
    assert_eq!(sink.received().len(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_paused_subscription_keeps_its_cursor_and_an_update_applies_from_there() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    fixture.append([("user_created", 1)]).await;
    fixture.settled("all").await;
    fixture
        .subscriptions
        .pause(&full_name("all"))
        .await
        .unwrap();
    // A delivery in flight may still arrive after the pause.
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture
        .append([("user_created", 2), ("grade_change", 3)])
        .await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(fixture.balance("all").get(Term::Pending), 2);

    let changed = r#"{"name":"all","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#;
    fixture
        .subscriptions
        .update(Reach::Everything, serde_json::from_str(changed).unwrap())
        .await
        .unwrap();
    fixture
        .subscriptions
        .resume(&full_name("all"))
        .await
        .unwrap();

    let balance = fixture.settled("all").await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Filtered)),
        (2, 1)
    );
    assert_eq!(numbers(&sink.received()), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_removed_subscription_receives_nothing_more() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    let other = fixture
        .subscribe(r#"{"name":"b","webhook":{"url":"http://localhost/"}}"#)
        .await;
    fixture
        .subscriptions
        .remove(&full_name("all"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture.append([("user_created", 1)]).await;
    other.wait_for(1).await;
    assert!(sink.received().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_gone_pauses_its_subscription() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    sink.answer_in_order([Err(gone())]);
    let mut changes = fixture.subscriptions.changes();
    fixture.append([("user_created", 1)]).await;
    changes.changed().await.unwrap();
    let found = fixture.subscriptions.get(&full_name("all")).unwrap();
    assert!(
        matches!(&found.state, State::Paused { reason: Some(reason) } if reason.contains("410"))
    );

    fixture
        .subscriptions
        .resume(&full_name("all"))
        .await
        .unwrap();
    assert_eq!(fixture.settled("all").await.get(Term::Delivered), 1);
    assert_eq!(sink.received().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn deliveries_in_flight_are_settled_when_an_endpoint_is_gone() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    sink.answer_with(|batch| {
        if id(batch).is_nil() {
            Err(gone())
        } else {
            Ok(())
        }
    });
    sink.hang(true);
    let mut changes = fixture.subscriptions.changes();
    fixture.append((0..40).map(|n| ("user_created", n))).await;
    sink.wait_for(16).await;
    // The first delivery is answered. The other fifteen stay in flight.
    sink.hang_if(|batch| !id(batch).is_nil());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(sink.received().len(), 16, "no further batch is sent");
    assert!(
        !changes.has_changed().unwrap(),
        "the lane waits for the deliveries in flight"
    );
    sink.hang(false);
    changes.changed().await.unwrap();
    let found = fixture.subscriptions.get(&full_name("all")).unwrap();
    assert!(
        matches!(&found.state, State::Paused { reason: Some(reason) } if reason.contains("410"))
    );
    assert_eq!(fixture.balance("all").get(Term::Delivered), 15);
    assert_eq!(sink.received().len(), 16);
}

#[tokio::test(start_paused = true)]
async fn attempt_numbers_continue_after_a_pause_and_after_an_update() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    sink.answer_with(|_| Err(SendError::TimedOut));
    fixture.append([("user_created", 1)]).await;
    sink.wait_for(2).await;
    fixture
        .subscriptions
        .pause(&full_name("all"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    fixture
        .subscriptions
        .resume(&full_name("all"))
        .await
        .unwrap();
    sink.wait_for(3).await;
    let moved = r#"{"name":"all","webhook":{"url":"http://elsewhere/"}}"#;
    let moved = serde_json::from_str(moved).unwrap();
    fixture
        .subscriptions
        .update(Reach::Everything, moved)
        .await
        .unwrap();
    sink.answer_with(|_| Ok(()));
    fixture.settled("all").await;
    let attempts: Vec<_> = sink
        .received()
        .iter()
        .map(|batch| batch.attempt.get())
        .collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_failed_before_a_pause_are_sent_once_after_it_despite_late_answers() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    sink.answer_with(|_| Err(SendError::TimedOut));
    fixture.append((0..8).map(|n| ("user_created", n))).await;
    sink.wait_for(8).await;
    fixture
        .subscriptions
        .pause(&full_name("all"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = sink.received().len();
    sink.answer_with(|_| Ok(()));
    sink.hang(true);
    fixture
        .subscriptions
        .resume(&full_name("all"))
        .await
        .unwrap();
    // Without new events, retries may use more than a quarter of the places.
    sink.wait_for(before + 8).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    sink.hang(false);
    assert_eq!(fixture.settled("all").await.get(Term::Delivered), 8);
    let mut again = numbers(&sink.received()[before..]);
    again.sort_unstable();
    assert_eq!(again, (0..8).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn prefetched_events_that_expired_are_not_sent() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(r#"{"name":"all","in_flight":1,"webhook":{"url":"http://localhost/"}}"#)
        .await;
    sink.hang(true);
    for n in 0..10 {
        fixture.append([("user_created", n)]).await;
    }
    sink.wait_for(1).await;
    let head = fixture.log.bounds().borrow().head;
    fixture.log.trim_to(head).await.unwrap();
    fixture.subscriptions.expire_trimmed();
    sink.hang(false);
    let balance = fixture.settled("all").await;
    let counts = [Term::Delivered, Term::Expired].map(|term| balance.get(term));
    assert_eq!(counts, [1, 9]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(numbers(&sink.received()), [0]);
    assert_eq!(sink.received().len(), 1, "no empty batch");
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_ran_long_is_restarted_quickly_after_a_panic() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    sink.answer_with(|_| panic!("a bug in a sink"));
    fixture.append([("user_created", 0)]).await;
    // The lane panics repeatedly, and the pause before each restart grows.
    sink.wait_for(6).await;
    sink.answer_with(|_| Ok(()));
    fixture.settled("all").await;
    tokio::time::sleep(Duration::from_mins(6)).await;

    let mut panics = [true].into_iter();
    sink.answer_with(move |_| match panics.next() {
        Some(true) => panic!("a bug in a sink"),
        _ => Ok(()),
    });
    let began = Instant::now();
    fixture.append([("user_created", 1)]).await;
    fixture.settled("all").await;
    assert!(
        began.elapsed() < Duration::from_secs(7),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_panics_is_restarted() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    let mut panics = [true, false].into_iter();
    sink.answer_with(move |_| match panics.next() {
        Some(true) => panic!("a bug in a sink"),
        _ => Ok(()),
    });
    fixture.append((0..5).map(|n| ("user_created", n))).await;
    assert_eq!(fixture.settled("all").await.get(Term::Delivered), 5);
}

#[tokio::test(start_paused = true)]
async fn events_trimmed_before_they_were_matched_are_expired() {
    let fixture = Fixture::new().await;
    fixture.subscribe(ALL).await;
    fixture
        .subscriptions
        .pause(&full_name("all"))
        .await
        .unwrap();
    for n in 0..10 {
        fixture
            .append((0..10).map(|k| ("user_created", n * 10 + k)))
            .await;
    }
    let log: &SharedLog = &fixture.log;
    log.trim_to(Offset::new(30)).await.unwrap();
    assert_eq!(fixture.balance("all").get(Term::Expired), 30);

    fixture
        .subscriptions
        .resume(&full_name("all"))
        .await
        .unwrap();
    let balance = fixture.settled("all").await;
    assert_eq!(
        (
            balance.get(Term::Delivered),
            balance.get(Term::Expired),
            balance.accepted
        ),
        (70, 30, 100)
    );
}

#[tokio::test(start_paused = true)]
async fn unreadable_events_are_counted_as_damaged_and_the_others_are_delivered() {
    let memory = MemoryLog::new(LogOptions::default(), Arc::new(SystemClock));
    let log = Arc::new(FailingLog::new(Arc::new(memory)));
    let shared: SharedLog = Arc::<FailingLog>::clone(&log);
    let fixture = Fixture::with_log(shared).await;
    for n in 0..10 {
        fixture
            .append((0..10).map(|k| ("grade_change", n * 10 + k)))
            .await;
    }
    log.damage(Offset::new(20)..Offset::new(40));
    for (name, globs) in [("all", r#"["*"]"#), ("grades", r#"["grade_*"]"#)] {
        let json = format!(
            r#"{{"name":"{name}","events":{globs},"start":"earliest",
                "webhook":{{"url":"http://localhost/"}}}}"#
        );
        fixture.subscribe(&json).await;
        let balance = fixture.settled(name).await;
        assert_eq!(
            (balance.get(Term::Delivered), balance.get(Term::Filtered)),
            (80, 0)
        );
        assert_eq!(
            (balance.get(Term::Expired), balance.get(Term::Damaged)),
            (20, 20)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_updated_filter_applies_to_events_appended_after_the_update() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(r#"{"name":"all","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#)
        .await;
    // One attempt stays in flight, so the old lane cannot end.
    sink.hang(true);
    fixture.append([("grade_change", 1)]).await;
    sink.wait_for(1).await;
    for n in 2..50 {
        let (globs, name) = match n % 2 {
            0 => (r#"["user_*"]"#, "user_updated"),
            _ => (r#"["course_*"]"#, "course_updated"),
        };
        let changed =
            format!(r#"{{"name":"all","events":{globs},"webhook":{{"url":"http://localhost/"}}}}"#);
        let changed = serde_json::from_str(&changed).unwrap();
        fixture
            .subscriptions
            .update(Reach::Everything, changed)
            .await
            .unwrap();
        fixture.append([(name, n)]).await;
        // Vary when the lane matches the event, relative to the updates.
        tokio::time::sleep(Duration::from_millis(n)).await;
    }
    sink.hang(false);
    let balance = fixture.settled("all").await;
    assert_eq!(
        balance.get(Term::Delivered) + balance.get(Term::Filtered),
        49
    );
    // The last event is matched with the last filter.
    assert!(numbers(&sink.received()).contains(&49));
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_old_endpoint_does_not_pause_the_new_one() {
    let fixture = Fixture::new().await;
    let sink = fixture.subscribe(ALL).await;
    sink.answer_in_order([Err(gone())]);
    sink.hang(true);
    fixture.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    let moved = r#"{"name":"all","webhook":{"url":"http://elsewhere/"}}"#;
    let moved = serde_json::from_str(moved).unwrap();
    fixture
        .subscriptions
        .update(Reach::Everything, moved)
        .await
        .unwrap();
    sink.hang(false);
    assert_eq!(fixture.settled("all").await.get(Term::Delivered), 1);
    let found = fixture.subscriptions.get(&full_name("all")).unwrap();
    assert_eq!(found.state, State::Active);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_scans_old_events_stops_quickly() {
    let mut fixture = Fixture::new().await;
    for n in 0..2_000 {
        fixture.append([("user_updated", n)]).await;
    }
    fixture
        .subscribe(
            r#"{"name":"all","start":"earliest","conditions":{"user":["nobody"]},
                "webhook":{"url":"http://localhost/"}}"#,
        )
        .await;
    while fixture.balance("all").get(Term::Filtered) == 0 {
        tokio::task::yield_now().await;
    }
    fixture.drain().await;
    let balance = fixture.balance("all");
    assert!(
        balance.get(Term::Pending) > 0,
        "the lane scanned everything before it stopped"
    );
}
