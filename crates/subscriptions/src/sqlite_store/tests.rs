//! The store in a file: the promises of every store, and files of older formats.

use std::path::Path;
use std::sync::Arc;

use easel_log::Offset;
use tempfile::TempDir;

use super::{STATE_LAYOUT, SqliteStore, StoredCursor, stored_cursors};
use crate::promises::{StoreBackend, store_promises};
use crate::{Origin, State, StateStore, Term};

struct Sqlite(TempDir);

impl StoreBackend for Sqlite {
    fn open() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn handle(&self) -> Arc<dyn StateStore> {
        Arc::new(SqliteStore::open(&self.0.path().join("state.db")).unwrap())
    }
}

store_promises!(Sqlite);

/// Returns a copy of a file that an older version wrote.
fn golden(name: &str) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    std::fs::copy(source, &path).unwrap();
    (folder, path)
}

fn stored_cursor(name: &str, cursor: u64) -> StoredCursor {
    StoredCursor {
        name: name.to_owned(),
        cursor: Offset::new(cursor),
    }
}

#[tokio::test]
async fn a_file_of_format_2_is_migrated_without_loss() {
    let (_folder, path) = golden("state-v2.db");
    let wanted = [
        stored_cursor("all", 40),
        stored_cursor("grades", 40),
        stored_cursor("past", 12),
    ];
    assert_eq!(stored_cursors(&path).unwrap(), wanted);
    let seen = easel_sqlite::inspect(&path, &STATE_LAYOUT)
        .unwrap()
        .unwrap()
        .seen;

    let store = SqliteStore::open(&path).unwrap();
    let (epoch, entries) = store.take_over().await.unwrap();
    drop(store);
    let after = easel_sqlite::inspect(&path, &STATE_LAYOUT)
        .unwrap()
        .unwrap();
    assert_eq!((after.format, after.seen), (4, seen));
    assert_eq!(stored_cursors(&path).unwrap(), wanted);
    assert_eq!(epoch.0, 1);

    let [all, grades, past] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!(all.definition.spec.name.as_str(), "all");
    assert_eq!(all.journal.counts[Term::Delivered], 40);
    assert_eq!(grades.definition.origin, Origin::Api);
    let counts = grades.journal.counts;
    assert_eq!((counts[Term::Delivered], counts[Term::Filtered]), (10, 30));
    assert_eq!(past.definition.state, State::Paused { reason: None });
    assert_eq!(past.journal.cursor, Offset::new(12));
}

#[tokio::test]
async fn the_id_of_a_subscription_removed_in_format_2_is_not_reused() {
    let (_folder, path) = golden("state-v2.db");
    let store = SqliteStore::open(&path).unwrap();
    let (epoch, entries) = store.take_over().await.unwrap();
    let newest = entries.iter().map(|entry| entry.id).max().unwrap();
    let mut new = crate::NewSubscription {
        definition: entries[0].definition.clone(),
        created_at: entries[0].created_at,
        start: Offset::ZERO,
    };
    new.definition.spec.name = "new".parse().unwrap();
    let created = store.insert(epoch, new).await.unwrap();
    // The file was written after a fourth subscription had been removed.
    assert_eq!(created.id.get(), newest.get() + 2);
}

#[tokio::test]
async fn a_file_of_format_3_is_migrated_without_loss() {
    let (_folder, path) = golden("state-v3.db");
    let wanted = [
        stored_cursor("all", 16),
        stored_cursor("grades", 0),
        stored_cursor("past", 8),
    ];
    assert_eq!(stored_cursors(&path).unwrap(), wanted);
    let store = SqliteStore::open(&path).unwrap();
    let (epoch, entries) = store.take_over().await.unwrap();
    assert_eq!(epoch.0, 2);
    let [all, grades, past] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!(all.journal.counts[Term::Delivered], 16);
    assert_eq!(grades.definition.spec.in_flight.get(), 4);
    assert_eq!(past.definition.state, State::Paused { reason: None });
    // The new columns have the values of a lane without failures.
    for entry in &entries {
        assert_eq!(entry.journal.clock, crate::LaneClock::default());
        assert!(entry.parked.is_empty() && entry.replays.is_empty());
        assert_eq!(entry.definition.spec.retry, crate::Schedule::default());
    }
    let journal = crate::Journal {
        number: all.journal.number + 1,
        ..all.journal.clone()
    };
    let lane = crate::LaneId::live(all.id);
    let saved = store.save(epoch, vec![(lane, journal)], Offset::new(16));
    saved.await.unwrap();
    assert_eq!(stored_cursors(&path).unwrap(), wanted);
}
