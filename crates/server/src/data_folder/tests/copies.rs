//! Backups, and data folders that are restored from them.

use std::fs;

use rusqlite::Connection;

use super::super::files::KEYS;
use super::*;
use crate::data_folder::{CopyError, backup, copy_bytes, restore};

fn no_progress(_bytes: u64) {}

#[test]
fn a_restored_backup_is_a_data_folder_with_its_own_identity() {
    let root = tempfile::tempdir().unwrap();
    let [data, copy, other] = ["data", "copy", "other"].map(|name| root.path().join(name));
    serve(&data);
    let mut bytes = 0;
    let copied = backup(&data, &copy, &mut |step| bytes += step).unwrap();
    assert_eq!((copied.head, copied.replaced), (EVENTS, false));
    assert_eq!(copied.files.len(), FILES.len());
    assert_eq!(bytes, copy_bytes(&copy));
    let before = bytes_of(&copy);
    assert_eq!(before.len(), FILES.len() + 1, "{:?}", before.keys());

    // The target may exist already, with only the lock file of a failed start.
    fs::create_dir(&other).unwrap();
    fs::write(other.join(LOCK), "").unwrap();
    let restored = restore(&copy, &other, &mut no_progress).unwrap();
    assert_eq!(restored.head, EVENTS);
    assert!(bytes_of(&copy) == before, "the backup was changed");
    serve(&other);
    assert_eq!(head_and_cursor(&other), (2 * EVENTS, Some(2 * EVENTS)));
    let identity = |folder| Manifest::read(folder).unwrap().unwrap().identity;
    assert_ne!(identity(&other), identity(&data));

    // Its offsets mean other events now, so the first folder must reject its files.
    copy_file(&other, &data, LOG);
    let error = rejected(&data);
    assert!(
        error.contains("log.db belongs to another data folder"),
        "{error}"
    );
}

#[test]
fn a_copy_whose_keys_do_not_open_its_subscriptions_is_no_backup() {
    let root = tempfile::tempdir().unwrap();
    let [data, copy] = ["data", "copy"].map(|name| root.path().join(name));
    serve(&data);
    // As if the keys were copied after a rotation, and the subscriptions before it.
    let keys = Connection::open(data.join(KEYS)).unwrap();
    let sql = "INSERT INTO data_keys (id, wrapped, created_at) VALUES (2, x'00', 0)";
    keys.execute(sql, []).unwrap();
    drop(keys);
    let refused = backup(&data, &copy, &mut no_progress).unwrap_err();
    assert!(
        matches!(refused, CopyError::KeysRotated { .. }),
        "{refused}"
    );
    assert!(!copy.exists());
}

#[test]
fn a_folder_of_an_earlier_version_can_be_backed_up() {
    let root = tempfile::tempdir().unwrap();
    let [data, copy] = ["data", "copy"].map(|name| root.path().join(name));
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/folder-v4");
    fs::create_dir(&data).unwrap();
    for file in fs::read_dir(&fixture).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        copy_file(&fixture, &data, &name);
    }
    let copied = backup(&data, &copy, &mut no_progress).unwrap();
    // The folder has no file of keys, no file of sources and no audit yet.
    assert_eq!(copied.files.len(), FILES.len() - 3);
}

#[test]
fn a_second_backup_replaces_the_first() {
    let root = tempfile::tempdir().unwrap();
    let [data, copy, other] = ["data", "copy", "other"].map(|name| root.path().join(name));
    serve(&data);
    backup(&data, &copy, &mut no_progress).unwrap();
    serve(&data);
    let copied = backup(&data, &copy, &mut no_progress).unwrap();
    assert_eq!((copied.head, copied.replaced), (2 * EVENTS, true));
    assert_eq!(head_and_cursor(&copy), (2 * EVENTS, Some(2 * EVENTS)));
    assert_eq!(
        fs::read_dir(root.path()).unwrap().count(),
        2,
        "a temporary folder was left"
    );

    // A folder that is not a backup of this data folder is not replaced.
    serve(&other);
    let check = |target: &Path, wanted: &str| {
        let before = target.exists().then(|| bytes_of(target));
        let refused = backup(&data, target, &mut no_progress).unwrap_err();
        assert!(matches!(refused, CopyError::Target { .. }), "{refused}");
        let error = refused.to_string();
        assert!(error.contains(wanted), "{error}");
        assert!(target.exists().then(|| bytes_of(target)) == before);
    };
    check(&other, "it is a data folder");
    check(&data, "it is a data folder");
    check(&data.join("backup"), "cannot be in the data folder");
    fs::remove_file(other.join(LOCK)).unwrap();
    check(&other, "it is a backup of another data folder");
    let letters = root.path().join("letters");
    fs::create_dir(&letters).unwrap();
    fs::write(letters.join("letter.txt"), "Dear Ola").unwrap();
    check(&letters, "it has letter.txt");
}

#[test]
fn files_that_do_not_belong_together_are_neither_backed_up_nor_restored() {
    let root = tempfile::tempdir().unwrap();
    let [data, copy, other] = ["data", "copy", "other"].map(|name| root.path().join(name));
    serve(&data);
    let refused = backup(&other, &copy, &mut no_progress).unwrap_err();
    assert!(matches!(refused, CopyError::NoManifest { .. }), "{refused}");
    backup(&data, &copy, &mut no_progress).unwrap();
    serve(&data);

    fs::remove_file(copy.join(LOG)).unwrap();
    let refused = restore(&copy, &other, &mut no_progress)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("log.db is missing"), "{refused}");
    assert!(!other.exists());

    backup(&data, &copy, &mut no_progress).unwrap();
    fs::remove_file(data.join(LOG)).unwrap();
    let before = bytes_of(&copy);
    let refused = backup(&data, &copy, &mut no_progress)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("log.db is missing"), "{refused}");
    assert!(bytes_of(&copy) == before, "the earlier backup was changed");
    assert_eq!(
        fs::read_dir(root.path()).unwrap().count(),
        2,
        "a temporary folder was left"
    );
}

#[test]
fn a_restore_overwrites_nothing() {
    let root = tempfile::tempdir().unwrap();
    let [data, copy] = ["data", "copy"].map(|name| root.path().join(name));
    serve(&data);
    backup(&data, &copy, &mut no_progress).unwrap();
    let before = bytes_of(&data);
    let refused = restore(&copy, &data, &mut no_progress).unwrap_err();
    assert!(matches!(refused, CopyError::Target { .. }), "{refused}");
    assert!(bytes_of(&data) == before);

    let _server = DataFolder::lock(&data).unwrap();
    let refused = restore(&data, &root.path().join("other"), &mut no_progress).unwrap_err();
    assert!(matches!(refused, CopyError::InUse { .. }), "{refused}");
}
