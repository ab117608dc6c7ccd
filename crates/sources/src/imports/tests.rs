//! Tests of the stored state of imports.

use super::*;
use crate::ImportCounts;

fn file(version: &str) -> ImportFile {
    ImportFile {
        name: "archive".parse().unwrap(),
        location: "/events.json".to_owned(),
        size: Some(7),
        version: Some(version.to_owned()),
    }
}

const HEADS: PendingPart = PendingPart {
    log: 5,
    quarantine: 2,
};

#[test]
fn a_saved_part_is_read_back_after_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sources.db");
    let imports = Imports::open(&path).unwrap();
    let state = imports
        .begin(&file("a"), HEADS, Timestamp::UNIX_EPOCH)
        .unwrap()
        .unwrap();
    assert_eq!(
        (state.generation, state.position, state.through),
        (1, 0, None)
    );
    imports.mark_pending(&state.key, HEADS).unwrap();
    assert_eq!(imports.pending().unwrap().len(), 1);
    let part = SavedPart {
        position: 900,
        checkpoint: "lines".to_owned(),
        is_last: false,
        through: Some(800),
        counts: ImportCounts {
            accepted: 3,
            duplicates: 2,
            rejected: 1,
        },
        heads: PendingPart {
            log: 8,
            quarantine: 3,
        },
    };
    imports
        .save(&state.key, &part, Timestamp::UNIX_EPOCH)
        .unwrap();
    // A part without a record leaves the places.
    let empty = SavedPart {
        through: None,
        is_last: true,
        counts: ImportCounts::default(),
        ..part.clone()
    };
    imports
        .save(&state.key, &empty, Timestamp::UNIX_EPOCH)
        .unwrap();
    drop(imports);
    let imports = Imports::open(&path).unwrap();
    assert!(imports.pending().unwrap().is_empty());
    let saved = imports.get(&state.key).unwrap().unwrap();
    assert_eq!(
        (saved.position, &*saved.checkpoint, saved.is_finished),
        (900, "lines", true)
    );
    assert_eq!(
        (saved.through, saved.stored_through),
        (Some(800), Some(800))
    );
    assert_eq!((saved.counts, saved.heads), (part.counts, part.heads));
    assert_eq!(imports.list("", 10).unwrap(), std::slice::from_ref(&saved));
    assert!(imports.list(saved.key.as_str(), 10).unwrap().is_empty());
    assert!(imports.remove(&saved.key).unwrap());
    assert!(!imports.remove(&saved.key).unwrap());
}

#[test]
fn a_new_client_gets_a_new_generation_and_keeps_the_position() {
    let imports = Imports::in_memory().unwrap();
    let begin = |version| {
        imports
            .begin(&file(version), HEADS, Timestamp::UNIX_EPOCH)
            .unwrap()
            .unwrap()
    };
    let first = begin("a");
    imports.settle(&first.key, (Some(40), None), HEADS).unwrap();
    let second = begin("b");
    assert_eq!(
        (second.generation, second.file.version.as_deref()),
        (2, Some("b"))
    );
    assert_eq!(
        (second.stored_through, second.is_pending),
        (Some(40), false)
    );
}

#[tokio::test]
async fn a_file_has_one_lock() {
    let imports = Imports::in_memory().unwrap();
    let key = ImportKey::derive(&"a".parse().unwrap(), "/x");
    let lock = imports.lock(&key).await;
    let other = ImportKey::derive(&"a".parse().unwrap(), "/y");
    drop(imports.lock(&other).await);
    let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), imports.lock(&key));
    assert!(waiting.await.is_err());
    drop(lock);
    drop(imports.lock(&key).await);
}
