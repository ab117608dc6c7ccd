//! The workspace as cargo sees it.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// What every package's name begins with; the rest is its room, the name of its folder.
const PREFIX: &str = "easel-";

/// The workspace's own packages; dependencies are named, not resolved.
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

/// Fails with one line per breach.
#[track_caller]
pub(crate) fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}
