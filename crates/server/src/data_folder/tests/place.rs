//! The folder itself: its permissions and its lock.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::data_folder::LocalServer;

#[test]
fn only_the_owner_can_read_data_files_even_in_a_folder_that_is_open_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    // An older version created files with this mode.
    for name in [LOCK, "log.db", "state.db"] {
        fs::write(path.join(name), "").unwrap();
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let data = DataFolder::lock(path).unwrap();
    data.prepare().unwrap();
    let log = SqliteLog::open(
        &data.file(LOG),
        LogOptions::default(),
        Arc::new(SystemClock),
        RecordFacts::none,
    );
    let local = LocalServer {
        address: ([127, 0, 0, 1], 1).into(),
        token: None,
        pid: 1,
    };
    data.write_local(&local).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    for wanted in [
        "manifest.json",
        "lock",
        "local.json",
        "log.db",
        "log.db-wal",
        "log.db-shm",
    ] {
        assert!(
            names.iter().any(|name| name == wanted),
            "{wanted}: {names:?}"
        );
    }
    drop(log);
}

#[test]
fn a_missing_folder_is_neither_repaired_nor_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing");
    assert!(matches!(
        Repair::plan(&path, 0),
        Err(FolderError::Io { .. })
    ));
    assert!(!path.exists());
}

#[test]
fn a_folder_in_use_is_not_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let _server = DataFolder::lock(folder.path()).unwrap();
    let refused = Repair::plan(folder.path(), 0);
    assert!(
        matches!(refused, Err(FolderError::InUse { .. })),
        "{refused:?}"
    );
}
