//! What a failing endpoint does to its own lane, and does not do to others.

use std::time::Duration;

use easel_sinks::SendError;
use easel_subscriptions::Term;
use tokio::time::{Instant, timeout};

use crate::campus::{Campus, id, numbers, refused};

const ONE: &str = r#"{"name":"one","webhook":{"url":"http://localhost/"}}"#;
const OTHER: &str = r#"{"name":"other","webhook":{"url":"http://localhost/"}}"#;

#[tokio::test(start_paused = true)]
async fn a_failing_endpoint_holds_only_its_own_lane() {
    let campus = Campus::new().await;
    let failing = campus.subscribe(ONE).await;
    let healthy = campus.subscribe(OTHER).await;
    failing.answer_with(|_| Err(refused(500)));
    let began = Instant::now();
    for n in 0..50 {
        campus.append([("user_created", n)]).await;
        healthy.wait_for(usize::try_from(n).unwrap() + 1).await;
    }
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "the healthy lane waited"
    );
    let held = campus.subscriptions.get("one").unwrap();
    assert!(
        held.live
            .hold()
            .is_some_and(|hold| hold.reason.contains("500"))
    );

    tokio::time::sleep(Duration::from_mins(1)).await;
    let probes = failing.received().len();
    assert!(
        (3..=20).contains(&probes),
        "{probes} attempts in a minute of holding"
    );
    failing.answer_with(|_| Ok(()));
    assert_eq!(campus.settled("one").await.get(Term::Delivered), 50);
    assert!(held.live.hold().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_held_lane_sends_single_probes_with_growing_pauses() {
    let campus = Campus::new().await;
    let sink = campus
        .subscribe(r#"{"name":"one","in_flight":1,"webhook":{"url":"http://localhost/"}}"#)
        .await;
    sink.answer_with(|_| Err(SendError::TimedOut));
    campus.append((0..10).map(|n| ("user_created", n))).await;
    let mut at = Vec::new();
    for attempt in 1..=5 {
        sink.wait_for(attempt).await;
        at.push(Instant::now());
    }
    let pauses: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, secs) in pauses.iter().zip([5.0, 10.0, 20.0, 40.0]) {
        let ratio = pause.as_secs_f64() / secs;
        assert!((0.79..1.25).contains(&ratio), "{pauses:?}");
    }
    let received = sink.received();
    assert_eq!(
        numbers(&received),
        [0; 5],
        "each probe is the oldest delivery owed"
    );
    let attempts: Vec<_> = received.iter().map(|batch| batch.attempt.get()).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_left_alone_for_as_long_as_it_asks() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ONE).await;
    let asked = Duration::from_mins(2);
    sink.answer_in_turn([Err(SendError::Busy {
        reason: String::new(),
        retry_after: Some(asked),
    })]);
    campus.append([("user_created", 1)]).await;
    sink.wait_for(1).await;
    let began = Instant::now();
    sink.wait_for(2).await;
    assert!(began.elapsed() >= asked, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_held_lane_still_ends_at_once() {
    let mut campus = Campus::new().await;
    let sink = campus.subscribe(ONE).await;
    sink.answer_with(|_| Err(SendError::TimedOut));
    campus.append((0..5).map(|n| ("user_created", n))).await;
    sink.wait_for(5).await;
    let began = Instant::now();
    campus.drain().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(campus.balance("one").get(Term::Pending), 5);
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_hang_stop_no_others_and_a_crash_repeats_them_alone() {
    let mut campus = Campus::new().await;
    let sink = campus.subscribe(ONE).await;
    sink.hang_for(|batch| id(batch).as_u128() < 2);
    campus.append((0..2_000).map(|n| ("user_created", n))).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(campus.balance("one").get(Term::Delivered), 1_998);
    assert_eq!(sink.received().len(), 2_000);

    campus.crash().await;
    sink.hang_for(|_| false);
    campus.start();
    assert_eq!(campus.settled("one").await.get(Term::Delivered), 2_000);
    assert_eq!(numbers(&sink.received()[2_000..]), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_until_its_time_out_holds_no_others() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ONE).await;
    // The first one hangs, and its time-out comes while others go through.
    sink.answer_with(|batch| match (id(batch).is_nil(), batch.attempt.get()) {
        (true, 1) => Err(SendError::TimedOut),
        _ => Ok(()),
    });
    sink.hang_for(|batch| id(batch).is_nil() && batch.attempt.get() == 1);
    campus.append([("user_created", 0)]).await;
    sink.wait_for(1).await;
    let one = campus.subscriptions.get("one").unwrap();
    let began = Instant::now();
    for n in 1..20 {
        campus.append([("user_created", n)]).await;
        sink.wait_for(usize::try_from(n).unwrap() + 1).await;
        if n == 10 {
            sink.hang(false);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(one.live.hold().is_none(), "{n}");
    }
    assert!(began.elapsed() < Duration::from_secs(3));
    // It comes again by itself, after a pause of its own.
    assert_eq!(campus.settled("one").await.get(Term::Delivered), 20);
    let elapsed = began.elapsed();
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(8)).contains(&elapsed),
        "{elapsed:?}"
    );
    assert_eq!(sink.received().last().map(|it| it.attempt.get()), Some(2));
}

#[tokio::test(start_paused = true)]
async fn retries_beside_others_keep_to_what_a_crash_may_repeat() {
    let mut campus = Campus::new().await;
    let sink = campus
        .subscribe(r#"{"name":"one","in_flight":256,"webhook":{"url":"http://localhost/"}}"#)
        .await;
    // Half of the first requests time out while others go through, so they come again later.
    sink.answer_with(|batch| match batch.attempt.get() {
        1 if id(batch).as_u128() < 128 => Err(SendError::TimedOut),
        _ => Ok(()),
    });
    sink.hang_for(|batch| id(batch).as_u128() < 128 && batch.attempt.get() == 1);
    campus.append((0..256).map(|n| ("user_created", n))).await;
    sink.wait_for(256).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    sink.hang(false);
    let one = campus.subscriptions.get("one").unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    campus.refuse_saves().await;
    campus
        .append((1_000..3_000).map(|n| ("user_created", n)))
        .await;
    let before = sink.received().len();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(one.live.hold().is_none());
    let unsaved = sink.received().len() - before;
    assert!(
        (900..=1_000).contains(&unsaved),
        "{unsaved} would be repeated"
    );

    campus.crash().await;
    campus.start();
    assert_eq!(campus.settled("one").await.get(Term::Delivered), 2_256);
}

#[tokio::test(start_paused = true)]
async fn a_lane_full_of_unsaved_deliveries_goes_on_after_a_change() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ONE).await;
    // The first one fails, late, so that the next lane begins with it.
    let mut fails = true;
    sink.answer_with(move |batch| {
        if id(batch).is_nil() && std::mem::take(&mut fails) {
            return Err(SendError::TimedOut);
        }
        Ok(())
    });
    sink.hang_for(|batch| id(batch).is_nil());
    campus.append((0..2_000).map(|n| ("user_created", n))).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let wider = r#"{"name":"one","in_flight":256,"webhook":{"url":"http://localhost/"}}"#;
    let wider = serde_json::from_str(wider).unwrap();
    campus.subscriptions.update(wider).await.unwrap();
    sink.hang_for(|_| false);
    let settled = timeout(Duration::from_mins(10), campus.settled("one")).await;
    assert_eq!(
        settled.expect("the lane goes on").get(Term::Delivered),
        2_000
    );
}

#[tokio::test(start_paused = true)]
async fn what_expires_while_a_lane_holds_is_neither_pending_nor_sent() {
    let campus = Campus::new().await;
    let sink = campus.subscribe(ONE).await;
    sink.answer_with(|_| Err(refused(500)));
    for n in 0..20 {
        campus.append([("user_created", n)]).await;
    }
    let one = campus.subscriptions.get("one").unwrap();
    while one.live.hold().is_none() || campus.balance("one").get(Term::Pending) < 20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let head = campus.log.bounds().borrow().head;
    campus.log.trim_to(head).await.unwrap();
    campus.subscriptions.expire_trimmed();
    let balance = campus.balance("one");
    assert_eq!(
        (balance.get(Term::Pending), balance.get(Term::Expired)),
        (0, 20)
    );

    let attempts = sink.received().len();
    sink.answer_with(|_| Ok(()));
    campus.append([("user_created", 99)]).await;
    assert_eq!(campus.settled("one").await.get(Term::Delivered), 1);
    assert_eq!(numbers(&sink.received()[attempts..]), [99]);
}
