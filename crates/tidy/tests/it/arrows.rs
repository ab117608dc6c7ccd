//! Checks which rooms each room may depend on, and which external crates the pure rooms may use.

use cargo_metadata::{DependencyKind, Package};

use crate::workspace::{assert_none, metadata, room_of};

/// Every room with the rooms that it may depend on. Add a new arrow in its own commit.
const ARROWS: &[(&str, &[&str])] = &[
    ("access", &["catalog", "keys", "sqlite"]),
    (
        "api",
        &[
            "access",
            "audit",
            "caliper",
            "catalog",
            "drift",
            "keys",
            "log",
            "quarantine",
            "sources",
            "subscriptions",
        ],
    ),
    ("audit", &["catalog", "keys", "sqlite"]),
    (
        "bench",
        &[
            "caliper",
            "catalog",
            "keys",
            "log",
            "simulator",
            "sink-sql",
            "sinks",
            "triggers",
        ],
    ),
    ("caliper", &["catalog"]),
    (
        "canvas-service",
        &["access", "audit", "catalog", "keys", "log", "subscriptions"],
    ),
    ("catalog", &[]),
    (
        "cli",
        &[
            "access",
            "caliper",
            "catalog",
            "keys",
            "log",
            "server",
            "simulator",
            "sinks",
            "triggers",
        ],
    ),
    (
        "deliver",
        &[
            "caliper",
            "catalog",
            "keys",
            "log",
            "sinks",
            "subscriptions",
        ],
    ),
    ("drift", &["catalog", "log", "sqlite"]),
    (
        "ingest",
        &[
            "access",
            "audit",
            "catalog",
            "keys",
            "log",
            "quarantine",
            "sources",
            "triggers",
        ],
    ),
    ("keys", &["sqlite"]),
    ("log", &[]),
    ("log-sqlite", &["log", "sqlite"]),
    ("quarantine", &["log"]),
    (
        "server",
        &[
            "access",
            "api",
            "audit",
            "caliper",
            "canvas-service",
            "catalog",
            "deliver",
            "drift",
            "ingest",
            "keys",
            "log",
            "log-sqlite",
            "quarantine",
            "sink-sql",
            "sinks",
            "sources",
            "sqs",
            "sqlite",
            "subscriptions",
            "triggers",
        ],
    ),
    ("simulator", &["catalog", "triggers"]),
    ("sink-sql", &["catalog", "keys", "log", "sinks"]),
    ("sinks", &["caliper", "catalog", "keys", "log"]),
    ("sources", &["catalog", "keys", "log", "sqlite"]),
    (
        "sqs",
        &[
            "caliper", "catalog", "ingest", "keys", "log", "sinks", "sources",
        ],
    ),
    ("sqlite", &[]),
    ("subscriptions", &["catalog", "keys", "log", "sqlite"]),
    ("testkit", &["log", "sinks"]),
    ("tidy", &[]),
    ("triggers", &["catalog"]),
];

/// The rooms whose tests may depend on every room, because they test the whole system.
const TEST_THE_WHOLE: &[&str] = &["cli", "server", "simulator", "sink-sql", "sqs", "triggers"];

/// The rooms that do no I/O, with all the crates that they may depend on.
const PURE: &[(&str, &[&str])] = &[
    (
        "caliper",
        &[
            "bytes",
            "easel-catalog",
            "jiff",
            "oxiri",
            "serde",
            "serde_json",
            "thiserror",
            "uuid",
        ],
    ),
    (
        "catalog",
        &[
            "blake3",
            "bytes",
            "jiff",
            "memchr",
            "serde",
            "serde_json",
            "thiserror",
            "toml",
            "uuid",
            "wildmatch",
        ],
    ),
    (
        "simulator",
        &[
            "easel-catalog",
            "easel-triggers",
            "fastrand",
            "jiff",
            "serde_json",
        ],
    ),
    (
        "triggers",
        &["easel-catalog", "jiff", "serde_json", "strsim", "thiserror"],
    ),
];

fn listed<'a>(table: &[(&str, &'a [&'a str])], room: &str) -> Option<&'a [&'a str]> {
    table
        .iter()
        .find(|(name, _allowed)| *name == room)
        .map(|(_name, allowed)| *allowed)
}

/// Returns whether `from` may depend on `to`.
fn allowed(from: &str, to: &str, kind: DependencyKind) -> bool {
    let in_tests =
        kind == DependencyKind::Development && (to == "testkit" || TEST_THE_WHOLE.contains(&from));
    in_tests || listed(ARROWS, from).is_some_and(|rooms| rooms.contains(&to))
}

fn unlisted_arrows(package: &Package) -> Vec<String> {
    let Some(from) = room_of(&package.name) else {
        return vec![format!("{}: the name must begin with easel-", package.name)];
    };
    if listed(ARROWS, from).is_none() {
        return vec![format!("{from}: missing in `ARROWS`")];
    }
    let dependencies = package.dependencies.iter();
    dependencies
        .filter_map(|dependency| Some((room_of(&dependency.name)?, dependency.kind)))
        .filter(|(to, kind)| !allowed(from, to, *kind))
        .map(|(to, kind)| format!("{from} → {to}: the arrow is not listed ({kind:?} dependency)"))
        .collect()
}

fn unlisted_crates(package: &Package) -> Vec<String> {
    let Some((from, crates)) =
        room_of(&package.name).and_then(|from| Some((from, listed(PURE, from)?)))
    else {
        return Vec::new();
    };
    let dependencies = package.dependencies.iter();
    dependencies
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .filter(|dependency| !crates.contains(&dependency.name.as_str()))
        .map(|dependency| format!("{from} → {}: not listed in `PURE`", dependency.name))
        .collect()
}

#[test]
fn rooms_depend_on_each_other_only_along_listed_arrows() {
    let packages = metadata().packages;
    assert_none(
        &packages
            .iter()
            .flat_map(unlisted_arrows)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn pure_rooms_depend_only_on_listed_crates() {
    let packages = metadata().packages;
    assert_none(
        &packages
            .iter()
            .flat_map(unlisted_crates)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn every_listed_room_exists() {
    let packages = metadata().packages;
    let rooms: Vec<_> = packages
        .iter()
        .filter_map(|package| room_of(&package.name))
        .collect();
    let listed = ARROWS
        .iter()
        .flat_map(|(from, to)| std::iter::once(from).chain(*to));
    let missing = listed.filter(|room| !rooms.contains(room));
    assert_none(
        &missing
            .map(|room| format!("{room}: listed, but it does not exist"))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn testkit_is_only_allowed_as_a_dev_dependency() {
    for (from, _rooms) in ARROWS {
        assert!(!allowed(from, "testkit", DependencyKind::Normal), "{from}");
        assert!(!allowed(from, "testkit", DependencyKind::Build), "{from}");
        assert!(
            allowed(from, "testkit", DependencyKind::Development),
            "{from}"
        );
    }
}

#[test]
fn an_unlisted_arrow_is_reported_with_both_rooms() {
    let mut package = metadata()
        .packages
        .into_iter()
        .find(|package| package.name == "easel-api")
        .unwrap();
    let log = package
        .dependencies
        .iter_mut()
        .find(|dependency| dependency.name == "easel-log")
        .unwrap();
    log.name = String::from("easel-ingest");
    assert_eq!(
        unlisted_arrows(&package),
        ["api → ingest: the arrow is not listed (Normal dependency)"]
    );
}
