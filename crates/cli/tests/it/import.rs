//! `easel import`: files of all kinds, what is skipped, and what goes wrong.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use easel_testkit::event;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::caller::Caller;
use crate::easel::{Ran, command, easel, run_with_stdin};
use crate::running::Running;

/// Returns the events with these numbers, with `separator` between them.
fn events(numbers: std::ops::Range<u64>, separator: &str) -> Vec<u8> {
    let events: Vec<_> = numbers.map(|n| event("course_created", n)).collect();
    events.join(separator.as_bytes())
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Writes an archive with files of several formats. It has the events 0 to 49 and two broken records.
fn write_archive(folder: &Path) {
    fs::create_dir_all(folder.join("2026/01")).unwrap();
    fs::create_dir_all(folder.join(".hidden")).unwrap();
    let write = |name: &str, content: &[u8]| fs::write(folder.join(name), content).unwrap();
    write(
        "2026/01/a.ndjson",
        &[&events(0..10, "\n")[..], b"\n{\"broken\":1}\n"].concat(),
    );
    write(
        "2026/01/b.json.gz",
        &gzip(&[b"[", &*events(10..20, ","), b"]"].concat()),
    );
    write("2026/c", &[events(20..30, ""), events(30..31, "")].concat());
    let messages = (31..50).map(|n| {
        let body = String::from_utf8(event("course_created", n).to_vec()).unwrap();
        serde_json::json!({ "MessageId": n.to_string(), "Body": body })
    });
    let list = serde_json::json!({ "Messages": messages.collect::<Vec<_>>() });
    write("messages.json", format!("{list:#}").as_bytes());
    write("z.json", b"{\"metadata\":{}");
    write(".hidden/x.json", &events(90..91, ""));
    write(".DS_Store", b"\0\0");
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"))
}

#[track_caller]
fn check(json: &Value, wanted: &[(&str, u64)]) {
    for (name, count) in wanted {
        assert_eq!(json[name], *count, "{name}: {json}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_is_imported_once_and_broken_records_are_quarantined_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    write_archive(&archive);
    let running = Running::start(&folder.path().join("data"));
    let path = archive.to_str().unwrap();

    let dry = running.easel(&["import", "--dry-run", "--json", path]);
    assert_eq!(dry.code, Some(65), "{dry}");
    let found = json(&dry);
    check(
        &found,
        &[("files", 5), ("read", 52), ("events", 50), ("rejected", 2)],
    );
    assert_eq!(found["events_by_type"]["course_created"], 50);
    assert!(Caller::new(&running).log().await.is_empty());

    let ran = running.easel(&["import", "--json", path]);
    assert_eq!(ran.code, Some(65), "{ran}");
    let wanted = [
        ("files", 5),
        ("read", 52),
        ("accepted", 50),
        ("duplicates", 0),
        ("rejected", 2),
    ];
    check(&json(&ran), &wanted);
    let place = format!(
        "{}/2026/01/a.ndjson at byte ",
        archive.canonicalize().unwrap().display()
    );
    assert!(ran.stderr.contains(&place), "{ran}");
    let stored: Vec<_> = Caller::new(&running).log().await;
    let stored: Vec<_> = stored.iter().map(|shown| shown.bytes().to_vec()).collect();
    let wanted: Vec<_> = (0..50)
        .map(|n| event("course_created", n).to_vec())
        .collect();
    assert!(stored == wanted, "{} events", stored.len());
    let listed = running.easel(&["quarantine", "list"]).stdout();
    assert!(listed.contains("import"), "{listed}");

    // Nothing is left to do, also if a new file comes.
    let again = running.easel(&["import", "--json", path]);
    check(
        &json(&again),
        &[("files", 0), ("files_finished_before", 5), ("read", 0)],
    );
    fs::write(archive.join("new.json"), events(60..63, "\n")).unwrap();
    let more = running.easel(&["import", "--json", path]);
    assert_eq!(more.code, Some(0), "{more}");
    check(
        &json(&more),
        &[("files", 1), ("files_finished_before", 5), ("accepted", 3)],
    );

    // A file that grew is continued; a file that changed is not.
    fs::write(archive.join("new.json"), events(60..65, "\n")).unwrap();
    let grown = archive.join("new.json");
    let grown = running.easel(&["import", "--json", grown.to_str().unwrap()]);
    check(&json(&grown), &[("files", 1), ("accepted", 2)]);
    fs::write(archive.join("new.json"), events(70..75, "\n")).unwrap();
    let changed = running.easel(&["import", path]);
    assert_eq!(changed.code, Some(65), "{changed}");
    assert!(
        changed.stderr.contains("it has changed: the first"),
        "{changed}"
    );
    let renamed = running.easel(&[
        "import",
        "--json",
        "--name",
        "again",
        grown_path(&archive).as_str(),
    ]);
    check(&json(&renamed), &[("files", 1), ("accepted", 5)]);
}

fn grown_path(archive: &Path) -> String {
    archive.join("new.json").display().to_string()
}

#[test]
fn files_are_listed_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    fs::write(&file, events(0..3, "\n")).unwrap();
    let running = Running::start(&folder.path().join("data"));
    let path = file.to_str().unwrap();
    let text = running.easel(&["import", path]).stdout();
    for part in ["files", "accepted    3", "rejected    0"] {
        assert!(text.contains(part), "{text}");
    }
    let listed = running.easel(&["import", "--list"]).stdout();
    let files = json(&running.easel(&["import", "--list", "--json"]))["files"].clone();
    let key = files[0]["key"].as_str().unwrap().to_owned();
    assert!(
        listed.contains("finished") && listed.contains(&key),
        "{listed}"
    );
    running.easel(&["import", "--forget", &key]).stdout();
    let unknown = running.easel(&["import", "--forget", &key]);
    assert_eq!(unknown.code, Some(65), "{unknown}");
    // The window finds the duplicates of a file that is imported again.
    let again = json(&running.easel(&["import", "--json", path]));
    check(&again, &[("accepted", 0), ("duplicates", 3)]);
}

#[test]
fn stdin_is_imported_and_a_rate_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let started = tokio::time::Instant::now();
    let data = running.data().to_str().unwrap();
    let args = ["import", "-", "--json", "--max-rate", "20", "--data", data];
    let ran = run_with_stdin(&mut command(folder.path(), &args), events(0..40, "\n"));
    check(&json(&ran), &[("files", 1), ("read", 40), ("accepted", 40)]);
    assert!(
        started.elapsed().as_millis() >= 1900,
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn what_cannot_be_imported_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let run = |args: &[&str]| {
        easel(
            folder.path(),
            &[args, &["--data", running.data().to_str().unwrap()]].concat(),
        )
    };
    fs::write(folder.path().join("readme.txt"), "no JSON").unwrap();
    fs::write(folder.path().join("good.json"), events(0..2, "")).unwrap();
    let ran = run(&["import", "--json", "readme.txt", "good.json"]);
    assert_eq!(ran.code, Some(65), "{ran}");
    check(&json(&ran), &[("files", 1), ("accepted", 2)]);
    assert!(
        ran.stderr.contains("neither JSON nor lines of JSON"),
        "{ran}"
    );
    let missing = run(&["import", "nothing.json"]);
    assert_eq!(missing.code, Some(65), "{missing}");
    assert!(missing.stderr.contains("nothing.json"), "{missing}");
    assert_eq!(run(&["import"]).code, Some(64));
    assert_eq!(run(&["import", "--list", "good.json"]).code, Some(64));
    let away = easel(folder.path(), &["import", "--dry-run", "good.json"]);
    assert_eq!(away.code, Some(0), "a dry run needs no server: {away}");
}
