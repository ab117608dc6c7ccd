//! The folder with all data of a server. Only one process can use it at a time.
//!
//! | file | content |
//! | --- | --- |
//! | `manifest.json` | the list of files, and the identity of the folder |
//! | `lock` | the process id of the server; locked while the server runs |
//! | `local.json` | the address of the server, and a token for the commands on this machine |
//! | `log.db`, `quarantine.db` | the accepted events, and records that are not valid events |
//! | `state.db` | subscriptions and their cursors |
//! | `drift.db` | what arrived and is unknown to the catalogue |
//! | `access.db` | hashes of tokens |
//! | `audit.db`, `audit.head` | who changed what and who was shown payloads; the newest entry of it |
//! | `keys.db` | keys that seal secrets and sign events, encrypted with the master key |
//!
//! A start validates all files before it changes any of them. It rejects files that do not belong
//! together: if the log were older than the cursors, events would be lost silently. It migrates files
//! of an older version, and a folder without a manifest, to the current format.

mod backup;
mod files;
mod findings;
mod manifest;
mod repair;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use easel_keys::Secret;
use easel_sqlite::{
    CopySource, Identity, Mark, OpenError, SIDE_FILES, copy, make_private, mark, side_file,
};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;
use tracing::warn;

pub(crate) use backup::lock_if_any;
pub use backup::{Copied, CopyError, backup, copy_bytes, restore};
pub(crate) use files::{ACCESS, AUDIT, DRIFT, KEYS, LOG, QUARANTINE, SOURCES, STATE};
pub use findings::FolderFault;
pub use manifest::ManifestError;
pub use repair::Repair;

use files::FILES;
use findings::Findings;
use manifest::Manifest;

/// The name of the lock file.
const LOCK: &str = "lock";

/// The folder, locked by this process until this is dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// The lock file. Closing it releases the lock, also when the process ends.
    _lock: File,
}

/// The folder's identity and generation while a server runs on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) identity: Identity,
    pub(crate) generation: u64,
}

/// How commands on the same machine reach a running server.
#[derive(Clone, Serialize, Deserialize)]
pub struct LocalServer {
    /// The address to connect to.
    pub address: std::net::SocketAddr,
    /// A token with every scope, valid while the process runs. Absent if the server requires no tokens.
    #[serde(serialize_with = "serialize_token")]
    pub token: Option<Secret<String>>,
    /// The process id of the server.
    pub pid: u32,
}

/// Why a data folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Another process uses the folder.
    #[error("use data folder {}: another server runs on it{}", .path.display(), shown_process(.pid.as_deref()))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The id of the other process, if it could be read.
        pid: Option<String>,
    },
    /// An operation of the file system failed.
    #[error("use data folder {}", .path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The files of the folder do not belong together.
    #[error("use data folder {}: {}{}", .path.display(), listed(.faults), advice(.path, .faults))]
    Faulty {
        /// The folder.
        path: PathBuf,
        /// All faults of the files.
        faults: Vec<FolderFault>,
    },
    /// A file of the folder cannot be used.
    #[error("use data folder {}", .path.display())]
    File {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: OpenError,
    },
    /// The log of the folder cannot be continued.
    #[error("use data folder {}", .path.display())]
    Log {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: easel_log_sqlite::OpenLogError,
    },
    /// The subscriptions of the folder cannot be read.
    #[error("use data folder {}", .path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: easel_subscriptions::StoredStateError,
    },
    /// The operating system returned no random bytes for an identity.
    #[error("create an identity for data folder {}", .path.display())]
    Random {
        /// The folder.
        path: PathBuf,
        /// The error of the operating system.
        source: getrandom::Error,
    },
}

impl FolderError {
    fn faulty(path: &Path, faults: Vec<FolderFault>) -> Self {
        Self::Faulty {
            path: path.to_owned(),
            faults,
        }
    }
}

impl DataFolder {
    /// Creates the folder if it is missing, and locks it for this process.
    pub(crate) fn lock(path: &Path) -> Result<Self, FolderError> {
        let fault = |source| FolderError::Io {
            path: path.to_owned(),
            source,
        };
        // Events contain personal data, so only the owner may read the folder.
        let mut folder = DirBuilder::new();
        folder
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(fault)?;
        Self::lock_existing(path)
    }

    /// Locks the folder for this process. Fails if the folder does not exist.
    pub(crate) fn lock_existing(path: &Path) -> Result<Self, FolderError> {
        let fault = |source| FolderError::Io {
            path: path.to_owned(),
            source,
        };
        let mode = fs::metadata(path).map_err(fault)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            warn!(
                folder = %path.display(),
                mode = format!("{mode:04o}"),
                "data folder is open to others: set StateDirectoryMode=0700 in the systemd unit, \
                 or run chmod 700"
            );
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock_path = path.join(LOCK);
        let mut lock = options.mode(0o600).open(&lock_path).map_err(fault)?;
        make_private(&lock_path).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let read = lock.read_to_string(&mut pid).is_ok() && !pid.is_empty();
                let pid = read.then_some(pid);
                return Err(FolderError::InUse {
                    path: path.to_owned(),
                    pid,
                });
            }
            Err(TryLockError::Error(source)) => return Err(fault(source)),
        }
        lock.set_len(0).map_err(fault)?;
        lock.rewind().map_err(fault)?;
        write!(lock, "{}", std::process::id()).map_err(fault)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Validates all files, migrates them to the current format, and marks them as files of this
    /// folder. Changes nothing if the files do not belong together.
    pub(crate) fn prepare(&self) -> Result<Session, FolderError> {
        let findings = Findings::read(&self.path);
        let faults = findings.faults();
        if !faults.is_empty() {
            return Err(FolderError::faulty(&self.path, faults));
        }
        let identity = match findings.identity() {
            Some(identity) => identity,
            None => self.new_identity()?,
        };
        let generation = findings.generation();
        let head = findings.log_head().unwrap_or(0);
        if !matches!(&findings.manifest, Ok(Some(manifest)) if manifest.complete) {
            // If the process ends before all files are marked, the next start completes this step.
            let unfinished = Manifest {
                complete: false,
                ..Manifest::new(identity, generation, head)
            };
            self.write(&unfinished)?;
        }
        let session = Session {
            identity,
            generation: generation + 1,
        };
        self.mark_all(identity, session.generation, head)?;
        Ok(session)
    }

    /// Marks all files after a clean stop. With the marks, the next start detects an older file,
    /// and a log that ends before `head`.
    pub(crate) fn mark_stopped(&self, session: Session, head: u64) -> Result<(), FolderError> {
        self.mark_all(session.identity, session.generation + 1, head)
    }

    fn mark_all(&self, identity: Identity, generation: u64, seen: u64) -> Result<(), FolderError> {
        let new = Mark {
            identity: Some(identity),
            generation,
            seen,
        };
        for file in &FILES {
            mark(&self.file(file.name), file.layout, new).map_err(|source| FolderError::File {
                path: self.path.clone(),
                source,
            })?;
        }
        self.write(&Manifest::new(identity, generation, seen))
    }

    fn new_identity(&self) -> Result<Identity, FolderError> {
        Identity::random().map_err(|source| FolderError::Random {
            path: self.path.clone(),
            source,
        })
    }

    fn write(&self, manifest: &Manifest) -> Result<(), FolderError> {
        manifest
            .write(&self.path)
            .map_err(|source| self.io_error(source))
    }

    fn io_error(&self, source: io::Error) -> FolderError {
        FolderError::Io {
            path: self.path.clone(),
            source,
        }
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Copies a data file to a free name in the folder. Returns that name.
    pub(crate) fn copy_aside(&self, name: &str) -> Result<String, FolderError> {
        let aside = self.free_name(name);
        if let Some(file) = FILES.iter().find(|file| file.name == name) {
            let from = self.file(name);
            let source = (&*from, CopySource::Live);
            let copied = copy(source, &self.file(&aside), file.layout, &mut |_bytes| ());
            copied.map_err(|source| FolderError::File {
                path: self.path.clone(),
                source,
            })?;
        }
        Ok(aside)
    }

    /// Renames a file in the folder.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), FolderError> {
        let renamed = fs::rename(self.file(from), self.file(to));
        renamed.map_err(|source| self.io_error(source))
    }

    /// Returns a free name in the folder for a copy of the file `name`.
    pub(crate) fn free_name(&self, name: &str) -> String {
        let is_free = |aside: &String| {
            let path = self.file(aside);
            !path.exists()
                && SIDE_FILES
                    .iter()
                    .all(|suffix| !side_file(&path, suffix).exists())
        };
        let mut names = (1_u32..).map(|number| format!("{name}.set-aside-{number}"));
        names.find(is_free).unwrap_or_default()
    }

    /// Writes `local.json`, from which commands on this machine read how to reach the server. Only the
    /// owner of the folder can read it.
    pub(crate) fn write_local(&self, local: &LocalServer) -> Result<(), FolderError> {
        let fault = |source| FolderError::Io {
            path: self.path.clone(),
            source,
        };
        let json = serde_json::to_vec(local).map_err(|error| fault(error.into()))?;
        // The file is written under another name and renamed, so that no command reads a partial file.
        let temporary = self.file("local.json.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary).map_err(fault)?;
        file.write_all(&json).map_err(fault)?;
        fs::rename(&temporary, self.file(LocalServer::FILE)).map_err(fault)
    }

    /// Removes `local.json`.
    pub(crate) fn remove_local(&self) -> io::Result<()> {
        fs::remove_file(self.file(LocalServer::FILE))
    }
}

impl LocalServer {
    const FILE: &str = "local.json";

    /// Reads `local.json`. Fails with an error of kind `NotFound` if no server runs on the folder.
    pub fn read(data: &Path) -> io::Result<Self> {
        let json = fs::read(data.join(Self::FILE))?;
        Ok(serde_json::from_slice(&json)?)
    }
}

impl std::fmt::Debug for LocalServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalServer")
            .field("address", &self.address)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

/// Serializes the token. Only the owner of the folder can read the file with it.
#[expect(clippy::ref_option, reason = "serde requires this signature")]
fn serialize_token<S: Serializer>(
    token: &Option<Secret<String>>,
    out: S,
) -> Result<S::Ok, S::Error> {
    token.as_ref().map(Secret::expose).serialize(out)
}

fn shown_process(pid: Option<&str>) -> String {
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}

fn listed(faults: &[FolderFault]) -> String {
    let faults: Vec<_> = faults.iter().map(FolderFault::to_string).collect();
    faults.join("; ")
}

/// Returns what the operator can do about the faults.
fn advice(path: &Path, faults: &[FolderFault]) -> String {
    if faults.iter().all(FolderFault::is_repairable) {
        return format!(
            "; put the right files back, or see what `easel repair --data {}` would do",
            path.display()
        );
    }
    String::new()
}

#[cfg(test)]
mod tests;
