//! The promises of every store, one test each.
//!
//! A backend implements [`StoreBackend`]. The macro `store_promises!` then creates one test per promise.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod owners;

use std::sync::Arc;

use easel_catalog::{OrderKey, Reach};
use easel_log::Offset;
use jiff::Timestamp;

use crate::{
    Attempt, AttemptPart, DeadLetter, Definition, DeliveryRow, Due, Epoch, GuardState, Journal,
    LaneId, LaneTime, LoggedAttempt, NewSubscription, Origin, Parked, ReplaySpec, Revision, State,
    StateStore, StateStoreError, StoredSubscription, SubscriptionId, Term,
};

pub use owners::{
    keeps_the_document_of_an_owner_with_its_subscription,
    replaces_a_removed_subscription_of_an_owner_by_a_tombstone,
};

/// A backend under test.
pub trait StoreBackend {
    /// Creates a new, empty store.
    fn open() -> Self;

    /// Opens one more handle of the store, as another process would.
    fn handle(&self) -> Arc<dyn StateStore>;
}

/// Creates one test per promise for a backend.
#[macro_export]
macro_rules! store_promises {
    ($backend:ty) => {
        $crate::store_promises!(@each $backend:
            finds_all_stored_subscriptions
            rejects_a_duplicate_name_within_a_reach
            never_reuses_an_id
            rejects_a_change_of_an_outdated_revision
            rejects_a_lease_that_has_ended
            saves_all_journals_or_none
            keeps_the_journal_with_the_greatest_number
            ignores_journals_of_removed_subscriptions
            keeps_journals_of_replays_apart
            keeps_one_row_of_each_delivery
            keeps_the_rows_of_the_journal_with_the_greatest_number
            lists_dead_letters_by_offset_and_by_time
            deletes_a_replay_with_its_rows
            keeps_the_attempts_of_earlier_leases
            keeps_the_document_of_an_owner_with_its_subscription
            replaces_a_removed_subscription_of_an_owner_by_a_tombstone
        );
    };
    (@each $backend:ty: $($promise:ident)*) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::promises::$promise::<$backend>().await;
            }
        )*
    };
}

pub use store_promises;

fn definition(name: &str) -> Definition {
    let spec = format!(r#"{{"name":"{name}","webhook":{{"url":"http://localhost/?key=1"}}}}"#);
    Definition {
        reach: Reach::Everything,
        spec: serde_json::from_str(&spec).expect("a spec"),
        origin: Origin::Api,
        state: State::Active,
        guard: GuardState::Enforced,
        owner: None,
    }
}

fn new_subscription(name: &str) -> NewSubscription {
    NewSubscription {
        definition: definition(name),
        created_at: Timestamp::constant(1_740_988_800, 0),
        start: Offset::new(5),
    }
}

fn journal(number: u64) -> Journal {
    let mut journal = Journal::new(Offset::new(5 + number));
    journal.number = number;
    journal.counts.add(Term::Delivered, number + 3);
    journal.spans = vec![Offset::new(10 + number)..Offset::new(13 + number)];
    journal.note = Some(vec![0, 255].into());
    journal.clock.stopped_millis = 5;
    journal.clock.stopped_since = Some(Timestamp::constant(1_740_988_801, 0));
    journal.held_since = Some(Timestamp::constant(1_740_988_802, 0));
    journal
}

fn parked(due: Due) -> Parked {
    Parked {
        batch_offset: Offset::new(6),
        failure_count: 2,
        due,
        key: Some(OrderKey(-7)),
        reason: Arc::from("send: the endpoint answered 500"),
        attempts: vec![Attempt {
            at_millis: 9,
            took_millis: 3,
            status: Some(500),
            outcome: "refused".into(),
        }],
        attempt_count: 3,
    }
}

fn letter(died_at: i64) -> Arc<DeadLetter> {
    Arc::new(DeadLetter {
        event_id: uuid::Uuid::from_u128(9),
        event_type: Arc::from("grade_change"),
        reason: "send: the endpoint answered 422".to_owned(),
        attempts: parked(Due::AfterKey).attempts,
        attempt_count: 1,
        answer: Some(vec![b'n', 0, 255].into()),
        died_at: Timestamp::from_second(died_at).unwrap(),
        is_discarded: false,
    })
}

/// A journal with rows.
fn with_rows(number: u64, rows: impl IntoIterator<Item = (u64, DeliveryRow)>) -> Journal {
    let rows = rows.into_iter();
    let rows = rows
        .map(|(offset, row)| (Offset::new(offset), row))
        .collect();
    Journal {
        rows,
        ..journal(number)
    }
}

async fn dead_offsets<B: StoreBackend>(backend: &B, lane: LaneId) -> Vec<u64> {
    let letters = backend.handle().dead_letters(lane, Offset::ZERO, 100).await;
    let letters = letters.unwrap().into_iter();
    letters.map(|(offset, _)| offset.get()).collect()
}

async fn take_over<B: StoreBackend>() -> (B, Arc<dyn StateStore>, Epoch) {
    let backend = B::open();
    let store = backend.handle();
    let (epoch, entries) = store.take_over().await.unwrap();
    assert!(entries.is_empty(), "{entries:?}");
    (backend, store, epoch)
}

async fn entries<B: StoreBackend>(backend: &B) -> Vec<StoredSubscription> {
    backend.handle().take_over().await.unwrap().1
}

async fn save(
    store: &Arc<dyn StateStore>,
    epoch: Epoch,
    id: SubscriptionId,
    journal: Journal,
) -> Result<(), StateStoreError> {
    store
        .save(epoch, vec![(LaneId::live(id), journal)], Offset::new(99))
        .await
}

/// The next take-over finds everything that was stored, also through another handle.
pub async fn finds_all_stored_subscriptions<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let created = store.insert(epoch, new_subscription("a")).await.unwrap();
    assert_eq!(
        (created.revision, &created.journal),
        (Revision::FIRST, &Journal::new(Offset::new(5)))
    );
    let mut changed = definition("a");
    changed.origin = Origin::File;
    changed.state = State::Paused {
        reason: Some("gone".to_owned()),
    };
    let revision = store
        .update(created.id, created.revision, changed.clone())
        .await
        .unwrap();
    save(&store, epoch, created.id, journal(1)).await.unwrap();
    let wanted = StoredSubscription {
        revision,
        definition: changed,
        journal: journal(1),
        ..created
    };
    assert_eq!(entries(&backend).await, [wanted]);
}

/// A name can be used again after its subscription was removed, or in another reach.
pub async fn rejects_a_duplicate_name_within_a_reach<B: StoreBackend>() {
    let (_backend, store, epoch) = take_over::<B>().await;
    let first = store.insert(epoch, new_subscription("a")).await.unwrap();
    let second = store.insert(epoch, new_subscription("b")).await.unwrap();
    let taken = store
        .insert(epoch, new_subscription("a"))
        .await
        .unwrap_err();
    assert!(
        matches!(taken, StateStoreError::NameTaken { .. }),
        "{taken}"
    );
    let taken = store
        .update(second.id, second.revision, definition("a"))
        .await
        .unwrap_err();
    assert!(
        matches!(taken, StateStoreError::NameTaken { .. }),
        "{taken}"
    );
    let mut elsewhere = new_subscription("a");
    elsewhere.definition.reach = Reach::RootAccount("7".parse().unwrap());
    store.insert(epoch, elsewhere).await.unwrap();
    store.remove(first.id, first.revision, None).await.unwrap();
    store.insert(epoch, new_subscription("a")).await.unwrap();
}

/// An id never refers to two subscriptions.
pub async fn never_reuses_an_id<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let first = store.insert(epoch, new_subscription("a")).await.unwrap();
    store.remove(first.id, first.revision, None).await.unwrap();
    let store = backend.handle();
    let (epoch, _) = store.take_over().await.unwrap();
    let second = store.insert(epoch, new_subscription("a")).await.unwrap();
    assert!(second.id > first.id, "{second:?}");
}

/// Of two changes to the same revision, one is rejected.
pub async fn rejects_a_change_of_an_outdated_revision<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let made = store.insert(epoch, new_subscription("a")).await.unwrap();
    let other = backend.handle();
    let (id, first) = (made.id, made.revision);
    let second = store.update(id, first, definition("a")).await.unwrap();
    let refused = other.update(id, first, definition("b")).await.unwrap_err();
    assert!(
        matches!(refused, StateStoreError::Changed { .. }),
        "{refused}"
    );
    let refused = other.remove(id, first, None).await.unwrap_err();
    assert!(
        matches!(refused, StateStoreError::Changed { .. }),
        "{refused}"
    );
    let found = entries(&backend).await;
    assert_eq!(
        (&found[0].definition, found[0].revision),
        (&definition("a"), second)
    );
}

/// A process whose lanes were taken over can no longer save.
pub async fn rejects_a_lease_that_has_ended<B: StoreBackend>() {
    let (backend, store, first) = take_over::<B>().await;
    let made = store.insert(first, new_subscription("a")).await.unwrap();
    let other = backend.handle();
    let (second, _) = other.take_over().await.unwrap();
    assert!(second > first);
    let refused = save(&store, first, made.id, journal(7)).await.unwrap_err();
    assert!(
        matches!(refused, StateStoreError::Stale { epoch } if epoch == first),
        "{refused}"
    );
    let refused = store
        .insert(first, new_subscription("b"))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StateStoreError::Stale { .. }),
        "{refused}"
    );
    save(&other, second, made.id, journal(1)).await.unwrap();
    assert_eq!(entries(&backend).await[0].journal, journal(1));
}

/// Several lanes are saved in one transaction.
pub async fn saves_all_journals_or_none<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let first = store.insert(epoch, new_subscription("a")).await.unwrap().id;
    let second = store.insert(epoch, new_subscription("b")).await.unwrap().id;
    let journals = |number| {
        let lanes = [first, second].map(LaneId::live);
        lanes.map(|lane| (lane, journal(number))).to_vec()
    };
    store
        .save(epoch, journals(1), Offset::new(99))
        .await
        .unwrap();
    let stale = Epoch(epoch.0 - 1);
    assert!(
        store
            .save(stale, journals(2), Offset::new(99))
            .await
            .is_err()
    );
    let found = entries(&backend).await;
    assert_eq!(
        (&found[0].journal, &found[1].journal),
        (&journal(1), &journal(1))
    );
}

/// Saves that arrive in the wrong order undo nothing.
pub async fn keeps_the_journal_with_the_greatest_number<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let id = store.insert(epoch, new_subscription("a")).await.unwrap().id;
    for number in [2, 1, 3, 0] {
        save(&store, epoch, id, journal(number)).await.unwrap();
    }
    let same_number = Journal {
        note: None,
        ..journal(3)
    };
    save(&store, epoch, id, same_number).await.unwrap();
    assert_eq!(entries(&backend).await[0].journal, journal(3));
}

/// A lane may still save after its subscription was removed.
pub async fn ignores_journals_of_removed_subscriptions<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let made = store.insert(epoch, new_subscription("a")).await.unwrap();
    store.remove(made.id, made.revision, None).await.unwrap();
    save(&store, epoch, made.id, journal(1)).await.unwrap();
    assert!(entries(&backend).await.is_empty());
}

/// The journal of a replay is stored, and does not change the journal of the live lane.
pub async fn keeps_journals_of_replays_apart<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let id = store.insert(epoch, new_subscription("a")).await.unwrap().id;
    let spec = ReplaySpec::of_range(Offset::new(5), Offset::new(9));
    let time = Timestamp::constant(1_740_988_800, 0);
    let made = store.insert_replay(epoch, id, spec.clone(), time).await;
    let made = made.unwrap();
    assert_eq!((made.number.get(), &made.spec), (1, &spec));
    let second = store.insert_replay(epoch, id, spec, time).await.unwrap();
    assert_eq!(second.number.get(), 2);
    let replay = LaneId {
        subscription: id,
        replay: Some(made.number),
    };
    let row = || parked(Due::OnCommand);
    let journals = vec![
        (LaneId::live(id), journal(1)),
        (replay, with_rows(9, [(7, DeliveryRow::Parked(row()))])),
    ];
    store.save(epoch, journals, Offset::new(99)).await.unwrap();
    let found = &entries(&backend).await[0];
    assert_eq!((&found.journal, &found.parked), (&journal(1), &Vec::new()));
    let [first, _] = &found.replays[..] else {
        unreachable!("{found:?}");
    };
    assert_eq!(first.journal, journal(9));
    assert_eq!(first.parked, [(Offset::new(7), row())]);
}

/// A delivery is parked, dead, or neither.
pub async fn keeps_one_row_of_each_delivery<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let id = store.insert(epoch, new_subscription("a")).await.unwrap().id;
    let lane = LaneId::live(id);
    let due_at_time = parked(Due::At(LaneTime(77)));
    let due_after_key = parked(Due::AfterKey);
    let rows = [
        (5, DeliveryRow::Parked(due_at_time.clone())),
        (6, DeliveryRow::Parked(due_after_key.clone())),
        (7, DeliveryRow::Dead(letter(1))),
    ];
    save(&store, epoch, id, with_rows(1, rows)).await.unwrap();
    let found = &entries(&backend).await[0];
    let wanted = [
        (Offset::new(5), due_at_time.clone()),
        (Offset::new(6), due_after_key),
    ];
    assert_eq!(found.parked, wanted);
    let store = backend.handle();
    let letters = store.dead_letters(lane, Offset::ZERO, 9).await.unwrap();
    assert_eq!(letters, [(Offset::new(7), DeadLetter::clone(&letter(1)))]);

    // Offset 5 dies, 6 ends, and 7 is redelivered.
    let (epoch, _) = store.take_over().await.unwrap();
    let rows = [
        (5, DeliveryRow::Dead(letter(2))),
        (6, DeliveryRow::Gone),
        (7, DeliveryRow::Parked(due_at_time.clone())),
    ];
    save(&store, epoch, id, with_rows(2, rows)).await.unwrap();
    assert_eq!(
        entries(&backend).await[0].parked,
        [(Offset::new(7), due_at_time)]
    );
    assert_eq!(dead_offsets(&backend, lane).await, [5]);
}

/// The rows of a save that arrives too late undo nothing.
pub async fn keeps_the_rows_of_the_journal_with_the_greatest_number<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let id = store.insert(epoch, new_subscription("a")).await.unwrap().id;
    let late = with_rows(1, [(5, DeliveryRow::Parked(parked(Due::OnCommand)))]);
    let newer = with_rows(2, [(5, DeliveryRow::Dead(letter(1)))]);
    save(&store, epoch, id, newer).await.unwrap();
    save(&store, epoch, id, late).await.unwrap();
    assert!(entries(&backend).await[0].parked.is_empty());
    assert_eq!(dead_offsets(&backend, LaneId::live(id)).await, [5]);
}

/// Dead letters are read in pages, and the oldest are found without reading all.
pub async fn lists_dead_letters_by_offset_and_by_time<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let first = store.insert(epoch, new_subscription("a")).await.unwrap().id;
    let second = store.insert(epoch, new_subscription("b")).await.unwrap().id;
    let rows = (0..10).map(|offset| {
        (
            offset,
            DeliveryRow::Dead(letter(100 - i64::try_from(offset).unwrap())),
        )
    });
    save(&store, epoch, first, with_rows(1, rows))
        .await
        .unwrap();
    let row = [(3, DeliveryRow::Dead(letter(95)))];
    save(&store, epoch, second, with_rows(1, row))
        .await
        .unwrap();
    let lane = LaneId::live(first);
    let page = store.dead_letters(lane, Offset::new(4), 3).await.unwrap();
    let page: Vec<_> = page.iter().map(|(offset, _)| offset.get()).collect();
    assert_eq!(page, [4, 5, 6]);
    let time = Timestamp::from_second(96).unwrap();
    let old = store.dead_before(time, 100).await.unwrap();
    let mut old: Vec<_> = old
        .iter()
        .map(|(lane, at, _)| (lane.subscription, at.get()))
        .collect();
    old.sort_unstable();
    let wanted = [
        (first, 5),
        (first, 6),
        (first, 7),
        (first, 8),
        (first, 9),
        (second, 3),
    ];
    assert_eq!(old, wanted);
    assert_eq!(store.dead_before(time, 2).await.unwrap().len(), 2);
    let removed = store.remove(first, Revision::FIRST, None).await;
    removed.unwrap();
    assert!(dead_offsets(&backend, lane).await.is_empty());
}

/// A cancelled replay is deleted with its parked and dead rows. The rows of the live lane stay.
pub async fn deletes_a_replay_with_its_rows<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let id = store.insert(epoch, new_subscription("a")).await.unwrap().id;
    let spec = ReplaySpec::of_range(Offset::new(5), Offset::new(9));
    let made = store
        .insert_replay(epoch, id, spec, Timestamp::UNIX_EPOCH)
        .await;
    let replay = LaneId {
        subscription: id,
        replay: Some(made.unwrap().number),
    };
    let rows = || {
        with_rows(
            1,
            [
                (5, DeliveryRow::Parked(parked(Due::OnCommand))),
                (6, DeliveryRow::Dead(letter(1))),
            ],
        )
    };
    let journals = vec![(LaneId::live(id), rows()), (replay, rows())];
    store.save(epoch, journals, Offset::new(99)).await.unwrap();
    store.remove_replay(epoch, replay).await.unwrap();
    let again = ReplaySpec::of_range(Offset::new(5), Offset::new(9));
    let again = store.insert_replay(epoch, id, again, Timestamp::UNIX_EPOCH);
    let again = again.await.unwrap();
    assert_eq!(again.number.get(), 2, "a number is never reused");
    let late = vec![(replay, with_rows(2, [(8, DeliveryRow::Dead(letter(1)))]))];
    store.save(epoch, late, Offset::new(99)).await.unwrap();
    assert!(dead_offsets(&backend, replay).await.is_empty());
    assert_eq!(dead_offsets(&backend, LaneId::live(id)).await, [6]);
    let found = &entries(&backend).await[0];
    assert_eq!(found.replays, [again]);
    assert_eq!(found.parked.len(), 1);
}

/// A later lease finds the attempts of earlier leases, up to a limit.
pub async fn keeps_the_attempts_of_earlier_leases<B: StoreBackend>() {
    let (backend, store, first) = take_over::<B>().await;
    let id = store.insert(first, new_subscription("a")).await.unwrap().id;
    let lane = LaneId::live(id);
    let part = |number: u64, oldest_needed, replaces_older| AttemptPart {
        lane,
        number,
        attempts: (0..3)
            .map(|place| LoggedAttempt {
                offset: Offset::new(number * 3 + place),
                item_count: 1,
                number: 2,
                at_millis: 5,
                took_millis: 7,
                status: None,
                outcome: "timed_out",
            })
            .collect(),
        oldest_needed,
        replaces_older,
    };
    let parts = vec![part(0, 0, false), part(1, 0, false), part(2, 1, false)];
    store.save_attempts(first, parts).await.unwrap();
    let before_first = store.attempts_before(first, lane).await.unwrap();
    assert!(
        before_first.is_empty(),
        "a lease does not find its own attempts"
    );
    let store = backend.handle();
    let (second, _) = store.take_over().await.unwrap();
    let found = store.attempts_before(second, lane).await.unwrap();
    let wanted = [part(1, 0, false).attempts, part(2, 0, false).attempts].concat();
    assert_eq!(found, wanted);
    let stale = store.save_attempts(first, vec![part(9, 0, false)]).await;
    assert!(matches!(stale, Err(StateStoreError::Stale { .. })));
    store
        .save_attempts(second, vec![part(7, 0, true)])
        .await
        .unwrap();
    let (third, _) = backend.handle().take_over().await.unwrap();
    let found = backend.handle().attempts_before(third, lane).await.unwrap();
    assert_eq!(
        found,
        part(7, 0, true).attempts,
        "the new attempts replace the older ones"
    );
    store.remove(id, Revision::FIRST, None).await.unwrap();
    let found = backend.handle().attempts_before(third, lane).await.unwrap();
    assert!(found.is_empty());
}
