//! Files exchanged at random: whatever is put together, nothing is lost without a word.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::*;

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// This folder, after so many runs of the server, from 1.
    Here(usize),
    /// Another folder, after one run.
    Elsewhere,
    /// A folder of format 1.
    Old,
    Nowhere,
    /// This folder, but its end is missing.
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

    fn folder(&self, from: From) -> PathBuf {
        match from {
            From::Here(run) => self.root.path().join(run.to_string()),
            From::Elsewhere => self.root.path().join("elsewhere"),
            From::Old => Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/folder-v1"),
            From::Nowhere => self.root.path().join("nowhere"),
            From::Truncated => self.root.path().join(RUNS.to_string()),
        }
    }

    fn place(&self, from: From, to: &Path, name: &str) {
        copy_file(&self.folder(from), to, name);
        if from == From::Truncated {
            let file = fs::File::options().write(true).open(to.join(name)).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }
    }
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![
        4 => (1..=RUNS).prop_map(From::Here),
        2 => Just(From::Elsewhere),
        2 => Just(From::Old),
        2 => Just(From::Nowhere),
        1 => Just(From::Truncated),
    ]
}

/// A folder as it was some time, in which up to three files were exchanged: the manifest first.
fn exchanges() -> impl Strategy<Value = Vec<From>> {
    let places = 0..=FILES.len();
    let exchanged = proptest::collection::vec((places, from()), 0..=3);
    (from(), exchanged).prop_map(|(base, exchanged)| {
        let mut files = vec![base; FILES.len() + 1];
        for (place, from) in exchanged {
            files[place] = from;
        }
        files
    })
}

/// Whether these files, in the order of [`FILES`], belong together.
fn belong_together(manifest: From, files: &[From]) -> bool {
    let log = files[FILES.len() - 1];
    match manifest {
        // No file is older than the manifest, and the log is not older than any other file.
        From::Here(run) => files.iter().all(|file| match (file, log) {
            (From::Here(other), From::Here(log)) => *other >= run && log >= *other,
            _ => false,
        }),
        From::Elsewhere => files.iter().all(|file| *file == From::Elsewhere),
        // Without a manifest they have to be of format 1, the log no older than the others.
        From::Old | From::Nowhere => {
            let are_old = files
                .iter()
                .all(|file| matches!(file, From::Old | From::Nowhere));
            are_old && (log == From::Old || files[2..4] == [From::Nowhere; 2])
        }
        From::Truncated => false,
    }
}

#[test]
fn files_that_were_exchanged_are_rejected_untouched_and_repaired_without_a_loss() {
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
        for (from, file) in files.iter().zip(&FILES) {
            snapshots.place(*from, folder, file.name);
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
        let seen = super::super::Findings::look(folder).seen().0;
        if started.is_ok() {
            started_count.set(started_count.get() + 1);
        } else {
            prop_assert!(
                bytes_of(folder) == before,
                "{:?}: something was changed",
                started
            );
            repaired(folder);
            // Whatever was there is there still, under its own name or another one; those that
            // were used are marked now.
            for file in &FILES {
                let is_used = folder.join(file.name).exists();
                let aside = folder.join(format!("{}.set-aside-1", file.name));
                prop_assert!(is_used || aside.exists());
                if aside.exists() {
                    prop_assert!(fs::read(aside).unwrap() == before[file.name]);
                }
            }
        }
        // No offset that anybody knows about will be used again.
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
