//! What any store promises, one test each.
//!
//! A backend says by [`StoreBackend`] how it is opened, and `store_promises!` makes every promise a
//! test of its own name.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use std::num::NonZeroU32;
use std::sync::Arc;

use easel_catalog::Reach;
use easel_log::Offset;
use jiff::Timestamp;

use crate::{
    Definition, Entry, Epoch, Journal, LaneId, NewEntry, Origin, Revision, State, StateStore,
    StoreError, SubscriptionId, Term,
};

/// A backend under test.
pub trait StoreBackend {
    /// Makes a new, empty store.
    fn open() -> Self;

    /// One more handle of the store, as another process would have it.
    fn handle(&self) -> Arc<dyn StateStore>;
}

/// Makes every promise a test of its own for a backend.
#[macro_export]
macro_rules! store_promises {
    ($backend:ty) => {
        $crate::store_promises!(@each $backend:
            finds_what_was_stored
            gives_a_name_once_in_a_reach
            never_uses_an_id_again
            refuses_a_change_of_an_outdated_revision
            refuses_a_lease_that_has_ended
            saves_all_journals_or_none
            keeps_the_journal_with_the_greatest_number
            ignores_journals_of_what_was_removed
            keeps_journals_of_replays_apart
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
    }
}

fn new(name: &str) -> NewEntry {
    NewEntry {
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
    journal
}

async fn take_over<B: StoreBackend>() -> (B, Arc<dyn StateStore>, Epoch) {
    let backend = B::open();
    let store = backend.handle();
    let (epoch, entries) = store.take_over().await.unwrap();
    assert!(entries.is_empty(), "{entries:?}");
    (backend, store, epoch)
}

async fn entries<B: StoreBackend>(backend: &B) -> Vec<Entry> {
    backend.handle().take_over().await.unwrap().1
}

async fn save(
    store: &Arc<dyn StateStore>,
    epoch: Epoch,
    id: SubscriptionId,
    journal: Journal,
) -> Result<(), StoreError> {
    store
        .save(epoch, vec![(LaneId::live(id), journal)], Offset::new(99))
        .await
}

/// What was stored is found by whoever takes over next, in another handle too.
pub async fn finds_what_was_stored<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let made = store.insert(epoch, new("a")).await.unwrap();
    assert_eq!(
        (made.revision, &made.journal),
        (Revision::FIRST, &Journal::new(Offset::new(5)))
    );
    let mut changed = definition("a");
    changed.origin = Origin::File;
    changed.state = State::Paused {
        reason: Some("gone".to_owned()),
    };
    let revision = store
        .update(made.id, made.revision, changed.clone())
        .await
        .unwrap();
    save(&store, epoch, made.id, journal(1)).await.unwrap();
    let wanted = Entry {
        revision,
        definition: changed,
        journal: journal(1),
        ..made
    };
    assert_eq!(entries(&backend).await, [wanted]);
}

/// A name is free again only after its subscription was removed, and in another reach.
pub async fn gives_a_name_once_in_a_reach<B: StoreBackend>() {
    let (_backend, store, epoch) = take_over::<B>().await;
    let first = store.insert(epoch, new("a")).await.unwrap();
    let second = store.insert(epoch, new("b")).await.unwrap();
    let taken = store.insert(epoch, new("a")).await.unwrap_err();
    assert!(matches!(taken, StoreError::NameTaken { .. }), "{taken}");
    let taken = store
        .update(second.id, second.revision, definition("a"))
        .await
        .unwrap_err();
    assert!(matches!(taken, StoreError::NameTaken { .. }), "{taken}");
    let mut elsewhere = new("a");
    elsewhere.definition.reach = Reach::RootAccount("7".to_owned());
    store.insert(epoch, elsewhere).await.unwrap();
    store.remove(first.id, first.revision).await.unwrap();
    store.insert(epoch, new("a")).await.unwrap();
}

/// Whatever refers to an id later cannot mean another subscription.
pub async fn never_uses_an_id_again<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let first = store.insert(epoch, new("a")).await.unwrap();
    store.remove(first.id, first.revision).await.unwrap();
    let store = backend.handle();
    let (epoch, _) = store.take_over().await.unwrap();
    let second = store.insert(epoch, new("a")).await.unwrap();
    assert!(second.id > first.id, "{second:?}");
}

/// Of two that change the same revision, one is refused.
pub async fn refuses_a_change_of_an_outdated_revision<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let made = store.insert(epoch, new("a")).await.unwrap();
    let other = backend.handle();
    let (id, first) = (made.id, made.revision);
    let second = store.update(id, first, definition("a")).await.unwrap();
    let refused = other.update(id, first, definition("b")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Changed { .. }), "{refused}");
    let refused = other.remove(id, first).await.unwrap_err();
    assert!(matches!(refused, StoreError::Changed { .. }), "{refused}");
    let found = entries(&backend).await;
    assert_eq!(
        (&found[0].definition, found[0].revision),
        (&definition("a"), second)
    );
}

/// Who was taken over from can no longer say what became of events.
pub async fn refuses_a_lease_that_has_ended<B: StoreBackend>() {
    let (backend, store, first) = take_over::<B>().await;
    let made = store.insert(first, new("a")).await.unwrap();
    let other = backend.handle();
    let (second, _) = other.take_over().await.unwrap();
    assert!(second > first);
    let refused = save(&store, first, made.id, journal(7)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Stale { epoch } if epoch == first),
        "{refused}"
    );
    let refused = store.insert(first, new("b")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Stale { .. }), "{refused}");
    save(&other, second, made.id, journal(1)).await.unwrap();
    assert_eq!(entries(&backend).await[0].journal, journal(1));
}

/// Several lanes are saved together.
pub async fn saves_all_journals_or_none<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let first = store.insert(epoch, new("a")).await.unwrap().id;
    let second = store.insert(epoch, new("b")).await.unwrap().id;
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

/// Saves that pass each other on the way take nothing back.
pub async fn keeps_the_journal_with_the_greatest_number<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let id = store.insert(epoch, new("a")).await.unwrap().id;
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

/// A lane may still run when its subscription is removed.
pub async fn ignores_journals_of_what_was_removed<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let made = store.insert(epoch, new("a")).await.unwrap();
    store.remove(made.id, made.revision).await.unwrap();
    save(&store, epoch, made.id, journal(1)).await.unwrap();
    assert!(entries(&backend).await.is_empty());
}

/// What became of a replay's events says nothing of the live ones.
pub async fn keeps_journals_of_replays_apart<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let id = store.insert(epoch, new("a")).await.unwrap().id;
    let replay = LaneId {
        subscription: id,
        replay: NonZeroU32::new(1),
    };
    let journals = vec![(LaneId::live(id), journal(1)), (replay, journal(9))];
    store.save(epoch, journals, Offset::new(99)).await.unwrap();
    assert_eq!(entries(&backend).await[0].journal, journal(1));
}
