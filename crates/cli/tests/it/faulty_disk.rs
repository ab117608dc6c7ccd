//! A disk that fails on demand, for a server in its own process.
//!
//! A small C library is loaded into the server before the system library. It makes operations on some files
//! fail. It requires a C compiler, as the build of Easel does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faulty_disk.c");

/// The library between a server and some of its files.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    library: PathBuf,
    control: PathBuf,
    files: &'static str,
}

impl FaultyDisk {
    /// Builds the library in `folder`. Operations on files whose paths match the pattern can fail.
    pub(crate) fn build(folder: &Path, files: &'static str) -> Self {
        let library = folder.join("faulty_disk.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(&library)
            .args([SOURCE, "-ldl"])
            .status()
            .expect("this test needs a C compiler named cc");
        assert!(built.success(), "cc could not build {SOURCE}");
        Self {
            library,
            control: folder.join("fault"),
            files,
        }
    }

    /// Loads the library into the program that `command` starts.
    pub(crate) fn mount(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAULTY_DISK_CONTROL", &self.control)
            .env("FAULTY_DISK_FILES", self.files);
    }

    /// Makes operations fail from now on: `EIO sync`, `EIO write` or `ENOSPC write`.
    pub(crate) fn fail(&self, fault: &str) {
        // Written by rename, so that the library never reads a partial file.
        let draft = self.control.with_extension("draft");
        fs::write(&draft, fault).unwrap();
        fs::rename(&draft, &self.control).unwrap();
    }

    /// Makes all operations succeed again.
    pub(crate) fn heal(&self) {
        fs::remove_file(&self.control).unwrap();
    }
}
