//! Data folders that a server rejects, and what `easel repair` does about it.

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
        make a new log.db: its events are lost, and events sent again are no longer recognised
        begin log.db at offset 3: offsets 0 to 2 read as damaged
        subscription all: skip up to 3 events, offsets 0 to 2; they count as expired
        --- stderr
        nothing was changed; `easel repair --yes` does this
        ");
    assert!(
        !data.join("log.db").exists(),
        "it was repaired without --yes"
    );
    check!(easel(&["repair", "--yes", "--json"]), @r#"
        exit 0
        --- stdout
        {"steps":["make a new log.db: its events are lost, and events sent again are no longer recognised","begin log.db at offset 3: offsets 0 to 2 read as damaged","subscription all: skip up to 3 events, offsets 0 to 2; they count as expired"],"done":true}
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
    let said = running.stderr();
    assert!(
        said.contains("WARN") && said.contains("StateDirectoryMode=0700"),
        "{said}"
    );
    assert!(said.contains("mode=\"0755\""), "{said}");
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
    // More than the smallest bound, and nothing that can be compressed.
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
    let said = running.stderr().lines().last().unwrap();
    assert!(said.contains("WARN"), "{said}");
    assert!(
        said.contains("subscription=all") && said.contains("event_count="),
        "{said}"
    );
}
