//! `easel audit`: entries are listed, and manipulations are found with their places.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::easel::{Ran, easel};
use crate::running::Running;

/// Runs a server that makes 20 subscriptions, and stops it.
fn serve(folder: &Path) {
    let running = Running::start(&folder.join("data"));
    for number in 0..20 {
        let name = format!("s{number}");
        let args = [
            "subscriptions",
            "add",
            &name,
            "--webhook",
            "http://127.0.0.1:1/",
        ];
        running.easel(&args).stdout();
    }
    running.terminate();
    assert!(running.ended().0.success());
}

fn verify(folder: &Path, more: &[&str]) -> Ran {
    let args = [&["audit", "verify", "--data", "data", "--json"], more].concat();
    easel(folder, &args)
}

/// Returns the faults as their kinds and places. The exit code must be that of faults.
fn faults(folder: &Path) -> Vec<(String, u64, u64)> {
    let ran = verify(folder, &[]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let faults = json["faults"].as_array().unwrap().iter();
    faults
        .map(|fault| {
            let number = |name: &str| fault[name].as_u64().unwrap_or(0);
            let kind = fault["fault"].as_str().unwrap().to_owned();
            (kind, number("first"), number("last"))
        })
        .collect()
}

fn newest(folder: &Path) -> String {
    let json: Value = serde_json::from_str(&verify(folder, &[]).stdout()).unwrap();
    json["newest"].as_str().unwrap().to_owned()
}

fn change(folder: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join("data/audit.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn every_manipulation_of_the_files_of_a_server_is_found_with_its_place() {
    let original = tempdir().unwrap();
    serve(original.path());
    let newest = newest(original.path());
    let last: u64 = newest.split(':').next().unwrap().parse().unwrap();
    assert!(last > 20, "{newest}");
    let fault = |kind: &str, first, last| (kind.to_owned(), first, last);
    for (sql, wanted) in [
        (
            "UPDATE entries SET details = replace(details, '{', '{ ') WHERE number = 7",
            fault("changed", 7, 7),
        ),
        (
            "UPDATE entries SET at = at + 1 WHERE number = 8",
            fault("changed", 8, 8),
        ),
        (
            "DELETE FROM entries WHERE number = 9",
            fault("missing", 9, 9),
        ),
        (
            "DELETE FROM entries WHERE number < 3",
            fault("missing", 1, 2),
        ),
        (
            "UPDATE entries SET number = -1 WHERE number = 5;
             UPDATE entries SET number = 5 WHERE number = 15;
             UPDATE entries SET number = 15 WHERE number = -1",
            fault("exchanged", 5, 15),
        ),
        (
            "DELETE FROM entries WHERE number > (SELECT max(number) - 10 FROM entries)",
            fault("cut_off", last - 9, last),
        ),
        (
            "UPDATE entries SET mac = CAST(substr(hex(mac), 1, 32) AS BLOB) WHERE number > 12;
             UPDATE entries SET previous = (SELECT mac FROM entries AS other
                 WHERE other.number = entries.number - 1) WHERE number > 12",
            fault("forged", 13, last),
        ),
    ] {
        let copy = tempdir().unwrap();
        copy_folder(original.path(), copy.path());
        change(copy.path(), sql);
        assert_eq!(faults(copy.path()), [wanted], "{sql}");
    }
    let copy = tempdir().unwrap();
    copy_folder(original.path(), copy.path());
    fs::remove_file(copy.path().join("data/audit.head")).unwrap();
    assert_eq!(faults(copy.path()), [fault("head_missing", 0, 0)]);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to.join("data")).unwrap();
    for entry in fs::read_dir(from.join("data")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join("data").join(entry.file_name())).unwrap();
    }
    fs::copy(from.join("data.key"), to.join("data.key")).unwrap();
}

#[test]
fn entries_are_listed_and_the_audit_is_checked_with_and_without_a_server_and_in_a_backup() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Running::start(&data);
    let add = [
        "subscriptions",
        "add",
        "grades",
        "--webhook",
        "http://127.0.0.1:1/",
    ];
    running.easel(&add).stdout();
    running.easel(&["emit", "course_created"]).stdout();
    running.easel(&["tail"]).stdout();
    let listed = running.easel(&["audit", "list"]);
    let table = listed.stdout.clone();
    let has = |parts: &[&str]| {
        let mut lines = table.lines();
        lines.any(|line| parts.iter().all(|part| line.contains(part)))
    };
    assert!(has(&["server.start"]), "{listed}");
    assert!(
        has(&["local", "127.0.0.1", "subscription.create", "grades"]),
        "{listed}"
    );
    assert!(has(&["events.read"]), "{listed}");
    assert!(listed.stderr.contains("the last one is "), "{listed}");
    let some = running
        .easel(&["audit", "list", "--action", "sub*", "--json"])
        .stdout();
    let some: Value = serde_json::from_str(&some).unwrap();
    assert_eq!(some["entries"].as_array().unwrap().len(), 1);
    let few = running.easel(&["audit", "list", "-n", "1"]);
    assert!(few.stderr.contains("there can be more: --from 2"), "{few}");

    let checked = running.easel(&["audit", "verify"]);
    assert!(checked.stderr.contains("the audit is valid"), "{checked}");
    running.easel(&["backup", "copy"]).stdout();
    let in_backup = running.easel(&["audit", "verify", "copy"]);
    assert_eq!(in_backup.code, Some(0), "{in_backup}");
    running.terminate();
    assert!(running.ended().0.success());
    let noted = newest(folder.path());
    verify(folder.path(), &["--expect", &noted]).stdout();

    // An older copy of all files is valid by itself. The noted entry shows that it is older.
    fs::copy(folder.path().join("copy/audit.db"), data.join("audit.db")).unwrap();
    fs::copy(
        folder.path().join("copy/audit.head"),
        data.join("audit.head"),
    )
    .unwrap();
    verify(folder.path(), &[]).stdout();
    let older = verify(folder.path(), &["--expect", &noted]);
    assert_eq!(older.code, Some(1), "{older}");
    assert!(older.stdout.contains("not_expected"), "{older}");

    let wrong = verify(folder.path(), &["--expect", "7"]);
    assert_eq!(wrong.code, Some(64), "{wrong}");
    fs::rename(folder.path().join("data.key"), folder.path().join("other")).unwrap();
    let keyless = verify(folder.path(), &[]);
    assert_eq!(keyless.code, Some(78), "{keyless}");
    let missing = verify(folder.path(), &["nowhere"]);
    assert_eq!(missing.code, Some(78), "{missing}");
}
