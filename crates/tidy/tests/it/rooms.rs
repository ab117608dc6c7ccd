//! Checks that every room has the workspace lints, a heading in ARCHITECTURE.md and a folder of its
//! name.

use std::fs;

use crate::workspace::{assert_none, folder_of, metadata, room_of};

#[test]
fn every_room_uses_the_lints_of_the_workspace() {
    for package in metadata().packages {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        let inherits = manifest.contains("\n[lints]\nworkspace = true\n");
        assert!(
            inherits,
            "{}: `[lints]` with `workspace = true` is missing",
            package.manifest_path
        );
    }
}

#[test]
fn every_room_is_in_the_folder_of_its_name() {
    for package in metadata().packages {
        let folder = folder_of(&package);
        assert_eq!(
            folder.file_name().and_then(|name| name.to_str()),
            room_of(&package.name)
        );
    }
}

#[test]
fn every_room_has_a_heading_in_architecture_md() {
    let metadata = metadata();
    let document = fs::read_to_string(metadata.workspace_root.join("ARCHITECTURE.md")).unwrap();
    let has_heading = |room: &str| {
        document
            .lines()
            .filter(|line| line.starts_with('#'))
            .any(|heading| {
                heading
                    .split(|letter: char| !letter.is_alphanumeric() && letter != '-')
                    .any(|word| word == room)
            })
    };
    let rooms = metadata
        .packages
        .iter()
        .filter_map(|package| room_of(&package.name));
    let missing = rooms.filter(|room| !has_heading(room));
    assert_none(
        &missing
            .map(|room| format!("{room}: the heading in ARCHITECTURE.md is missing"))
            .collect::<Vec<_>>(),
    );
}

/// The first command of the README runs `cargo run` without a program name.
#[test]
fn cargo_run_runs_easel() {
    let metadata = metadata();
    let packages = metadata.workspace_default_packages();
    let programs: Vec<_> = packages
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_bin())
        .map(|target| target.name.as_str())
        .collect();
    assert_eq!(programs, ["easel"]);
}

/// clippy reads only the nearest file, so a room with its own file would lose the bans of the root.
#[test]
fn the_clippy_toml_of_a_room_repeats_that_of_the_root() {
    let metadata = metadata();
    let root = fs::read_to_string(metadata.workspace_root.join("clippy.toml")).unwrap();
    let mut breaches = Vec::new();
    for package in &metadata.packages {
        let path = folder_of(package).join("clippy.toml");
        if !path.exists() {
            continue;
        }
        let own = fs::read_to_string(&path).unwrap();
        let mut rest = own.lines();
        // The lines must be in the order of the root, so that each ban stays in its list.
        let missing = root
            .lines()
            .find(|line| !rest.any(|own_line| own_line == *line));
        breaches.extend(missing.map(|line| format!("{}: {line} is missing", path.display())));
    }
    assert_none(&breaches);
}
