//! What is delivered, to whom, and how often.

use std::sync::Arc;
use std::time::Duration;

use easel_log::{LogOptions, MemoryLog, Offset, SharedLog, SystemClock};
use easel_sinks::SendError;
use easel_subscriptions::{State, Term};
use easel_testkit::{FailingLog, event};
use tokio::time::Instant;

use crate::campus::{Campus, gone, id, numbers};

const ALL: &str = r#"{"name":"all","webhook":{"url":"http://localhost/"}}"#;

#[tokio::test(start_paused = true)]
async fn each_subscriber_receives_what_it_asked_for_once_and_byte_for_byte() {
    let campus = Campus::new().await;
    let all = campus.subscribe(ALL).await;
    let grades = campus
        .subscribe(
            r#"{"name":"grades","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#,
        )
        .await;
    let course = campus
        .subscribe(
            r#"{"name":"course","conditions":{"course":["10000000000301"]},
                "webhook":{"url":"http://localhost/"}}"#,
        )
        .await;

    campus
        .append([
            ("grade_change", 1),
            ("course_created", 2),
            ("grade_override", 6),
        ])
        .await;

    assert_eq!(campus.settled("all").await.get(Term::Delivered), 3);
    assert_eq!(campus.settled("grades").await.get(Term::Filtered), 1);
    assert_eq!(campus.settled("course").await.get(Term::Delivered), 2);
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
async fn a_subscription_that_starts_in_the_past_receives_the_past_and_then_the_present() {
    let campus = Campus::new().await;
    for n in 0..50 {
        campus
            .append((0..100).map(|k| ("user_updated", n * 100 + k)))
            .await;
    }
    campus.append([("grade_change", 9_000)]).await;
    let past = campus
        .subscribe(r#"{"name":"past","start":"earliest","webhook":{"url":"http://localhost/"}}"#)
        .await;
    let rare = campus
        .subscribe(
            r#"{"name":"rare","start":100,"events":["grade_*"],
                "webhook":{"url":"http://localhost/"}}"#,
        )
        .await;
    rare.wait_for(1).await;
    campus.append([("grade_change", 9_001)]).await;

    assert_eq!(campus.settled("past").await.get(Term::Delivered), 5_002);
    let balance = campus.settled("rare").await;
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
async fn no_more_than_in_flight_deliveries_are_under_way() {
    let campus = Campus::new().await;
    let sink = campus
        .subscribe(r#"{"name":"few","in_flight":3,"webhook":{"url":"http://localhost/"}}"#)
        .await;
    sink.hang(true);
    campus.append((0..20).map(|n| ("user_created", n))).await;
    sink.wait_for(3).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(sink.received().len(), 3);
    sink.hang(false);
    assert_eq!(campus.settled("few").await.get(Term::Delivered), 20);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_cannot_keep_up_loses_nothing_and_catches_up() {
    let campus = Campus::new().await;
    let slow = campus.subscribe(ALL).await;
    slow.hang(true);
    for n in 0..40 {
        campus
            .append((0..100).map(|k| ("user_created", n * 100 + k)))
            .await;
    }
    slow.wait_for(16).await;
    slow.hang(false);
    assert_eq!(campus.settled("all").await.get(Term::Delivered), 4_000);
    campus.append([("user_created", 5_000)]).await;
    assert_eq!(campus.settled("all").await.get(Term::Delivered), 4_001);
    assert_eq!(slow.received().len(), 4_001);
}

#[tokio::test(start_paused = true)]
async fn a_crash_repeats_at_most_a_thousand_deliveries_and_skips_none() {
    let mut campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    let (mut first, mut before) = (0, 0);
    for round in 0..6_u64 {
        let count = 700 * (round + 1);
        campus
            .append((first..first + count).map(|n| ("user_created", n)))
            .await;
        first += count;
        sink.wait_for(before + 300 * usize::try_from(round + 1).unwrap())
            .await;
        campus.crash().await;
        before = sink.received().len();
        campus.start();
    }
    campus.settled("all").await;
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
    let mut campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    campus.append((0..2_000).map(|n| ("user_created", n))).await;
    sink.wait_for(500).await;
    campus.drain().await;
    campus.crash().await;
    campus.start();
    assert_eq!(campus.settled("all").await.get(Term::Delivered), 2_000);
    assert_eq!(sink.received().len(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_paused_subscription_keeps_its_place_and_a_change_takes_effect_from_there() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    campus.append([("user_created", 1)]).await;
    campus.settled("all").await;
    campus.subscriptions.pause("all").await.unwrap();
    // What is under way when it is paused may still arrive.
    tokio::time::sleep(Duration::from_secs(1)).await;
    campus
        .append([("user_created", 2), ("grade_change", 3)])
        .await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(campus.balance("all").get(Term::Pending), 2);

    let changed = r#"{"name":"all","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#;
    campus
        .subscriptions
        .update(serde_json::from_str(changed).unwrap())
        .await
        .unwrap();
    campus.subscriptions.resume("all").await.unwrap();

    let balance = campus.settled("all").await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Filtered)),
        (2, 1)
    );
    assert_eq!(numbers(&sink.received()), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_removed_subscription_receives_nothing_more() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    let other = campus
        .subscribe(r#"{"name":"b","webhook":{"url":"http://localhost/"}}"#)
        .await;
    campus.subscriptions.remove("all").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    campus.append([("user_created", 1)]).await;
    other.wait_for(1).await;
    assert!(sink.received().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_gone_pauses_its_subscription() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    sink.answer_in_turn([Err(gone())]);
    let mut changes = campus.subscriptions.changes();
    campus.append([("user_created", 1)]).await;
    changes.changed().await.unwrap();
    let found = campus.subscriptions.get("all").unwrap();
    assert!(matches!(&found.state, State::Paused { reason: Some(why) } if why.contains("410")));

    campus.subscriptions.resume("all").await.unwrap();
    assert_eq!(campus.settled("all").await.get(Term::Delivered), 1);
    assert_eq!(sink.received().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_an_endpoint_says_that_it_is_gone_is_settled() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    sink.answer_with(|batch| {
        if id(batch).is_nil() {
            Err(gone())
        } else {
            Ok(())
        }
    });
    sink.hang(true);
    let mut changes = campus.subscriptions.changes();
    campus.append((0..40).map(|n| ("user_created", n))).await;
    sink.wait_for(16).await;
    // The first one is answered, and the other fifteen stay under way.
    sink.hang_for(|batch| !id(batch).is_nil());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(sink.received().len(), 16, "nothing more is sent");
    assert!(!changes.has_changed().unwrap(), "the lane waits for them");
    sink.hang(false);
    changes.changed().await.unwrap();
    let found = campus.subscriptions.get("all").unwrap();
    assert!(matches!(&found.state, State::Paused { reason: Some(why) } if why.contains("410")));
    assert_eq!(campus.balance("all").get(Term::Delivered), 15);
    assert_eq!(sink.received().len(), 16);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_on_after_a_pause_and_after_a_change() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    sink.answer_with(|_| Err(SendError::TimedOut));
    campus.append([("user_created", 1)]).await;
    sink.wait_for(2).await;
    campus.subscriptions.pause("all").await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    campus.subscriptions.resume("all").await.unwrap();
    sink.wait_for(3).await;
    let moved = r#"{"name":"all","webhook":{"url":"http://elsewhere/"}}"#;
    let moved = serde_json::from_str(moved).unwrap();
    campus.subscriptions.update(moved).await.unwrap();
    sink.answer_with(|_| Ok(()));
    campus.settled("all").await;
    let attempts: Vec<_> = sink.received().iter().map(|it| it.attempt.get()).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn what_failed_before_a_pause_is_sent_once_after_it_though_answers_come_late() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    sink.answer_with(|_| Err(SendError::TimedOut));
    campus.append((0..8).map(|n| ("user_created", n))).await;
    sink.wait_for(8).await;
    campus.subscriptions.pause("all").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = sink.received().len();
    sink.answer_with(|_| Ok(()));
    sink.hang(true);
    campus.subscriptions.resume("all").await.unwrap();
    // Retries have a quarter of the places as long as there is something new, and else all of them.
    sink.wait_for(before + 8).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    sink.hang(false);
    assert_eq!(campus.settled("all").await.get(Term::Delivered), 8);
    let mut again = numbers(&sink.received()[before..]);
    again.sort_unstable();
    assert_eq!(again, (0..8).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_what_expired_while_it_was_ready() {
    let campus = Campus::new().await;
    let sink = campus
        .subscribe(r#"{"name":"all","in_flight":1,"webhook":{"url":"http://localhost/"}}"#)
        .await;
    sink.hang(true);
    for n in 0..10 {
        campus.append([("user_created", n)]).await;
    }
    sink.wait_for(1).await;
    let head = campus.log.bounds().borrow().head;
    campus.log.trim_to(head).await.unwrap();
    campus.subscriptions.expire_trimmed();
    sink.hang(false);
    let balance = campus.settled("all").await;
    let counts = [Term::Delivered, Term::Expired].map(|term| balance.get(term));
    assert_eq!(counts, [1, 9]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(numbers(&sink.received()), [0]);
    assert_eq!(sink.received().len(), 1, "no empty batch");
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_has_lived_long_is_started_again_soon_after_it_died() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    sink.answer_with(|_| panic!("a bug in a sink"));
    campus.append([("user_created", 0)]).await;
    // By now it dies again and again, with long pauses between.
    sink.wait_for(6).await;
    sink.answer_with(|_| Ok(()));
    campus.settled("all").await;
    tokio::time::sleep(Duration::from_mins(6)).await;

    let mut panics = [true].into_iter();
    sink.answer_with(move |_| match panics.next() {
        Some(true) => panic!("a bug in a sink"),
        _ => Ok(()),
    });
    let began = Instant::now();
    campus.append([("user_created", 1)]).await;
    campus.settled("all").await;
    assert!(
        began.elapsed() < Duration::from_secs(7),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_panics_is_started_again() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    let mut panics = [true, false].into_iter();
    sink.answer_with(move |_| match panics.next() {
        Some(true) => panic!("a bug in a sink"),
        _ => Ok(()),
    });
    campus.append((0..5).map(|n| ("user_created", n))).await;
    assert_eq!(campus.settled("all").await.get(Term::Delivered), 5);
}

#[tokio::test(start_paused = true)]
async fn what_was_trimmed_before_it_was_looked_at_is_expired() {
    let campus = Campus::new().await;
    campus.subscribe(ALL).await;
    campus.subscriptions.pause("all").await.unwrap();
    for n in 0..10 {
        campus
            .append((0..10).map(|k| ("user_created", n * 10 + k)))
            .await;
    }
    let log: &SharedLog = &campus.log;
    log.trim_to(Offset::new(30)).await.unwrap();
    assert_eq!(campus.balance("all").get(Term::Expired), 30);

    campus.subscriptions.resume("all").await.unwrap();
    let balance = campus.settled("all").await;
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
async fn what_cannot_be_read_is_counted_as_damaged_and_the_rest_is_delivered() {
    let memory = MemoryLog::new(LogOptions::default(), Arc::new(SystemClock));
    let log = Arc::new(FailingLog::new(Arc::new(memory)));
    let shared: SharedLog = Arc::<FailingLog>::clone(&log);
    let campus = Campus::on(shared).await;
    for n in 0..10 {
        campus
            .append((0..10).map(|k| ("grade_change", n * 10 + k)))
            .await;
    }
    log.damage(Offset::new(20)..Offset::new(40));
    for (name, globs) in [("all", r#"["*"]"#), ("grades", r#"["grade_*"]"#)] {
        let json = format!(
            r#"{{"name":"{name}","events":{globs},"start":"earliest",
                "webhook":{{"url":"http://localhost/"}}}}"#
        );
        campus.subscribe(&json).await;
        let balance = campus.settled(name).await;
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
async fn a_changed_filter_counts_from_the_answer_on() {
    let campus = Campus::new().await;
    let sink = campus
        .subscribe(r#"{"name":"all","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#)
        .await;
    // One attempt stays under way, so that the old lane cannot end.
    sink.hang(true);
    campus.append([("grade_change", 1)]).await;
    sink.wait_for(1).await;
    for n in 2..50 {
        let (globs, name) = match n % 2 {
            0 => (r#"["user_*"]"#, "user_updated"),
            _ => (r#"["course_*"]"#, "course_updated"),
        };
        let changed =
            format!(r#"{{"name":"all","events":{globs},"webhook":{{"url":"http://localhost/"}}}}"#);
        let changed = serde_json::from_str(&changed).unwrap();
        campus.subscriptions.update(changed).await.unwrap();
        campus.append([(name, n)]).await;
        // What is looked at by then is looked at with the newest filter, or not yet.
        tokio::time::sleep(Duration::from_millis(n)).await;
    }
    sink.hang(false);
    let balance = campus.settled("all").await;
    assert_eq!(
        balance.get(Term::Delivered) + balance.get(Term::Filtered),
        49
    );
    // The last one is judged by the last filter, whatever was under way.
    assert!(numbers(&sink.received()).contains(&49));
}

#[tokio::test(start_paused = true)]
async fn what_the_old_endpoint_says_does_not_pause_the_new_one() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ALL).await;
    sink.answer_in_turn([Err(gone())]);
    sink.hang(true);
    campus.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    let moved = r#"{"name":"all","webhook":{"url":"http://elsewhere/"}}"#;
    let moved = serde_json::from_str(moved).unwrap();
    campus.subscriptions.update(moved).await.unwrap();
    sink.hang(false);
    assert_eq!(campus.settled("all").await.get(Term::Delivered), 1);
    let found = campus.subscriptions.get("all").unwrap();
    assert_eq!(found.state, State::Active);
}

#[tokio::test(start_paused = true)]
async fn a_lane_told_to_stop_while_it_looks_through_the_past_stops_soon() {
    let mut campus = Campus::new().await;
    for n in 0..2_000 {
        campus.append([("user_updated", n)]).await;
    }
    campus
        .subscribe(
            r#"{"name":"all","start":"earliest","conditions":{"user":["nobody"]},
                "webhook":{"url":"http://localhost/"}}"#,
        )
        .await;
    while campus.balance("all").get(Term::Filtered) == 0 {
        tokio::task::yield_now().await;
    }
    campus.drain().await;
    let balance = campus.balance("all");
    assert!(
        balance.get(Term::Pending) > 0,
        "it looked through everything first"
    );
}
