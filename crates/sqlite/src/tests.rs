//! Tests of opening, rejecting, marking and copying files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;

fn create_items(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("CREATE TABLE item (number INTEGER NOT NULL) STRICT")
}

static LAYOUT: Layout = Layout {
    noun: "file of items",
    role: "items",
    application_id: 0x4561_7301,
    unnumbered_table: Some("item"),
    migrations: &[create_items, create_folder_table],
    durability: Durability::Full,
    checkpoints: Checkpoints::Automatic,
    seen: |connection| {
        let sql = "SELECT coalesce(max(number), 0) FROM item";
        connection.query_row(sql, [], |row| row.get(0))
    },
};

static OTHER: Layout = Layout {
    noun: "other file",
    role: "other",
    application_id: 0x4561_7301,
    unnumbered_table: None,
    migrations: &[create_items, create_folder_table],
    durability: Durability::Full,
    checkpoints: Checkpoints::Automatic,
    seen: |_connection| Ok(0),
};

/// Returns all files of a folder with their bytes, except WAL indexes, which are not data.
fn read_files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| !path.to_str().unwrap().ends_with("-shm"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Opens a file that must be rejected, and compares the folder's bytes before and after.
#[track_caller]
fn rejected(path: &Path, layout: &Layout) -> OpenError {
    let folder = path.parent().unwrap();
    let before = read_files(folder);
    let error = open(path, layout).unwrap_err();
    assert!(read_files(folder) == before, "{error}: a file was changed");
    error
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_file_has_the_current_format_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items ?#%é.db");
    let connection = open(&path, &LAYOUT).unwrap();
    connection
        .execute("INSERT INTO item VALUES (7)", [])
        .unwrap();
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&side_file(&path, suffix)), 0o600, "{suffix}");
    }
    drop(connection);
    let found = inspect(&path, &LAYOUT).unwrap().unwrap();
    let unmarked = Mark {
        identity: None,
        generation: 0,
        seen: 0,
    };
    assert_eq!(
        (found.format, found.mark, found.seen),
        (2, Some(unmarked), 7)
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "inspect created a file"
    );
}

#[test]
fn files_that_others_can_read_are_made_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.db");
    let first = open(&path, &LAYOUT).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = side_file(&path, suffix);
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let second = open(&path, &LAYOUT).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&side_file(&path, suffix)), 0o600, "{suffix}");
    }
    drop((first, second));
}

#[test]
fn a_mark_is_read_back_and_seen_never_decreases() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.db");
    let identity = Identity::random().unwrap();
    assert_eq!(identity.to_string().parse(), Ok(identity));
    assert!(
        "+123456789abcdef0123456789abcdef"
            .parse::<Identity>()
            .is_err()
    );
    for (seen, wanted) in [(5, 5), (3, 5), (8, 8)] {
        let new = Mark {
            identity: Some(identity),
            generation: 1,
            seen,
        };
        mark(&path, &LAYOUT, new).unwrap();
        let found = inspect(&path, &LAYOUT).unwrap().unwrap();
        assert_eq!(
            found.mark,
            Some(Mark {
                seen: wanted,
                ..new
            })
        );
    }
    let connection = open(&path, &LAYOUT).unwrap();
    raise_seen(&connection, 9).unwrap();
    raise_seen(&connection, 2).unwrap();
    drop(connection);
    assert_eq!(inspect(&path, &LAYOUT).unwrap().unwrap().seen, 9);
}

#[test]
fn a_file_without_an_application_id_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE item (number INTEGER NOT NULL) STRICT; INSERT INTO item VALUES (3); PRAGMA user_version = 1")
        .unwrap();
    let found = inspect(&path, &LAYOUT).unwrap().unwrap();
    assert_eq!((found.format, found.mark, found.seen), (1, None, 3));
    // Another layout, whose files always had an application id.
    let error = rejected(&path, &OTHER);
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");

    drop(open(&path, &LAYOUT).unwrap());
    let found = inspect(&path, &LAYOUT).unwrap().unwrap();
    assert_eq!((found.format, found.seen), (2, 3));
}

#[test]
fn a_rejected_file_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.db");
    let sql = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    // A file of another program, in the default journal mode of SQLite.
    sql("CREATE TABLE foreign_table (number)");
    assert!(matches!(
        rejected(&path, &LAYOUT),
        OpenError::Foreign { .. }
    ));
    sql("PRAGMA user_version = 1");
    assert!(matches!(
        rejected(&path, &LAYOUT),
        OpenError::Foreign { .. }
    ));
    sql("PRAGMA application_id = 99");
    assert!(matches!(
        rejected(&path, &LAYOUT),
        OpenError::Foreign { .. }
    ));
    sql("PRAGMA application_id = 1164014337; PRAGMA user_version = 0");
    assert!(matches!(
        rejected(&path, &LAYOUT),
        OpenError::Damaged { .. }
    ));
    sql("PRAGMA user_version = 3");
    let error = rejected(&path, &LAYOUT);
    assert!(
        matches!(
            error,
            OpenError::Format {
                found: 3,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
    fs::write(&path, "text, no database").unwrap();
    assert!(matches!(
        rejected(&path, &LAYOUT),
        OpenError::Foreign { .. }
    ));

    fs::remove_file(&path).unwrap();
    drop(open(&path, &LAYOUT).unwrap());
    let error = rejected(&path, &OTHER);
    assert!(
        matches!(&error, OpenError::Role { found, .. } if found == "items"),
        "{error}"
    );
    let whole = fs::read(&path).unwrap();
    for length in [1, 50, 99, 100, 4_096, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = rejected(&path, &LAYOUT);
        assert!(
            matches!(error, OpenError::Damaged { .. }),
            "{length} bytes: {error}"
        );
    }
}

#[test]
fn numbers_in_the_wal_are_validated() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("items.db"),
        folder.path().join("copy/items.db"),
    );
    let connection = open(&path, &LAYOUT).unwrap();
    connection.pragma_update(None, "user_version", 3).unwrap();
    // Copies the files as a killed process would leave them.
    fs::create_dir(copy.parent().unwrap()).unwrap();
    for suffix in ["", "-wal"] {
        fs::copy(side_file(&path, suffix), side_file(&copy, suffix)).unwrap();
    }
    let error = rejected(&copy, &LAYOUT);
    assert!(
        matches!(error, OpenError::Format { found: 3, .. }),
        "{error}"
    );
}

#[test]
fn a_copy_during_writes_is_a_snapshot_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.db");
    let mut connection = open(&path, &LAYOUT).unwrap();
    // Two rows at a time, enough for several steps.
    let mut write = |pairs: std::ops::Range<u32>| {
        let transaction = connection.transaction().unwrap();
        for _pair in pairs {
            let sql = "INSERT INTO item VALUES (1), (2)";
            transaction
                .prepare_cached(sql)
                .unwrap()
                .execute([])
                .unwrap();
        }
        transaction.commit().unwrap();
    };
    write(0..200_000);
    let to = folder.path().join("copy.db");
    let (mut steps, mut bytes) = (0, 0);
    copy((&path, CopySource::Live), &to, &LAYOUT, &mut |step| {
        steps += 1;
        bytes += step;
        write(0..1);
    })
    .unwrap();
    assert!(steps > 1, "{steps} steps");
    assert_eq!(bytes, fs::metadata(&to).unwrap().len());
    assert_eq!(mode(&to), 0o600);
    assert!(!side_file(&to, "-wal").exists());
    let copied = open_at_rest(&to, &LAYOUT).unwrap().unwrap();
    let count: u32 = copied
        .query_row("SELECT count(*) FROM item", [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        count, 400_000,
        "rows written during the copy must not be in it"
    );
    let integrity: String = copied
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");
}

/// SQLite would treat the first page as free and overwrite it.
#[test]
fn a_list_of_free_pages_that_starts_on_the_first_page_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.db");
    drop(open(&path, &LAYOUT).unwrap());
    let sound = fs::read(&path).unwrap();
    for (place, value) in [(35, 1), (39, 1)] {
        let mut bytes = sound.clone();
        bytes[place] ^= value;
        fs::write(&path, &bytes).unwrap();
        let error = open(&path, &LAYOUT).unwrap_err().to_string();
        assert!(error.contains("list of free pages"), "{error}");
        assert!(fs::read(&path).unwrap() == bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A file with a changed header is rejected unchanged, or opens with its content.
    #[test]
    fn a_changed_header_is_rejected_unchanged_or_is_harmless(
        place in 0..100_usize,
        change in 1..=255_u8,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.db");
        let connection = open(&path, &LAYOUT).unwrap();
        connection.execute("INSERT INTO item VALUES (7)", []).unwrap();
        drop(connection);
        let mut bytes = fs::read(&path).unwrap();
        bytes[place] ^= change;
        fs::write(&path, &bytes).unwrap();
        let before = read_files(folder.path());
        match open(&path, &LAYOUT) {
            Err(_rejected) => prop_assert!(read_files(folder.path()) == before),
            Ok(connection) => {
                let seen = (LAYOUT.seen)(&connection).unwrap();
                prop_assert_eq!(seen, 7);
                connection.execute("INSERT INTO item VALUES (8)", []).unwrap();
                let integrity: String = connection
                    .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                    .unwrap();
                prop_assert_eq!(integrity, "ok");
            }
        }
    }
}
