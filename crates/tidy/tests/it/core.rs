//! Checks that the core rooms depend on neither SQLite nor HTTP. A second backend or sink can then be
//! added as a folder next to the first one.

use std::path::PathBuf;
use std::process::Command;

use crate::workspace::{assert_none, metadata};

/// The rooms that implement lanes.
const CORE: [&str; 4] = ["log", "sinks", "subscriptions", "deliver"];

/// The crates that the core rooms must not depend on, directly or indirectly.
const OUTSIDE: &[&str] = &[
    "axum",
    "easel-sqlite",
    "http",
    "hyper",
    "libsqlite3-sys",
    "rusqlite",
    "rustls",
];

/// Returns a cargo command for the core rooms without their features.
fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(metadata().workspace_root);
    cargo.args([command, "--offline", "--locked", "--no-default-features"]);
    for room in CORE {
        cargo.args(["--package", &format!("easel-{room}")]);
    }
    cargo
}

#[test]
fn the_core_builds_without_sqlite_and_without_http() {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("core");
    let built = cargo("check")
        .arg("--target-dir")
        .arg(target)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{stderr}");

    let tree = cargo("tree")
        .args(["--edges", "normal", "--prefix", "none", "--format", "{lib}"])
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let dependencies = String::from_utf8(tree.stdout).unwrap();
    let found = OUTSIDE.iter().filter(|outside| {
        let name = outside.replace('-', "_");
        dependencies.lines().any(|line| line == name)
    });
    assert_none(
        &found
            .map(|outside| format!("the core must not depend on {outside}"))
            .collect::<Vec<_>>(),
    );
    // The output of `cargo tree` must really list the dependencies.
    assert!(
        dependencies.lines().any(|line| line == "easel_deliver"),
        "{dependencies}"
    );
}
