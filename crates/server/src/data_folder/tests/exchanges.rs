//! Files exchanged at random: no combination of files loses data silently.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::super::files::DRIFT;
use super::*;

/// The origin of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileOrigin {
    /// This folder, after this number of runs of the server.
    Here(usize),
    /// Another folder, after one run.
    Elsewhere,
    /// A folder of format 1.
    Old,
    /// The file is missing.
    Nowhere,
    /// This folder, but the end of the file is missing.
    Truncated,
}

const RUNS: usize = 3;

struct Snapshots {
    root: TempDir,
}

impl Snapshots {
    fn make() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (here, elsewhere) = (root.path().join("here"), root.path().join("elsewhere"));
        for run in 1..=RUNS {
            serve(&here);
            copy_folder(&here, &root.path().join(run.to_string()));
        }
        serve(&elsewhere);
        Self { root }
    }

    fn folder(&self, origin: FileOrigin) -> PathBuf {
        match origin {
            FileOrigin::Here(run) => self.root.path().join(run.to_string()),
            FileOrigin::Elsewhere => self.root.path().join("elsewhere"),
            FileOrigin::Old => Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/folder-v1"),
            FileOrigin::Nowhere => self.root.path().join("nowhere"),
            FileOrigin::Truncated => self.root.path().join(RUNS.to_string()),
        }
    }

    fn place(&self, origin: FileOrigin, to: &Path, name: &str) {
        copy_file(&self.folder(origin), to, name);
        if origin == FileOrigin::Truncated {
            let file = fs::File::options().write(true).open(to.join(name)).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }
    }
}

fn origin() -> impl Strategy<Value = FileOrigin> {
    prop_oneof![
        4 => (1..=RUNS).prop_map(FileOrigin::Here),
        2 => Just(FileOrigin::Elsewhere),
        2 => Just(FileOrigin::Old),
        2 => Just(FileOrigin::Nowhere),
        1 => Just(FileOrigin::Truncated),
    ]
}

/// A folder in which up to three files were exchanged. The manifest comes first.
fn exchanges() -> impl Strategy<Value = Vec<FileOrigin>> {
    let places = 0..=FILES.len();
    let exchanged = proptest::collection::vec((places, origin()), 0..=3);
    (origin(), exchanged).prop_map(|(base, exchanged)| {
        let mut files = vec![base; FILES.len() + 1];
        for (place, origin) in exchanged {
            files[place] = origin;
        }
        files
    })
}

/// Returns whether these files, in the order of [`FILES`], belong together.
fn belong_together(manifest: FileOrigin, files: &[FileOrigin]) -> bool {
    let log = files[FILES.len() - 1];
    match manifest {
        // No file is older than the manifest, and the log is not older than any other file.
        FileOrigin::Here(run) => files.iter().all(|file| match (file, log) {
            (FileOrigin::Here(other), FileOrigin::Here(log)) => *other >= run && log >= *other,
            _ => false,
        }),
        FileOrigin::Elsewhere => files.iter().all(|file| *file == FileOrigin::Elsewhere),
        // Without a manifest, all files must have format 1, and the log must not be missing.
        FileOrigin::Old | FileOrigin::Nowhere => {
            let are_old = files
                .iter()
                .all(|file| matches!(file, FileOrigin::Old | FileOrigin::Nowhere));
            // These two files refer to the log.
            let refers = |name: &str| [STATE, DRIFT].contains(&name);
            let mut origins = FILES.iter().zip(files);
            let needs_log =
                origins.any(|(file, origin)| refers(file.name) && *origin != FileOrigin::Nowhere);
            are_old && (log == FileOrigin::Old || !needs_log)
        }
        FileOrigin::Truncated => false,
    }
}

#[test]
fn exchanged_files_are_rejected_unchanged_and_repaired_without_a_silent_loss() {
    let snapshots = Snapshots::make();
    let mut runner = TestRunner::new(Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    });
    let started_count = std::cell::Cell::new(0);
    let checked = runner.run(&exchanges(), |mut files| {
        let manifest = files.remove(0);
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (origin, file) in files.iter().zip(&FILES) {
            snapshots.place(*origin, folder, file.name);
        }
        snapshots.place(manifest, folder, Manifest::FILE);
        let before = bytes_of(folder);
        let started = start(folder);
        prop_assert_eq!(
            started.is_ok(),
            belong_together(manifest, &files),
            "{:?}",
            started
        );
        let seen = super::super::Findings::read(folder).highest_seen().0;
        if started.is_ok() {
            started_count.set(started_count.get() + 1);
        } else {
            prop_assert!(
                bytes_of(folder) == before,
                "{:?}: a file was changed",
                started
            );
            repaired(folder);
            // Every file still exists, under its own name or another one. The used files are marked
            // now.
            for file in &FILES {
                let is_used = folder.join(file.name).exists();
                let aside = folder.join(format!("{}.set-aside-1", file.name));
                prop_assert!(is_used || aside.exists());
                if aside.exists() {
                    prop_assert!(fs::read(aside).unwrap() == before[file.name]);
                }
            }
        }
        // No offset that a file has seen is used again.
        let (head, cursor) = head_and_cursor(folder);
        prop_assert!(head >= seen, "head {} before {}", head, seen);
        prop_assert!(cursor.is_none_or(|cursor| cursor <= head));
        Ok(())
    });
    checked.unwrap();
    let started_count = started_count.get();
    assert!(
        (1..100).contains(&started_count),
        "{started_count} of 100 started"
    );
}
