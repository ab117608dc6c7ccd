//! What lanes are made of knows neither SQLite nor HTTP, so that a second backend or a second sink is
//! a folder beside the first.

use std::path::PathBuf;
use std::process::Command;

use crate::workspace::{assert_none, metadata};

/// The rooms that lanes are made of.
const CORE: [&str; 4] = ["log", "sinks", "subscriptions", "deliver"];

/// What none of them may have anywhere below it.
const OUTSIDE: &[&str] = &[
    "axum",
    "easel-sqlite",
    "http",
    "hyper",
    "libsqlite3-sys",
    "rusqlite",
    "rustls",
];

/// A cargo command for the core rooms without their features.
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
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");

    let tree = cargo("tree")
        .args(["--edges", "normal", "--prefix", "none", "--format", "{lib}"])
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let below = String::from_utf8(tree.stdout).unwrap();
    let found = OUTSIDE.iter().filter(|outside| {
        let name = outside.replace('-', "_");
        below.lines().any(|line| line == name)
    });
    assert_none(
        &found
            .map(|outside| format!("{outside} is below the core"))
            .collect::<Vec<_>>(),
    );
    // The list is of what there is: the whole has them all.
    assert!(below.lines().any(|line| line == "easel_deliver"), "{below}");
}
