//! Commands on dead letters and replays.

use easel_catalog::Reach;
use std::sync::Arc;

use easel_log::{Offset, SharedLog};
use uuid::Uuid;

use crate::subscriptions::tests::{append, full_name, grades, log, open};
use crate::{ChangeError, DeadLetter, ReplayNumber, ReplaySpec, Subscriptions, Term};

fn letter() -> DeadLetter {
    DeadLetter {
        event_id: Uuid::from_u128(0),
        event_type: "grade_change".into(),
        reason: "the endpoint answered 422".to_owned(),
        attempts: Vec::new(),
        attempt_count: 1,
        answer: None,
        died_at: jiff::Timestamp::now(),
        is_discarded: false,
    }
}

/// Creates a subscription with three dead letters, at 0, 1 and 2.
async fn with_dead(
    subscriptions: &Arc<Subscriptions>,
    log: &SharedLog,
) -> Arc<crate::Subscription> {
    let made = subscriptions
        .create(Reach::Everything, grades())
        .await
        .unwrap();
    append(log, 4).await;
    for number in 0..3 {
        let offset = Offset::new(number);
        made.shared.account().owe(offset);
        made.shared.account().give_up(offset, letter());
    }
    made
}

#[tokio::test]
async fn dead_letters_are_redelivered_or_discarded_once_and_survive_a_restart() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = with_dead(&subscriptions, &log).await;
    let is_second = |offset: Offset, _: &DeadLetter| offset == Offset::new(1);
    let (first, again) = tokio::join!(
        subscriptions.redeliver(&made, .., is_second),
        subscriptions.redeliver(&made, .., is_second)
    );
    let counts = (
        first.unwrap().redelivered_count,
        again.unwrap().redelivered_count,
    );
    assert_eq!(
        counts.0 + counts.1,
        1,
        "only one command redelivers the letter"
    );
    let is_third = |offset: Offset, _: &DeadLetter| offset == Offset::new(2);
    assert_eq!(subscriptions.discard(&made, .., is_third).await.unwrap(), 1);
    assert_eq!(subscriptions.discard(&made, .., is_third).await.unwrap(), 0);
    drop((subscriptions, made));

    let subscriptions = open(folder.path(), &log).await;
    let made = subscriptions.get(&full_name("grades")).unwrap();
    let balance = subscriptions.balance(&made);
    let terms = [Term::Parked, Term::Dead, Term::Discarded, Term::Pending];
    assert_eq!(terms.map(|term| balance.get(term)), [1, 2, 1, 1]);
    assert!(balance.adds_up());
    let letters = subscriptions
        .dead_letters(&made, Offset::ZERO, 10)
        .await
        .unwrap();
    let letters: Vec<_> = letters
        .iter()
        .map(|(offset, letter)| (offset.get(), letter.is_discarded))
        .collect();
    assert_eq!(letters, [(0, false), (2, true)]);
    // A command on all letters does not redeliver the discarded one.
    let done = subscriptions
        .redeliver(&made, .., |_, _| true)
        .await
        .unwrap();
    assert_eq!(done.redelivered_count, 1);
}

#[tokio::test]
async fn a_command_changes_only_letters_at_its_offsets() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = with_dead(&subscriptions, &log).await;
    let only_second = Offset::new(1)..=Offset::new(1);
    let done = subscriptions
        .redeliver(&made, only_second, |_, _| true)
        .await
        .unwrap();
    assert_eq!(done.redelivered_count, 1);
    let before_second = ..Offset::new(1);
    let seen = std::sync::Mutex::new(Vec::new());
    let record_offset = |offset: Offset, _: &DeadLetter| {
        seen.lock().unwrap().push(offset);
        true
    };
    assert_eq!(
        subscriptions
            .discard(&made, before_second, record_offset)
            .await
            .unwrap(),
        1
    );
    assert_eq!(*seen.lock().unwrap(), [Offset::ZERO]);
    let balance = subscriptions.balance(&made);
    let terms = [Term::Parked, Term::Dead, Term::Discarded];
    assert_eq!(terms.map(|term| balance.get(term)), [1, 2, 1]);
}

#[tokio::test]
async fn a_dead_letter_whose_event_is_gone_stays_dead() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = with_dead(&subscriptions, &log).await;
    log.trim_to(Offset::new(4)).await.unwrap();
    subscriptions.expire_trimmed();
    let done = subscriptions
        .redeliver(&made, .., |_, _| true)
        .await
        .unwrap();
    assert_eq!((done.redelivered_count, done.gone_count), (0, 3));
    assert_eq!(subscriptions.balance(&made).get(Term::Dead), 3);
}

#[tokio::test]
async fn dead_letters_are_deleted_after_their_retention_and_stay_counted() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let made = with_dead(&subscriptions, &log).await;
    subscriptions
        .discard(&made, .., |offset, _| offset == Offset::ZERO)
        .await
        .unwrap();
    let day = std::time::Duration::from_hours(24);
    assert_eq!(subscriptions.forget_dead(day).await.unwrap(), 0);
    assert_eq!(
        subscriptions
            .forget_dead(std::time::Duration::ZERO)
            .await
            .unwrap(),
        3
    );
    assert!(
        subscriptions
            .dead_letters(&made, Offset::ZERO, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let balance = subscriptions.balance(&made);
    assert_eq!(
        (balance.get(Term::Dead), balance.get(Term::Discarded)),
        (3, 3)
    );
}

#[tokio::test]
async fn a_replay_has_its_own_balance_and_is_deleted_completely() {
    let (folder, log) = (tempfile::tempdir().unwrap(), log());
    let subscriptions = open(folder.path(), &log).await;
    let live = subscriptions
        .create(Reach::Everything, grades())
        .await
        .unwrap();
    append(&log, 10).await;
    let range = |from, to| ReplaySpec::of_range(Offset::new(from), Offset::new(to));
    for (from, to, wanted) in [
        (4, 4, "has no events"),
        (4, 11, "after the end of the log, 10"),
    ] {
        let refused = subscriptions
            .start_replay(&full_name("grades"), range(from, to))
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(wanted), "{refused}");
    }
    let replay = subscriptions
        .start_replay(&full_name("grades"), range(2, 6))
        .await
        .unwrap();
    replay.shared.account().owe(Offset::new(2));
    replay.shared.account().give_up(Offset::new(2), letter());
    subscriptions.save_all().await.unwrap();
    drop((subscriptions, live, replay));

    let subscriptions = open(folder.path(), &log).await;
    let replay = subscriptions
        .lane(&full_name("grades"), ReplayNumber::new(1))
        .unwrap();
    let balance = subscriptions.balance(&replay);
    let terms = [Term::Dead, Term::Pending];
    assert_eq!(
        (balance.accepted, terms.map(|term| balance.get(term))),
        (4, [1, 3])
    );
    assert!(balance.adds_up());
    let live = subscriptions.get(&full_name("grades")).unwrap();
    assert_eq!(subscriptions.balance(&live).get(Term::Pending), 10);
    // A change of the subscription changes the replay too.
    let mut edited = grades();
    edited.max_rate = Some(7.try_into().unwrap());
    subscriptions
        .update(Reach::Everything, edited)
        .await
        .unwrap();
    assert!(replay.is_retired());
    subscriptions
        .cancel_replay(&full_name("grades"), ReplayNumber::MIN)
        .await
        .unwrap();
    assert!(matches!(
        subscriptions.lane(&full_name("grades"), ReplayNumber::new(1)),
        Err(ChangeError::UnknownReplay { .. })
    ));
    drop(subscriptions);
    let subscriptions = open(folder.path(), &log).await;
    assert_eq!(subscriptions.lanes().len(), 1);
}
