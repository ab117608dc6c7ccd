//! Copies data folders: `easel backup` and `easel restore`.
//!
//! A backup is a folder with the same files and its own manifest. It is created under a temporary name
//! and renamed at the end, so there is never a partial backup. A server can run during the copy. Each
//! copied file is a snapshot. The log is copied last, so it has every offset that the other files
//! contain.
//!
//! A restored folder gets a new identity, because the same new offsets will mean different events in
//! the two folders.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use easel_audit::{AUDIT_HEAD, AuditError, audit_sealing_keys, end_copy_at_head};
use easel_keys::{KeyStoreError, stored_data_keys};
use easel_sources::{SourceStoreError, source_sealing_keys};
use easel_sqlite::{
    CopySource, Identity, Layout, Mark, OpenError, SIDE_FILES, copy, mark, side_file,
};
use easel_subscriptions::{StoredStateError, sealing_keys};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use thiserror::Error;

use super::files::{AUDIT, FILES, KEYS, SOURCES, STATE};
use super::findings::Findings;
use super::manifest::{Manifest, ManifestError, sync_folder};
use super::{DataFolder, FolderError, LOCK};

/// The result of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The files in the order of the copy, and their sizes in bytes.
    pub files: Vec<(&'static str, u64)>,
    /// The head of the event log in the copy. All events before this offset are in the copy, except
    /// those that retention has dropped.
    pub head: u64,
    /// Whether an earlier backup was replaced.
    pub replaced: bool,
}

/// Why a folder was not copied.
#[derive(Debug, Error)]
pub enum CopyError {
    /// The source has no manifest.
    #[error(
        "copy {}: it has no manifest.json, so it is neither a data folder that this version of \
         Easel has served nor a backup", .path.display()
    )]
    NoManifest {
        /// The folder.
        path: PathBuf,
    },
    /// The manifest cannot be used.
    #[error("copy {}", .path.display())]
    Manifest {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: ManifestError,
    },
    /// The target has other content, and must not be overwritten.
    #[error("write to {}: {what}", .path.display())]
    Target {
        /// The folder.
        path: PathBuf,
        /// Why the target cannot be used.
        what: String,
    },
    /// The folder to restore from is in use.
    #[error("restore from {}: it is the data folder of a running server; make a backup of it with `easel backup`, and restore that", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The master key was rotated during the copy.
    #[error("copy {}: the master key was rotated during the copy; run the command again", .path.display())]
    KeysRotated {
        /// The folder.
        path: PathBuf,
    },
    /// The copied keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The copied subscriptions cannot be read.
    #[error(transparent)]
    Subscriptions(#[from] StoredStateError),
    /// The file of sources could not be read.
    #[error(transparent)]
    Sources(#[from] SourceStoreError),
    /// The copied audit cannot be used.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file cannot be copied.
    #[error(transparent)]
    File(#[from] OpenError),
    /// An operation of the file system failed.
    #[error("write to {}", .path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
}

/// Returns the approximate size of a copy of the folder, in bytes.
pub fn copy_bytes(folder: &Path) -> u64 {
    let lengths = FILES
        .iter()
        .filter_map(|file| fs::metadata(folder.join(file.name)).ok());
    lengths.map(|metadata| metadata.len()).sum()
}

/// Copies the data folder `data` into the folder `target`. A server may run on `data`. The target must
/// be new, empty, or an earlier backup of the same data folder, which is replaced when the new backup
/// is complete. The callback `progress` gets the bytes of each step.
pub fn backup(
    data: &Path,
    target: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Copied, CopyError> {
    let manifest = read_manifest(data)?;
    let failed = |source| CopyError::Io {
        path: target.to_owned(),
        source,
    };
    let target = &std::path::absolute(target).map_err(failed)?;
    let replaced = check_target(data, target, manifest.identity)?;
    let temporary = TemporaryFolder::create(target).map_err(failed)?;
    let files = copy_files((data, CopySource::Live), &temporary.path, progress)?;

    let mut findings = Findings::read(&temporary.path);
    // A server that started or stopped during the copy has raised the generation of some files.
    findings.manifest = Ok(Some(Manifest {
        generation: 0,
        seen: 0,
        ..manifest.clone()
    }));
    let faults = findings.faults();
    if !faults.is_empty() {
        return Err(FolderError::faulty(data, faults).into());
    }
    check_data_keys(&temporary.path, data)?;
    let head = findings.log_head().unwrap_or(0);
    let generation = std::cmp::max(findings.generation(), manifest.generation);
    finish_copy(&temporary.path, manifest.identity, generation, head)?;
    temporary.move_to(target, replaced).map_err(failed)?;
    Ok(Copied {
        files,
        head,
        replaced,
    })
}

/// Copies the backup `source` into the data folder `data`, which must be new or empty.
pub fn restore(
    source: &Path,
    data: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Copied, CopyError> {
    let manifest = read_manifest(source)?;
    let _source_lock = lock_if_any(source)?;
    let findings = Findings::read(source);
    let faults = findings.faults();
    if !faults.is_empty() {
        return Err(FolderError::faulty(source, faults).into());
    }
    let folder = DataFolder::lock(data)?;
    let failed = |source| CopyError::Io {
        path: data.to_owned(),
        source,
    };
    let names = names_in(data).map_err(failed)?;
    if let Some(name) = names.into_iter().find(|name| name != LOCK) {
        return Err(CopyError::Target {
            path: data.to_owned(),
            what: format!("the data folder must be empty, but it has {name}"),
        });
    }
    let head = findings.log_head().unwrap_or(0);
    let restored = copy_files((source, CopySource::AtRest), data, progress).and_then(|files| {
        let identity = folder.new_identity()?;
        finish_copy(data, identity, manifest.generation + 1, head)?;
        Ok(files)
    });
    match restored {
        Ok(files) => Ok(Copied {
            files,
            head,
            replaced: false,
        }),
        Err(error) => {
            remove_files(data).map_err(failed)?;
            Err(error)
        }
    }
}

/// Rejects a copy whose specs need a data key that the copied keys do not have. This happens if the master key
/// is rotated between the copies of the two files.
fn check_data_keys(copy: &Path, data: &Path) -> Result<(), CopyError> {
    let copied = stored_data_keys(&copy.join(KEYS))?;
    let mut needed = sealing_keys(&copy.join(STATE))?;
    needed.extend(source_sealing_keys(&copy.join(SOURCES))?);
    needed.extend(audit_sealing_keys(&copy.join(AUDIT))?);
    // A folder of an older version has no keys.
    if copied.is_empty() || needed.iter().all(|id| copied.contains(id)) {
        return Ok(());
    }
    Err(CopyError::KeysRotated {
        path: data.to_owned(),
    })
}

fn read_manifest(path: &Path) -> Result<Manifest, CopyError> {
    let manifest = Manifest::read(path).map_err(|source| CopyError::Manifest {
        path: path.to_owned(),
        source,
    })?;
    let complete = manifest.filter(|manifest| manifest.complete);
    complete.ok_or_else(|| CopyError::NoManifest {
        path: path.to_owned(),
    })
}

/// Returns whether the target is an earlier backup. Rejects other content.
fn check_target(data: &Path, target: &Path, identity: Identity) -> Result<bool, CopyError> {
    let failed = |source| CopyError::Io {
        path: target.to_owned(),
        source,
    };
    let refused = |what: &str| CopyError::Target {
        path: target.to_owned(),
        what: what.to_owned(),
    };
    let real_data = fs::canonicalize(data).map_err(failed)?;
    let parent = target.parent().map(fs::canonicalize);
    if parent.is_some_and(|parent| parent.is_ok_and(|parent| parent.starts_with(&real_data))) {
        return Err(refused("a backup cannot be in the data folder itself"));
    }
    let names = match names_in(target) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    if names.is_empty() {
        return Ok(false);
    }
    if names.iter().any(|name| name == LOCK) {
        return Err(refused("it is a data folder that a server has used"));
    }
    let is_known = |name: &String| name == Manifest::FILE || super::repair::is_data_file(name);
    if let Some(other) = names.iter().find(|name| !is_known(name)) {
        return Err(refused(&format!(
            "the folder must be empty or an earlier backup, but it has {other}"
        )));
    }
    match Manifest::read(target) {
        Ok(Some(manifest)) if manifest.identity == identity => Ok(true),
        Ok(Some(_other)) => Err(refused("it is a backup of another data folder")),
        Ok(None) | Err(_) => Err(refused(
            "the folder must be empty or an earlier backup, but it has no readable manifest.json",
        )),
    }
}

fn copy_files(
    (from, source): (&Path, CopySource),
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<(&'static str, u64)>, CopyError> {
    let mut files = Vec::new();
    for file in &FILES {
        let mut bytes = 0;
        let path = from.join(file.name);
        if !path.exists() {
            continue;
        }
        let mut count = |step| {
            bytes += step;
            progress(step);
        };
        if file.name == AUDIT {
            let head_bytes = copy_audit((from, source), (to, file.layout), &mut count)?;
            files.push((file.name, bytes));
            files.extend(head_bytes.map(|head_bytes| (AUDIT_HEAD, head_bytes)));
            continue;
        }
        copy(
            (&path, source),
            &to.join(file.name),
            file.layout,
            &mut count,
        )?;
        files.push((file.name, bytes));
    }
    Ok(files)
}

/// Copies the audit so that it ends where its head file says. Returns the size of the head file, if there is one.
fn copy_audit(
    (from, source): (&Path, CopySource),
    (to, layout): (&Path, &Layout),
    progress: &mut dyn FnMut(u64),
) -> Result<Option<u64>, CopyError> {
    let failed = |source| CopyError::Io {
        path: to.to_owned(),
        source,
    };
    let (path, head) = (to.join(AUDIT), to.join(AUDIT_HEAD));
    loop {
        // The server replaces the head file after each commit. So the entries that are copied later reach this head.
        let head_bytes = match fs::copy(from.join(AUDIT_HEAD), &head) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        copy((&from.join(AUDIT), source), &path, layout, progress)?;
        let is_complete = match source {
            CopySource::Live => end_copy_at_head(&path)?,
            // The head can be behind after a crash, and the next start handles that.
            CopySource::AtRest => true,
        };
        if is_complete {
            if head_bytes.is_some() {
                let synced = File::open(&head).and_then(|file| file.sync_all());
                synced.map_err(failed)?;
            }
            return Ok(head_bytes);
        }
        for name in [
            path.clone(),
            side_file(&path, "-wal"),
            side_file(&path, "-shm"),
        ] {
            remove_if_any(&name).map_err(failed)?;
        }
    }
}

/// Marks the copies as files of one folder, and writes the manifest of the folder.
fn finish_copy(
    path: &Path,
    identity: Identity,
    generation: u64,
    head: u64,
) -> Result<(), CopyError> {
    let failed = |source| CopyError::Io {
        path: path.to_owned(),
        source,
    };
    for file in &FILES {
        let path = path.join(file.name);
        let new = Mark {
            identity: Some(identity),
            generation,
            seen: head,
        };
        mark(&path, file.layout, new)?;
        for suffix in SIDE_FILES {
            remove_if_any(&side_file(&path, suffix)).map_err(failed)?;
        }
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
    }
    Manifest::new(identity, generation, head)
        .write(path)
        .map_err(failed)
}

/// A folder with a temporary name beside the target. It is removed on drop, unless it was renamed.
#[derive(Debug)]
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn create(target: &Path) -> io::Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.new-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    /// Renames the folder to `target` in one step. An earlier backup is removed afterwards.
    fn move_to(self, target: &Path, replaces: bool) -> io::Result<()> {
        if replaces {
            renameat_with(CWD, &self.path, CWD, target, RenameFlags::EXCHANGE)?;
        } else {
            fs::rename(&self.path, target)?;
        }
        sync_folder(target.parent().unwrap_or(target))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // The unfinished or the replaced folder. After a rename, nothing has this name.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Locks the folder if it has a lock file, so that no server can start on it.
pub(crate) fn lock_if_any(path: &Path) -> Result<Option<File>, CopyError> {
    let failed = |source| CopyError::Io {
        path: path.to_owned(),
        source,
    };
    let lock = match File::open(path.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(CopyError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Removes the files that a restore has written.
fn remove_files(folder: &Path) -> io::Result<()> {
    for name in names_in(folder)? {
        if name != LOCK {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

fn remove_if_any(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
