//! What is in `packaging/`: the systemd unit, the Debian package, the Dockerfile.
//!
//! The package is installed in a copy of this machine, which `packaging/try/machine` boots with systemd in
//! namespaces. So the service runs in the real sandbox of its unit, and this machine stays as it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use easel_testkit::report_missing;
use rustix::process::geteuid;
use tempfile::tempdir;

use crate::easel::Ran;

/// The highest exposure of the unit, from 0.0 (best) to 10.0.
const MAX_EXPOSURE: f64 = 2.0;

/// The exit code of `packaging/try/machine` where it cannot work.
const NO_NAMESPACES: i32 = 77;

/// The versions of the package before and after the upgrade.
const VERSIONS: [&str; 2] = ["0.1.0~before", "0.1.0"];

/// Returns a path of this repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

/// Runs a program. Returns `None`, and reports it, if it is missing.
fn run(command: &mut Command, missing: &str) -> Option<Ran> {
    let output: Result<Output, _> = command.output();
    if output.is_err() {
        report_missing(missing);
    }
    output.ok().map(|output| Ran::new(&output))
}

#[test]
fn the_sandbox_of_the_unit_leaves_little_exposed() {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager"]);
    analyze.arg(path("packaging/easel.service"));
    let Some(ran) = run(&mut analyze, "systemd-analyze") else {
        return;
    };
    let marker = "Overall exposure level for easel.service: ";
    let (_table, exposure) = ran
        .stdout
        .split_once(marker)
        .unwrap_or_else(|| panic!("{ran}"));
    println!("exposure: {exposure}");
    let exposure: f64 = exposure.split_whitespace().next().unwrap().parse().unwrap();
    assert!(exposure <= MAX_EXPOSURE, "{ran}");
}

#[test]
fn the_debian_package_is_installed_upgraded_removed_and_purged() {
    if !geteuid().is_root() {
        return report_missing("root, which can install a package in a copy of this machine");
    }
    for (program, args) in [
        ("cargo", &["deb", "--version"][..]),
        ("dpkg", &["--version"]),
        ("strip", &["--version"]),
        ("unshare", &["--version"]),
        ("ip", &["-Version"]),
        ("/lib/systemd/systemd", &["--version"]),
    ] {
        let ran = Command::new(program).args(args).output();
        if !ran.is_ok_and(|output| output.status.success()) {
            return report_missing(&format!("{program} {}; scripts/test installs it", args[0]));
        }
    }
    let packages = tempdir().unwrap();
    for version in VERSIONS {
        let made = Command::new(path("scripts/package"))
            .arg(packages.path())
            .env("EASEL_PACKAGE_PROGRAM", env!("CARGO_BIN_EXE_easel"))
            .env("EASEL_PACKAGE_VERSION", version)
            .output();
        let made = Ran::new(&made.unwrap());
        assert_eq!(made.code, Some(0), "{made}");
    }
    std::fs::copy(path("packaging/try/package"), packages.path().join("try")).unwrap();
    let [old, new] = VERSIONS.map(|version| {
        let architecture = Command::new("dpkg").arg("--print-architecture").output();
        let architecture = Ran::new(&architecture.unwrap()).stdout();
        format!("/mnt/easel_{version}_{}.deb", architecture.trim())
    });
    let tried = Command::new(path("packaging/try/machine"))
        .arg(packages.path())
        .args(["/mnt/try", &old, &new])
        .output();
    let tried = Ran::new(&tried.unwrap());
    if tried.code == Some(NO_NAMESPACES) {
        return report_missing("the right to make namespaces and control groups");
    }
    assert_eq!(tried.code, Some(0), "{tried}");
    assert!(tried.stdout.ends_with("all steps passed\n"), "{tried}");
    println!("{tried}");
}

#[test]
fn the_dockerfile_has_no_finding_of_the_linter() {
    let Some(hadolint) = std::env::var_os("EASEL_TEST_HADOLINT") else {
        return report_missing("hadolint; scripts/test installs it");
    };
    let mut lint = Command::new(hadolint);
    lint.args(["--no-color", "--failure-threshold", "style"]);
    lint.arg(path("packaging/Dockerfile"));
    if let Some(ran) = run(&mut lint, "hadolint") {
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran}");
    }
}
