//! Tests of the first start, of rotations, and of a missing or wrong master key.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::SealedPlace;

const PLACE: SealedPlace<'static> = SealedPlace {
    table: "state.db/subscriptions",
    row: "1",
    version: 1,
};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn key_file(&self) -> PathBuf {
        self.0.path().join("data.key")
    }

    fn source(&self) -> MasterKeySource {
        MasterKeySource {
            file: MasterKeyFile::new(self.key_file()),
            key: None,
            previous: None,
        }
    }

    fn open(&self) -> Result<KeyStore, KeyStoreError> {
        self.open_with(self.source())
    }

    fn open_with(&self, source: MasterKeySource) -> Result<KeyStore, KeyStoreError> {
        KeyStore::open(
            &self.0.path().join("keys.db"),
            source,
            Timestamp::UNIX_EPOCH,
        )
    }

    fn key_in_file(&self) -> MasterKey {
        MasterKeyFile::new(self.key_file()).read().unwrap().unwrap()
    }
}

fn seal(store: &KeyStore) -> Vec<u8> {
    store.sealer().seal(PLACE, b"hunter2").unwrap()
}

#[track_caller]
fn assert_opens(store: &KeyStore, sealed: &[u8]) {
    assert_eq!(
        store.sealer().open(PLACE, sealed).unwrap().expose(),
        b"hunter2"
    );
}

#[test]
fn the_first_start_creates_a_key_file_that_only_its_owner_can_read() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    assert_eq!(store.created_file(), Some(&*folder.key_file()));
    let mode = fs::metadata(folder.key_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let sealed = seal(&store);
    drop(store);
    let store = folder.open().unwrap();
    assert_eq!(store.created_file(), None);
    assert_opens(&store, &sealed);
}

#[test]
fn a_folder_without_its_key_is_refused_and_gets_no_new_key() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    fs::remove_file(folder.key_file()).unwrap();
    let error = folder.open().unwrap_err();
    assert!(matches!(error, KeyStoreError::Missing { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("data.key does not exist"), "{text}");
    assert!(!folder.key_file().exists());
}

#[test]
fn another_key_is_refused_and_the_error_has_both_ids() {
    let folder = Folder::new();
    let id = folder.open().unwrap().master_key_id().unwrap();
    let other = MasterKey::generate().unwrap();
    let source = MasterKeySource {
        key: Some(other.clone()),
        ..folder.source()
    };
    let text = folder.open_with(source).unwrap_err().to_string();
    assert!(text.contains(&id) && text.contains(&other.id()), "{text}");
}

#[test]
fn after_a_rotation_only_the_new_key_opens_the_folder() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    let (old_key, old_secret) = (folder.key_in_file(), seal(&store));
    let new_id = store.rotate_master_key(Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(folder.key_in_file().id(), new_id);
    assert_ne!(old_key.id(), new_id);
    // The store continues without a restart, and a restart finds the same keys.
    assert_opens(&store, &old_secret);
    let new_secret = seal(&store);
    assert!(!store.sealer().is_current(&old_secret));
    drop(store);
    let store = folder.open().unwrap();
    assert_opens(&store, &old_secret);
    assert_opens(&store, &new_secret);
    store.remove_old_data_keys().unwrap();
    assert!(store.sealer().open(PLACE, &old_secret).is_err());
    drop(store);
    let source = MasterKeySource {
        key: Some(old_key),
        ..folder.source()
    };
    assert!(folder.open_with(source).is_err());
    assert_opens(&folder.open().unwrap(), &new_secret);
}

#[test]
fn a_rotation_that_was_killed_before_its_last_step_is_completed() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    let sealed = seal(&store);
    let old = fs::read(folder.key_file()).unwrap();
    let new_id = store.rotate_master_key(Timestamp::UNIX_EPOCH).unwrap();
    drop(store);
    // The process was killed before the rename.
    fs::rename(folder.key_file(), folder.0.path().join("data.key.new")).unwrap();
    fs::write(folder.key_file(), old).unwrap();
    assert_opens(&folder.open().unwrap(), &sealed);
    assert_eq!(folder.key_in_file().id(), new_id);
    assert!(!folder.0.path().join("data.key.new").exists());
}

#[test]
fn a_rotation_that_was_killed_before_it_began_changes_nothing() {
    let folder = Folder::new();
    let sealed = seal(&folder.open().unwrap());
    let unused = MasterKey::generate().unwrap();
    MasterKeyFile::new(folder.key_file())
        .write_new(&unused)
        .unwrap();
    let store = folder.open().unwrap();
    assert_opens(&store, &sealed);
    let new_id = store.rotate_master_key(Timestamp::UNIX_EPOCH).unwrap();
    assert_ne!(new_id, unused.id());
}

#[test]
fn a_key_of_the_settings_is_replaced_at_a_start_with_both_keys() {
    let folder = Folder::new();
    let [old, new] = [(); 2].map(|()| MasterKey::generate().unwrap());
    let with = |key: &MasterKey, previous: Option<&MasterKey>| MasterKeySource {
        key: Some(key.clone()),
        previous: previous.cloned(),
        ..folder.source()
    };
    let store = folder.open_with(with(&old, None)).unwrap();
    let sealed = seal(&store);
    let refused = store.rotate_master_key(Timestamp::UNIX_EPOCH);
    assert!(matches!(refused, Err(KeyStoreError::NotInFile)));
    drop(store);
    assert!(folder.open_with(with(&new, None)).is_err());
    assert_opens(&folder.open_with(with(&new, Some(&old))).unwrap(), &sealed);
    assert_opens(&folder.open_with(with(&new, None)).unwrap(), &sealed);
    // A second start with both changes nothing.
    assert_opens(&folder.open_with(with(&new, Some(&old))).unwrap(), &sealed);
    assert!(folder.open_with(with(&old, None)).is_err());
    assert!(!folder.key_file().exists());
}

#[test]
fn the_error_names_an_unusable_key_file() {
    let folder = Folder::new();
    fs::write(folder.key_file(), "no key").unwrap();
    let error = folder.open().unwrap_err();
    assert!(error.to_string().contains("data.key"), "{error}");
    let nowhere = MasterKeySource {
        file: MasterKeyFile::new(folder.0.path().join("nowhere/data.key")),
        ..folder.source()
    };
    let error = folder.open_with(nowhere).unwrap_err();
    assert!(
        error.to_string().contains("keys.master_key_file"),
        "{error}"
    );
}

#[test]
fn the_master_key_is_not_in_the_file_of_keys() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    store.rotate_master_key(Timestamp::UNIX_EPOCH).unwrap();
    drop(store);
    let master = folder.key_in_file();
    for name in ["keys.db", "keys.db-wal"] {
        let bytes = fs::read(folder.0.path().join(name)).unwrap_or_default();
        for key in [&master.bytes()[..], master.to_text().expose().as_bytes()] {
            assert!(
                !bytes.windows(key.len()).any(|window| window == key),
                "{name}"
            );
        }
    }
}

#[test]
fn keys_are_removed_only_for_the_id_of_their_master_key() {
    let folder = Folder::new();
    let path = folder.0.path().join("keys.db");
    let store = folder.open().unwrap();
    let (id, sealed) = (store.master_key_id().unwrap(), seal(&store));
    drop(store);
    for wrong in ["", "0123456789abcdef"] {
        let refused = KeyStore::remove_all(&path, wrong);
        assert!(matches!(refused, Err(KeyStoreError::OtherLostKey { .. })));
    }
    assert_opens(&folder.open().unwrap(), &sealed);
    fs::remove_file(folder.key_file()).unwrap();
    KeyStore::remove_all(&path, &id).unwrap();
    let store = folder.open().unwrap();
    assert_eq!(store.created_file(), Some(&*folder.key_file()));
    assert!(store.sealer().open(PLACE, &sealed).is_err());
}

#[test]
fn a_replacement_without_a_new_key_is_refused() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let previous = MasterKeySource {
        previous: Some(folder.key_in_file()),
        ..folder.source()
    };
    // The file still has the same key.
    drop(folder.open_with(previous.clone()).unwrap());
    fs::remove_file(folder.key_file()).unwrap();
    let refused = folder.open_with(previous).unwrap_err();
    assert!(
        matches!(refused, KeyStoreError::NoReplacement { .. }),
        "{refused}"
    );
}
