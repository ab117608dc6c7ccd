//! Tests of `easel repair` on data folders that a server rejects.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::tempdir;

use crate::easel::{check, easel};
use crate::running::Running;

#[test]
fn a_folder_without_its_log_is_rejected_with_the_command_that_repairs_it() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Running::start(&data);
    let add = [
        "subscriptions",
        "add",
        "all",
        "--webhook",
        "http://127.0.0.1:1/",
    ];
    running.easel(&add).stdout();
    running.easel(&["subscriptions", "pause", "all"]).stdout();
    for _ in 0..3 {
        running.easel(&["emit", "course_created"]).stdout();
    }
    check!(running.easel(&["repair"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to use data folder [folder]/data: another server runs on it (process [pid])
        ");
    running.terminate();
    running.ended();
    let easel = |args: &[&str]| {
        easel(
            folder.path(),
            &[args, &["--data", data.to_str().unwrap()]].concat(),
        )
    };
    check!(easel(&["repair"]), @r"
        exit 0
        --- stdout
        --- stderr
        nothing to repair: the files belong together
        ");

    fs::remove_file(data.join("log.db")).unwrap();
    check!(easel(&["serve", "--listen", "127.0.0.1:0"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to use data folder [folder]/data: log.db is missing or empty; put the right files back, or see what `easel repair --data [folder]/data` would do
        ");
    check!(easel(&["repair"]), @r"
        exit 0
        --- stdout
        create a new log.db: its events are lost, and duplicates of them are no longer recognised
        begin log.db at offset 3: offsets 0 to 2 read as damaged
        subscription all: skip up to 3 events, offsets 0 to 2; they count as expired
        --- stderr
        nothing was changed; to do this, run `easel repair --yes`
        ");
    assert!(
        !data.join("log.db").exists(),
        "the repair was done without --yes"
    );
    check!(easel(&["repair", "--yes", "--json"]), @r#"
        exit 0
        --- stdout
        {"steps":["create a new log.db: its events are lost, and duplicates of them are no longer recognised","begin log.db at offset 3: offsets 0 to 2 read as damaged","subscription all: skip up to 3 events, offsets 0 to 2; they count as expired"],"done":true}
        --- stderr
        "#);

    let running = Running::start(&data);
    let emitted = running
        .easel(&["emit", "course_created", "--json"])
        .stdout();
    assert!(emitted.contains("\"offset\":3"), "{emitted}");
    let balance = running.easel(&["balance", "--json"]).stdout();
    assert!(balance.contains("\"pending\":"), "{balance}");
}

#[test]
fn a_folder_that_others_can_enter_is_reported_with_the_setting_to_change() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let mut running = Running::start(&data);
    running.wait_for("subscriptions add");
    let stderr = running.stderr();
    assert!(
        stderr.contains("WARN") && stderr.contains("StateDirectoryMode=0700"),
        "{stderr}"
    );
    assert!(stderr.contains("mode=\"0755\""), "{stderr}");
}

#[test]
fn events_that_expire_undelivered_are_a_warning() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Running::start(&data);
    let add = [
        "subscriptions",
        "add",
        "all",
        "--webhook",
        "http://127.0.0.1:1/",
    ];
    running.easel(&add).stdout();
    running.easel(&["subscriptions", "pause", "all"]).stdout();
    // More data than the smallest limit, and not compressible.
    for _ in 0..20 {
        let name: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(100_000)
            .collect();
        let name = format!("name={name}");
        running
            .easel(&["emit", "course_created", "--set", &name])
            .stdout();
    }
    running.terminate();
    running.ended();

    let mut running = Running::start_with(&data, &[], |serve| {
        serve.env("EASEL_LOG__MAX_BYTES", "1MiB");
    });
    running.wait_for("events expired undelivered");
    let stderr = running.stderr().lines().last().unwrap();
    assert!(stderr.contains("WARN"), "{stderr}");
    assert!(
        stderr.contains("subscription=all") && stderr.contains("event_count="),
        "{stderr}"
    );
}
