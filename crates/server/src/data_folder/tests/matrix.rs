//! Each file of a data folder when it is missing, older, foreign, of another format, or damaged.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::LazyLock;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::data_folder::files::{ACCESS, DRIFT, QUARANTINE};

/// A folder on which a server ran three times, and a copy of the folder after the second run.
struct Case {
    folder: TempDir,
    before: &'static TempDir,
}

fn case() -> Case {
    static RUNS: LazyLock<[TempDir; 2]> = LazyLock::new(|| {
        let [folder, before] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        serve(folder.path());
        serve(folder.path());
        copy_folder(folder.path(), before.path());
        serve(folder.path());
        [folder, before]
    });
    let [last, before] = &*RUNS;
    let folder = tempfile::tempdir().unwrap();
    copy_folder(last.path(), folder.path());
    Case { folder, before }
}

/// Damages each file in one way. Each time, the start is rejected with the text `wanted` and changes
/// nothing, and the repair makes the folder usable without reusing an offset.
fn check(damage: impl Fn(&Case, &Path), wanted: &str) {
    for file in &FILES {
        let case = case();
        let folder = case.folder.path();
        damage(&case, &folder.join(file.name));
        let error = rejected(folder);
        assert!(
            error.contains(file.name) && error.contains(wanted),
            "{error}"
        );
        assert!(error.contains("easel repair --data"), "{error}");
        let steps = repaired(folder);
        assert!(
            steps.iter().any(|step| step.contains(file.name)),
            "{steps:?}"
        );
        let (head, _cursor) = head_and_cursor(folder);
        assert_eq!(head, 3 * EVENTS, "{}: an offset would be reused", file.name);
        serve_on(folder);
    }
}

/// Asserts that a server can use the folder after a repair.
fn serve_on(folder: &Path) {
    serve(folder);
    let (head, cursor) = head_and_cursor(folder);
    assert_eq!((head, cursor), (4 * EVENTS, Some(4 * EVENTS)));
}

#[test]
fn a_missing_file_is_rejected_and_a_repair_creates_a_new_file() {
    check(|_case, file| fs::remove_file(file).unwrap(), "is missing");
}

#[test]
fn an_empty_file_counts_as_missing() {
    check(
        |_case, file| fs::write(file, "").unwrap(),
        "is missing or empty",
    );
}

#[test]
fn an_older_file_is_rejected_and_a_repair_uses_the_file() {
    let older = |case: &Case, file: &Path| {
        fs::copy(case.before.path().join(file.file_name().unwrap()), file).unwrap();
    };
    check(older, "is older than manifest.json");
}

#[test]
fn a_file_of_another_folder_is_rejected_and_set_aside() {
    let other = tempfile::tempdir().unwrap();
    serve(other.path());
    let foreign = |_case: &Case, file: &Path| {
        fs::copy(other.path().join(file.file_name().unwrap()), file).unwrap();
    };
    check(foreign, "belongs to another data folder");
}

#[test]
fn a_truncated_file_is_rejected_and_set_aside() {
    for length in [30, 100, 4_096, 8_000] {
        let truncate = |_case: &Case, file: &Path| {
            let file = fs::File::options().write(true).open(file).unwrap();
            file.set_len(length).unwrap();
        };
        check(truncate, "is damaged");
    }
}

#[test]
fn a_file_that_is_not_a_database_is_rejected_and_set_aside() {
    let magic = |_case: &Case, file: &Path| {
        let file = fs::File::options().write(true).open(file).unwrap();
        file.write_all_at(&[0xff; 8], 4).unwrap();
    };
    check(magic, "is not an Easel");
}

#[test]
fn a_file_in_the_place_of_another_file_is_rejected_and_set_aside() {
    for file in &FILES {
        for wrong in FILES.iter().filter(|wrong| wrong.name != file.name) {
            let case = case();
            let folder = case.folder.path();
            let path = folder.join(file.name);
            fs::copy(folder.join(wrong.name), &path).unwrap();
            let moved = fs::read(&path).unwrap();
            let error = rejected(folder);
            assert!(error.contains(file.name), "{error}");
            repaired(folder);
            let aside = path.with_file_name(format!("{}.set-aside-1", file.name));
            assert!(fs::read(aside).unwrap() == moved);
        }
    }
}

#[test]
fn a_file_of_a_newer_format_is_left_to_a_newer_version() {
    for file in &FILES {
        let case = case();
        let folder = case.folder.path();
        Connection::open(folder.join(file.name))
            .unwrap()
            .execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        let before = bytes_of(folder);
        let error = rejected(folder);
        assert!(error.contains("use a newer version of Easel"), "{error}");
        assert!(!error.contains("easel repair"), "{error}");
        let refused = Repair::plan(folder, 0).unwrap_err().to_string();
        assert!(
            refused.contains("use a newer version of Easel"),
            "{refused}"
        );
        assert!(bytes_of(folder) == before, "a file was changed");
    }
}

#[test]
fn a_file_of_an_older_format_in_a_marked_folder_is_rejected() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/folder-v1");
    let files = FILES.iter().filter(|file| fixture.join(file.name).exists());
    for file in files {
        let case = case();
        let folder = case.folder.path();
        copy_file(&fixture, folder, file.name);
        let error = rejected(folder);
        assert!(
            error.contains("an older version of Easel wrote it"),
            "{error}"
        );
        repaired(folder);
        assert_eq!(head_and_cursor(folder).0, 3 * EVENTS);
    }
}

#[test]
fn a_missing_or_damaged_manifest_is_rejected_and_written_again() {
    for damage in [None, Some(""), Some("{}"), Some("{\"format\":1}")] {
        let case = case();
        let folder = case.folder.path();
        let path = folder.join(Manifest::FILE);
        match damage {
            None => fs::remove_file(path).unwrap(),
            Some(text) => fs::write(path, text).unwrap(),
        }
        let error = rejected(folder);
        assert!(error.contains("manifest.json is"), "{error}");
        let steps = repaired(folder);
        assert_eq!(
            steps,
            ["write a new manifest.json: all other files belong together"]
        );
        serve_on(folder);
    }
}

#[test]
fn a_missing_log_that_other_files_have_seen_is_rejected_without_a_manifest_too() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/folder-v1");
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture, folder.path());
    fs::remove_file(folder.path().join(LOG)).unwrap();
    let error = rejected(folder.path());
    assert!(error.contains("log.db is missing"), "{error}");
    let steps = repaired(folder.path());
    let wanted = "begin log.db at offset 4: offsets 0 to 3 read as damaged";
    assert!(steps.iter().any(|step| step == wanted), "{steps:?}");
    let wanted = "subscription paused: skip up to 4 events, offsets 0 to 3; they count as expired";
    assert!(steps.iter().any(|step| step == wanted), "{steps:?}");
}

#[test]
fn the_steps_of_a_repair_name_repeated_and_skipped_events() {
    let case = case();
    let folder = case.folder.path();
    for name in [LOG, STATE, ACCESS, DRIFT, QUARANTINE] {
        copy_file(case.before.path(), folder, name);
    }
    let steps = repaired(folder);
    let wanted = [
        "continue log.db at offset 30: offsets 20 to 29 read as damaged",
        "subscription all: skip up to 10 events, offsets 20 to 29; they count as expired",
    ];
    for wanted in wanted {
        assert!(steps.iter().any(|step| step == wanted), "{steps:?}");
    }
    assert!(
        steps
            .iter()
            .any(|step| step.contains("tokens removed later are valid again"))
    );

    let case = self::case();
    let folder = case.folder.path();
    copy_file(case.before.path(), folder, STATE);
    let steps = repaired(folder);
    let wanted = "subscription all: repeat up to 10 deliveries, from offset 20 on";
    assert!(steps.iter().any(|step| step == wanted), "{steps:?}");
}

#[test]
fn a_log_continues_above_the_offset_that_a_destination_has_seen() {
    let case = case();
    let folder = case.folder.path();
    assert_eq!(
        Repair::plan(folder, 30).unwrap().steps(),
        <[String; 0]>::default()
    );
    Repair::plan(folder, 500).unwrap().run().unwrap();
    assert_eq!(head_and_cursor(folder), (500, Some(30)));
    start(folder).unwrap();
}

#[test]
fn a_start_completes_an_interrupted_first_start() {
    let case = case();
    let folder = case.folder.path();
    let manifest = Manifest::read(folder).unwrap().unwrap();
    let unfinished = Manifest {
        complete: false,
        ..manifest
    };
    unfinished.write(folder).unwrap();
    fs::remove_file(folder.join(ACCESS)).unwrap();
    start(folder).unwrap();
    assert!(Manifest::read(folder).unwrap().unwrap().complete);
    assert!(folder.join(ACCESS).exists());
}

#[test]
fn a_kill_at_any_step_of_a_start_or_a_stop_leaves_a_folder_that_starts() {
    // A start or a stop marks one file after another, and writes the manifest last.
    for marked in 0..=FILES.len() {
        let case = case();
        let folder = case.folder.path();
        let manifest = Manifest::read(folder).unwrap().unwrap();
        for file in FILES.iter().take(marked) {
            let new = easel_sqlite::Mark {
                identity: Some(manifest.identity),
                generation: manifest.generation + 1,
                seen: manifest.seen,
            };
            easel_sqlite::mark(&folder.join(file.name), file.layout, new).unwrap();
        }
        start(folder).unwrap();
    }
}
