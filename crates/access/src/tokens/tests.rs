//! Tokens as they are made, kept, found again and removed.

use super::*;
use crate::Scope;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn open(folder: &tempfile::TempDir) -> Tokens {
    Tokens::open(&folder.path().join("access.db")).unwrap()
}

#[test]
fn tokens_are_still_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let scopes = [Scope::Ingest, Scope::Read].into_iter().collect();
    let (token, secret) = open(&folder).create("canvas", scopes, at(1)).unwrap();

    let again = open(&folder);
    assert_eq!(again.find(&hash_of(secret.expose())).as_ref(), Some(&token));
    assert_eq!(again.list(), [token]);
}

#[test]
fn a_removed_token_is_gone_at_once_and_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (token, secret) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();

    assert!(tokens.remove(&token.id).unwrap());
    assert_eq!(tokens.find(&hash_of(secret.expose())), None);
    assert!(!tokens.remove(&token.id).unwrap());
    assert!(open(&folder).is_empty());
}

#[tokio::test]
async fn whoever_waits_for_a_token_to_go_is_woken_by_its_removal_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (stays, _secret) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();
    let (goes, _secret) = tokens.create("reader", Scopes::ALL, at(2)).unwrap();
    tokio::select! {
        biased;
        () = tokens.removed(&stays.id) => panic!("it is still there"),
        () = tokens.removed(&goes.id) => panic!("it is still there"),
        () = std::future::ready(()) => (),
    }

    let (removed, ()) = tokio::join!(async { tokens.remove(&goes.id) }, tokens.removed(&goes.id));
    assert!(removed.unwrap());
    tokens.removed(&goes.id).await;
    tokio::select! {
        biased;
        () = tokens.removed(&stays.id) => panic!("it is still there"),
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
fn no_file_ever_holds_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let (_token, secret) = tokens.create("canvas", Scopes::ALL, at(1)).unwrap();
    let chance = secret.expose().strip_prefix("easel_").unwrap().as_bytes();

    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(chance.len()).any(|window| window == chance));
        files += 1;
    }
    assert!(
        files >= 2,
        "the database and its write-ahead log are both there"
    );
}

#[test]
fn a_file_of_a_newer_format_is_refused_and_left_alone() {
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
    assert!(std::fs::read(&path).unwrap() == before, "it was changed");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.db");
    let text = "nothing SQLite ever wrote, and long enough to tell".repeat(40);
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
