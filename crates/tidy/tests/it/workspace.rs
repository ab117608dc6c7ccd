//! The packages of the workspace, read with `cargo metadata`.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// The prefix of every package name. The rest is the name of the room and of its folder.
const PREFIX: &str = "easel-";

/// Returns the packages of the workspace. Their dependencies are named, not resolved.
pub(crate) fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap()
}

pub(crate) fn room_of(package: &str) -> Option<&str> {
    package.strip_prefix(PREFIX)
}

pub(crate) fn folder_of(package: &Package) -> PathBuf {
    package.manifest_path.parent().unwrap().into()
}

/// Fails if there are breaches, and prints one line per breach.
#[track_caller]
pub(crate) fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}
