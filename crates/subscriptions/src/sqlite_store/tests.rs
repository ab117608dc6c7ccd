//! The store in a file: the promises of every store, and files of older formats.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use easel_keys::{KeyStore, MasterKeyFile, MasterKeySource, Sealer, Secret};
use easel_log::Offset;
use tempfile::TempDir;

use super::{STATE_LAYOUT, SqliteStore, StoredCursor, sealing_keys, stored_cursors};
use crate::promises::{StoreBackend, store_promises};
use crate::{
    Definition, GuardState, Origin, Owner, OwnerSystem, State, StateStore, Term, Tombstone,
};

struct Sqlite(TempDir, Arc<Sealer>);

impl StoreBackend for Sqlite {
    fn open() -> Self {
        Self(tempfile::tempdir().unwrap(), sealer())
    }

    fn handle(&self) -> Arc<dyn StateStore> {
        let path = self.0.path().join("state.db");
        Arc::new(SqliteStore::open(&path, Arc::clone(&self.1)).unwrap())
    }
}

store_promises!(Sqlite);

fn sealer() -> Arc<Sealer> {
    Arc::new(Sealer::ephemeral().unwrap())
}

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

    let store = SqliteStore::open(&path, sealer()).unwrap();
    let (epoch, entries) = store.take_over().await.unwrap();
    drop(store);
    let after = easel_sqlite::inspect(&path, &STATE_LAYOUT)
        .unwrap()
        .unwrap();
    assert_eq!((after.format, after.seen), (7, seen));
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
    let store = SqliteStore::open(&path, sealer()).unwrap();
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
    let store = SqliteStore::open(&path, sealer()).unwrap();
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

/// Returns a copy of the golden file of format 5, with the keys that open its secrets.
fn golden_v5(now: jiff::Timestamp) -> (tempfile::TempDir, std::path::PathBuf, KeyStore) {
    let (folder, path) = golden("state-v5.db");
    for name in ["state-v5-keys.db", "state-v5.key"] {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        std::fs::copy(fixtures.join(name), folder.path().join(name)).unwrap();
    }
    let source = MasterKeySource {
        file: MasterKeyFile::new(folder.path().join("state-v5.key")),
        key: None,
        previous: None,
    };
    let keys = KeyStore::open(&folder.path().join("state-v5-keys.db"), source, now).unwrap();
    (folder, path, keys)
}

#[tokio::test]
async fn a_file_of_format_5_has_no_owners_and_takes_them() {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let (folder, path, keys) = golden_v5(now);
    assert_eq!(sealing_keys(&path).unwrap(), BTreeSet::from([1]));
    let store = SqliteStore::open(&path, keys.sealer()).unwrap();
    let (_epoch, entries) = store.take_over().await.unwrap();
    let [grades, public] = &entries[..] else {
        panic!("{entries:?}")
    };
    let url = grades.definition.spec.sink.url().expose();
    assert_eq!(url, "http://127.0.0.1:9/hook?key=planted-url-secret");
    assert_eq!(public.definition.state, State::Paused { reason: None });
    assert!(entries.iter().all(|entry| entry.definition.owner.is_none()));
    assert!(store.tombstones().await.unwrap().is_empty());

    let owned = Definition {
        owner: Some(Arc::new(owner())),
        ..grades.definition.clone()
    };
    let updated = store.update(grades.id, grades.revision, owned.clone());
    let revision = updated.await.unwrap();
    let tombstone = Tombstone {
        owner: owner(),
        removed_at: now,
    };
    let removed = store.remove(public.id, public.revision, Some(tombstone.clone()));
    removed.await.unwrap();
    drop(store);
    assert!(!folder_has(&folder, b"planted"));

    // Documents are sealed again, and a lost key loses only what is secret in them.
    let store = SqliteStore::open(&path, keys.sealer()).unwrap();
    keys.rotate_master_key(now).unwrap();
    assert_eq!(store.reseal().unwrap(), 3);
    keys.remove_old_data_keys().unwrap();
    assert_eq!(store.tombstones().await.unwrap(), [tombstone]);
    let (_epoch, entries) = store.take_over().await.unwrap();
    assert_eq!(
        (&entries[0].definition, entries[0].revision),
        (&owned, revision)
    );
    drop(store);
    let store = SqliteStore::open(&path, sealer()).unwrap();
    assert_eq!(store.lost_count().unwrap(), 3);
    store.forget_lost_secrets().unwrap();
    let tombstones = store.tombstones().await.unwrap();
    let (_epoch, entries) = store.take_over().await.unwrap();
    let found = [
        &tombstones[0].owner,
        entries[0].definition.owner.as_ref().unwrap(),
    ];
    assert!(
        found
            .iter()
            .all(|owner| owner.document.expose() == "public part")
    );
}

fn owner() -> Owner {
    Owner {
        system: OwnerSystem::Canvas,
        id: "0190-a".to_owned(),
        document: Secret::new("planted document".to_owned()),
        shown_document: "public part".to_owned(),
    }
}

/// Returns true if a file of the folder has these bytes.
fn folder_has(folder: &TempDir, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(folder.path()).unwrap();
    let mut contents = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    contents.any(|content| content.windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test]
async fn the_secrets_of_a_file_of_format_4_are_sealed_and_erased() {
    let (folder, path) = golden("state-v4.db");
    assert!(folder_has(&folder, b"planted-url-secret"));
    assert!(sealing_keys(&path).unwrap().is_empty());
    let sealer = sealer();
    let store = SqliteStore::open(&path, Arc::clone(&sealer)).unwrap();
    for secret in ["planted-url-secret", "planted-second", "planted-third"] {
        assert!(!folder_has(&folder, secret.as_bytes()), "{secret}");
    }
    let (_epoch, entries) = store.take_over().await.unwrap();
    let [grades, public] = &entries[..] else {
        panic!("{entries:?}")
    };
    let urls = [grades, public].map(|entry| entry.definition.spec.sink.url().expose().to_owned());
    assert_eq!(
        urls,
        [
            "http://10.1.2.3/hook?key=planted-url-secret",
            "http://93.184.215.14/hook?key=planted-third"
        ]
    );
    // The guard does not stop subscriptions that are older than the guard.
    assert_eq!(grades.definition.guard, GuardState::Reported);
    drop(store);
    assert_eq!(sealing_keys(&path).unwrap(), BTreeSet::from([1]));
    // A second start changes nothing, and another sealer cannot open the specs.
    let store = SqliteStore::open(&path, sealer).unwrap();
    assert_eq!(store.take_over().await.unwrap().1.len(), 2);
    let other = SqliteStore::open(&path, self::sealer()).unwrap();
    let error = other.take_over().await.unwrap_err().to_string();
    assert!(error.contains("read subscription grades"), "{error}");
    assert!(!error.contains("planted"), "{error}");
}

#[tokio::test]
async fn a_file_of_format_5_is_migrated_and_counts_events_of_another_format() {
    let (_folder, path, keys) = golden_v5(jiff::Timestamp::UNIX_EPOCH);
    let layout = || {
        easel_sqlite::inspect(&path, &STATE_LAYOUT)
            .unwrap()
            .unwrap()
    };
    assert_eq!(layout().format, 5);
    let cursors = stored_cursors(&path).unwrap();
    let store = SqliteStore::open(&path, keys.sealer()).unwrap();
    assert_eq!(stored_cursors(&path).unwrap(), cursors);
    assert_eq!(layout().format, 7);
    let (epoch, entries) = store.take_over().await.unwrap();
    let entry = &entries[0];
    let mut journal = entry.journal.clone();
    assert_eq!(journal.counts[Term::OtherFormat], 0);
    journal.number += 1;
    journal.counts.add(Term::OtherFormat, 3);
    let saved = vec![(crate::LaneId::live(entry.id), journal.clone())];
    store.save(epoch, saved, Offset::new(16)).await.unwrap();
    let (_epoch, entries) = store.take_over().await.unwrap();
    assert_eq!(entries[0].journal.counts, journal.counts);
}

#[tokio::test]
async fn a_sealed_spec_cannot_be_moved_to_another_row_or_revision() {
    let attacks = [
        "UPDATE subscriptions SET revision = revision + 1 WHERE name = 'grades'",
        "UPDATE subscriptions SET sealed = (SELECT sealed FROM subscriptions WHERE name = 'public')
         WHERE name = 'grades'",
    ];
    for attack in attacks {
        let (_folder, path) = golden("state-v4.db");
        let store = SqliteStore::open(&path, sealer()).unwrap();
        let changed = store.connection.lock().unwrap().execute(attack, []);
        assert_eq!(changed, Ok(1));
        let error = store.take_over().await.unwrap_err().to_string();
        assert!(error.contains("it was changed"), "{error}");
    }
}

#[tokio::test]
async fn specs_are_sealed_again_under_a_new_data_key() {
    let (folder, path) = golden("state-v4.db");
    let source = MasterKeySource {
        file: MasterKeyFile::new(folder.path().join("master")),
        key: None,
        previous: None,
    };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let keys = KeyStore::open(&folder.path().join("keys.db"), source, now).unwrap();
    let store = SqliteStore::open(&path, keys.sealer()).unwrap();
    assert_eq!(store.reseal().unwrap(), 0);
    keys.rotate_master_key(now).unwrap();
    assert_eq!(store.reseal().unwrap(), 2);
    keys.remove_old_data_keys().unwrap();
    assert_eq!(store.take_over().await.unwrap().1.len(), 2);
}

#[tokio::test]
async fn a_lost_key_loses_only_the_secrets() {
    let (_folder, path) = golden("state-v4.db");
    drop(SqliteStore::open(&path, sealer()).unwrap());
    let store = SqliteStore::open(&path, sealer()).unwrap();
    let names = store.forget_lost_secrets().unwrap();
    assert_eq!(names, ["grades", "public"]);
    let (_epoch, entries) = store.take_over().await.unwrap();
    let reason = "its secrets were lost with the master key; set them again";
    let lost = State::Paused {
        reason: Some(reason.to_owned()),
    };
    // An operator paused `public` before.
    let states = entries.iter().map(|entry| &entry.definition.state);
    assert_eq!(
        states.collect::<Vec<_>>(),
        [&lost, &State::Paused { reason: None }]
    );
    assert_eq!(
        store.forget_lost_secrets().unwrap(),
        <[String; 0]>::default()
    );
}

#[test]
fn an_erasure_that_was_interrupted_is_repeated() {
    let (folder, path) = golden("state-v4.db");
    let sealer = sealer();
    // The process is killed after the specs are sealed and before the old pages are erased.
    {
        let mut connection = easel_sqlite::open(&path, &STATE_LAYOUT).unwrap();
        connection
            .execute_batch("CREATE TABLE keep_busy (n); INSERT INTO keep_busy VALUES (1)")
            .unwrap();
        let reader = rusqlite::Connection::open(&path).unwrap();
        reader
            .execute_batch("BEGIN; SELECT * FROM keep_busy")
            .unwrap();
        drop(super::sealed_spec::seal_plain_specs(
            &mut connection,
            &sealer,
        ));
        let pending: i64 = connection
            .query_row("SELECT count(*) FROM pending_erasure", [], |row| row.get(0))
            .unwrap();
        assert_eq!(pending, 1);
    }
    drop(SqliteStore::open(&path, sealer).unwrap());
    for secret in ["planted-url-secret", "planted-second", "planted-third"] {
        assert!(!folder_has(&folder, secret.as_bytes()), "{secret}");
    }
}

#[test]
fn secrets_of_removed_subscriptions_are_erased_too() {
    let (folder, path) = golden("state-v4.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("DELETE FROM subscriptions", []).unwrap();
    drop(connection);
    assert!(folder_has(&folder, b"planted-url-secret"));
    drop(SqliteStore::open(&path, sealer()).unwrap());
    assert!(!folder_has(&folder, b"planted"));
}
