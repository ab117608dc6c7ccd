//! Events that are trimmed before they are delivered.

use std::sync::{Arc, Mutex};

use easel_catalog::{OperatorEvent, Reach, TellOperator};
use easel_log::Offset;

use super::{append, full_name, grades, log, open, spec};
use crate::Term;

#[tokio::test]
async fn trimmed_events_expire_immediately_for_a_paused_subscription() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = subscriptions
        .create(Reach::Everything, grades())
        .await
        .unwrap();
    append(&log, 3).await;
    made.shared.account().owe(Offset::new(0));
    let paused = subscriptions.pause(&full_name("grades")).await.unwrap();
    append(&log, 2).await;
    log.trim_to(Offset::new(3)).await.unwrap();
    subscriptions.expire_trimmed();
    let balance = subscriptions.balance(&paused);
    assert!(balance.adds_up(), "{balance:?}");
    assert_eq!(
        (balance.get(Term::Expired), balance.get(Term::Pending)),
        (3, 2)
    );
    // The next save writes the same balance to disk.
    subscriptions.save_all().await.unwrap();
    drop((subscriptions, made, paused));
    let subscriptions = open(folder.path(), &log).await;
    let balance = subscriptions.balance(&subscriptions.get(&full_name("grades")).unwrap());
    assert_eq!(
        (balance.get(Term::Expired), balance.cursor),
        (3, Offset::new(3))
    );
}

#[tokio::test]
async fn the_head_of_the_log_is_saved_even_if_no_cursor_moved() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    subscriptions
        .create(Reach::Everything, grades())
        .await
        .unwrap();
    subscriptions.pause(&full_name("grades")).await.unwrap();
    append(&log, 7).await;
    subscriptions.save_all().await.unwrap();
    drop(subscriptions);
    let path = folder.path().join("state.db");
    let found = easel_sqlite::inspect(&path, &crate::STATE_LAYOUT).unwrap();
    assert_eq!(found.unwrap().seen, 7);
    let cursors = crate::stored_cursors(&path).unwrap();
    assert_eq!(
        (&*cursors[0].name, cursors[0].cursor),
        ("grades", Offset::ZERO)
    );
}

#[tokio::test]
async fn losses_are_reported_except_for_subscriptions_to_operator_events() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let tell = TellOperator::new(move |event| sink.lock().unwrap().push(event));
    let subscriptions = Arc::try_unwrap(open(folder.path(), &log).await).unwrap();
    let subscriptions = Arc::new(subscriptions.with_operator(tell));
    let watcher = spec(
        r#"{"name":"watcher","events":["*","easel.*"],"webhook":{"url":"http://localhost/"}}"#,
    );
    for spec in [grades(), watcher] {
        subscriptions.create(Reach::Everything, spec).await.unwrap();
    }
    let trimmed = |event_count, offsets| OperatorEvent::TrimmedPastCursor {
        subscription: "grades".to_owned(),
        reach: Reach::Everything,
        event_count,
        offsets,
    };
    append(&log, 3).await;
    log.trim_to(Offset::new(3)).await.unwrap();
    subscriptions.expire_trimmed();
    assert_eq!(*events.lock().unwrap(), [trimmed(3, 0..3)]);
    // Within a minute there is no second report. The rest is reported at the end.
    for _ in 0..2 {
        append(&log, 1).await;
        let head = log.bounds().borrow().head;
        log.trim_to(head).await.unwrap();
        subscriptions.expire_trimmed();
    }
    assert_eq!(events.lock().unwrap().len(), 1);
    subscriptions.report_remaining_losses();
    assert_eq!(
        *events.lock().unwrap(),
        [trimmed(3, 0..3), trimmed(2, 3..5)]
    );
    let balance = subscriptions.balance(&subscriptions.get(&full_name("watcher")).unwrap());
    assert_eq!(balance.get(Term::Expired), 5);
}
