//! Creating, storing, finding and removing tokens.

use super::*;
use crate::Scope;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn open(folder: &tempfile::TempDir) -> Tokens {
    Tokens::open(&folder.path().join("access.db")).unwrap()
}

#[test]
fn tokens_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let scopes = [Scope::Ingest, Scope::Read].into_iter().collect();
    let (token, secret) = open(&folder).create("canvas", scopes, at(1)).unwrap();

    let reopened = open(&folder);
    let found = reopened.find(&hash_of(secret.expose()));
    assert_eq!(found.as_ref(), Some(&token));
    assert_eq!(reopened.list(), [token]);
}

#[test]
fn a_removed_token_is_gone_from_memory_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (token, secret) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();

    assert!(tokens.remove(&token.id).unwrap());
    assert_eq!(tokens.find(&hash_of(secret.expose())), None);
    assert!(!tokens.remove(&token.id).unwrap());
    assert!(open(&folder).is_empty());
}

#[tokio::test]
async fn waiting_for_a_removal_ends_only_when_that_token_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (stays, _secret) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();
    let (goes, _secret) = tokens.create("reader", Scopes::ALL, at(2)).unwrap();
    tokio::select! {
        biased;
        () = tokens.wait_until_removed(&stays.id) => panic!("the token still exists"),
        () = tokens.wait_until_removed(&goes.id) => panic!("the token still exists"),
        () = std::future::ready(()) => (),
    }

    let (removed, ()) = tokio::join!(
        async { tokens.remove(&goes.id) },
        tokens.wait_until_removed(&goes.id)
    );
    assert!(removed.unwrap());
    tokens.wait_until_removed(&goes.id).await;
    tokio::select! {
        biased;
        () = tokens.wait_until_removed(&stays.id) => panic!("the token still exists"),
        () = std::future::ready(()) => (),
    }
}

#[test]
fn tokens_are_listed_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    for (name, second) in [("second", 20), ("first", 10), ("third", 30)] {
        tokens.create(name, Scopes::ALL, at(second)).unwrap();
    }
    let names: Vec<String> = tokens.list().into_iter().map(|token| token.name).collect();
    assert_eq!(names, ["first", "second", "third"]);
}

#[test]
fn no_file_contains_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (_token, secret) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();
    let encoded = secret.expose().strip_prefix("easel_").unwrap().as_bytes();

    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let mut windows = bytes.windows(encoded.len());
        assert!(!windows.any(|window| window == encoded));
        files += 1;
    }
    assert!(
        files >= 2,
        "the database and its write-ahead log both exist"
    );
}

#[test]
fn a_file_of_a_newer_format_is_rejected_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.db");
    drop(open(&folder));
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA user_version = 3; PRAGMA journal_mode = DELETE")
        .unwrap();
    let before = std::fs::read(&path).unwrap();

    let error = Tokens::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            TokensError::Open(easel_sqlite::OpenError::Format { found: 3, .. })
        ),
        "{error}"
    );
    assert!(
        std::fs::read(&path).unwrap() == before,
        "the file was changed"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_no_database_is_rejected_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.db");
    let text = "not a database, and longer than the header of SQLite".repeat(40);
    std::fs::write(&path, &text).unwrap();

    let error = Tokens::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            TokensError::Open(easel_sqlite::OpenError::Foreign { .. })
        ),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
