//! Which room may depend on which, and on what outside the house the pure rooms may.

use cargo_metadata::{DependencyKind, Package};

use crate::workspace::{assert_none, metadata, room_of};

/// Every room, and the rooms it may depend on. A new arrow is a commit of its own.
const ARROWS: &[(&str, &[&str])] = &[
    ("access", &["keys", "sqlite"]),
    (
        "api",
        &[
            "access",
            "caliper",
            "catalog",
            "drift",
            "log",
            "quarantine",
            "subscriptions",
        ],
    ),
    ("bench", &["caliper", "catalog", "simulator", "triggers"]),
    ("caliper", &["catalog"]),
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
        &["caliper", "catalog", "log", "sinks", "subscriptions"],
    ),
    ("drift", &["catalog", "log", "sqlite"]),
    (
        "ingest",
        &["access", "catalog", "keys", "log", "quarantine", "triggers"],
    ),
    ("keys", &[]),
    ("log", &[]),
    ("log-sqlite", &["log", "sqlite"]),
    ("quarantine", &["log"]),
    (
        "server",
        &[
            "access",
            "api",
            "caliper",
            "catalog",
            "deliver",
            "drift",
            "ingest",
            "keys",
            "log",
            "log-sqlite",
            "quarantine",
            "sinks",
            "sqlite",
            "subscriptions",
            "triggers",
        ],
    ),
    ("simulator", &["catalog", "triggers"]),
    ("sinks", &["caliper", "catalog", "log"]),
    ("sqlite", &[]),
    ("subscriptions", &["catalog", "keys", "log", "sqlite"]),
    ("testkit", &["log", "sinks"]),
    ("tidy", &[]),
    ("triggers", &["catalog"]),
];

/// The rooms whose tests may use every other room, for they test them together.
const TEST_THE_WHOLE: &[&str] = &["cli", "server", "simulator", "triggers"];

/// The rooms that do no I/O, and the crates from outside they may depend on.
const PURE: &[(&str, &[&str])] = &[
    (
        "caliper",
        &[
            "bytes",
            "easel-catalog",
            "jiff",
            "memchr",
            "oxiri",
            "percent-encoding",
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
        &[
            "easel-catalog",
            "jiff",
            "serde",
            "serde_json",
            "strsim",
            "thiserror",
        ],
    ),
];

fn listed<'a>(table: &[(&str, &'a [&'a str])], room: &str) -> Option<&'a [&'a str]> {
    table
        .iter()
        .find(|(name, _allowed)| *name == room)
        .map(|(_name, allowed)| *allowed)
}

/// Whether `from` may depend on `to`.
fn allowed(from: &str, to: &str, kind: DependencyKind) -> bool {
    let in_tests =
        kind == DependencyKind::Development && (to == "testkit" || TEST_THE_WHOLE.contains(&from));
    in_tests || listed(ARROWS, from).is_some_and(|rooms| rooms.contains(&to))
}

fn unlisted_arrows(package: &Package) -> Vec<String> {
    let Some(from) = room_of(&package.name) else {
        return vec![format!(
            "{}: its name does not begin with easel-",
            package.name
        )];
    };
    if listed(ARROWS, from).is_none() {
        return vec![format!("{from}: not in the table of arrows")];
    }
    let dependencies = package.dependencies.iter();
    dependencies
        .filter_map(|dependency| Some((room_of(&dependency.name)?, dependency.kind)))
        .filter(|(to, kind)| !allowed(from, to, *kind))
        .map(|(to, kind)| format!("{from} → {to}: no such arrow ({kind:?} dependency)"))
        .collect()
}

fn outsiders(package: &Package) -> Vec<String> {
    let Some((from, crates)) =
        room_of(&package.name).and_then(|from| Some((from, listed(PURE, from)?)))
    else {
        return Vec::new();
    };
    let dependencies = package.dependencies.iter();
    dependencies
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .filter(|dependency| !crates.contains(&dependency.name.as_str()))
        .map(|dependency| format!("{from} → {}: {from} is pure", dependency.name))
        .collect()
}

#[test]
fn rooms_depend_on_each_other_only_along_the_arrows() {
    let packages = metadata().packages;
    assert_none(
        &packages
            .iter()
            .flat_map(unlisted_arrows)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn pure_rooms_depend_only_on_the_crates_listed() {
    let packages = metadata().packages;
    assert_none(&packages.iter().flat_map(outsiders).collect::<Vec<_>>());
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
            .map(|room| format!("{room}: listed, not there"))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn testkit_is_only_ever_a_dev_dependency() {
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
fn an_unlisted_arrow_is_found_and_names_both_rooms() {
    let mut package = metadata()
        .packages
        .into_iter()
        .find(|it| it.name == "easel-api")
        .unwrap();
    let log = package
        .dependencies
        .iter_mut()
        .find(|it| it.name == "easel-log")
        .unwrap();
    log.name = String::from("easel-ingest");
    assert_eq!(
        unlisted_arrows(&package),
        ["api → ingest: no such arrow (Normal dependency)"]
    );
}
