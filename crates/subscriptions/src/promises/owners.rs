//! The promises about the owners of subscriptions.

use std::sync::Arc;

use easel_keys::Secret;
use jiff::Timestamp;

use super::{StoreBackend, definition, entries, new_subscription, take_over};
use crate::{Definition, Owner, OwnerSystem, Revision, SubscriptionId, Tombstone};

fn owner(document: &str) -> Owner {
    Owner {
        system: OwnerSystem::Canvas,
        id: "0190-a".to_owned(),
        document: Secret::new(document.to_owned()),
        shown_document: format!("{document}, shown"),
    }
}

/// An owner's document changes together with the spec, or not at all.
pub async fn keeps_the_document_of_an_owner_with_its_subscription<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let mut new = new_subscription("a");
    new.definition.owner = Some(Arc::new(owner("first")));
    let made = store.insert(epoch, new.clone()).await.unwrap();
    assert_eq!(entries(&backend).await[0].definition, new.definition);
    let changed = Definition {
        owner: Some(Arc::new(owner("second"))),
        ..definition("a")
    };
    let updated = store.update(made.id, made.revision, changed.clone()).await;
    let outdated = store.update(made.id, made.revision, definition("a")).await;
    let found = &entries(&backend).await[0];
    assert_eq!(found.definition, changed);
    assert_eq!(found.revision, updated.unwrap());
    outdated.unwrap_err();
}

/// A subscription with an owner exists, or its tombstone does, never both.
pub async fn replaces_a_removed_subscription_of_an_owner_by_a_tombstone<B: StoreBackend>() {
    let (backend, store, epoch) = take_over::<B>().await;
    let mut new = new_subscription("a");
    new.definition.owner = Some(Arc::new(owner("first")));
    let made = store.insert(epoch, new.clone()).await.unwrap();
    let tombstone = Tombstone {
        owner: owner("last"),
        removed_at: Timestamp::constant(1_740_988_801, 0),
    };
    let outdated = store.remove(made.id, made.revision.next(), Some(tombstone.clone()));
    outdated.await.unwrap_err();
    assert!(backend.handle().tombstones().await.unwrap().is_empty());
    let removed = store.remove(made.id, made.revision, Some(tombstone.clone()));
    removed.await.unwrap();
    let found = backend.handle().tombstones().await.unwrap();
    assert_eq!(found, std::slice::from_ref(&tombstone));
    store.insert(epoch, new).await.unwrap();
    assert!(backend.handle().tombstones().await.unwrap().is_empty());
    let removed = store.remove(
        SubscriptionId::new(made.id.get() + 1),
        Revision::FIRST,
        Some(tombstone.clone()),
    );
    removed.await.unwrap();
    store.remove_tombstones(tombstone.removed_at).await.unwrap();
    assert_eq!(store.tombstones().await.unwrap().len(), 1);
    let later = Timestamp::constant(1_740_988_802, 0);
    store.remove_tombstones(later).await.unwrap();
    assert!(backend.handle().tombstones().await.unwrap().is_empty());
}
