//! The folder everything is kept in, held by one process at a time.
//!
//! | file | what |
//! | --- | --- |
//! | `manifest.json` | which files there are, and which folder it is |
//! | `lock` | locked while a server runs; holds its process id |
//! | `local.json` | where that server listens, and a token for the commands on this machine |
//! | `log.db`, `quarantine.db` | accepted events, and what was taken in that is no event |
//! | `state.db` | subscriptions and their cursors |
//! | `drift.db` | what arrived that the catalogue does not know |
//! | `access.db` | hashes of tokens |
//!
//! A start validates all of them before it changes any. Files that do not belong together are
//! rejected: with a log older than the cursors, events would be lost without a word. Files of an
//! older version, and a folder without a manifest, are brought to the current format.

mod backup;
mod files;
mod findings;
mod manifest;
mod repair;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use easel_sqlite::{Identity, Mark, OpenError, make_private, mark};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::warn;

pub use backup::{Copied, CopyError, backup, copy_bytes, restore};
pub(crate) use files::{ACCESS, DRIFT, LOG, QUARANTINE, STATE};
pub use findings::FolderFault;
pub use manifest::ManifestError;
pub use repair::Repair;

use files::FILES;
use findings::Findings;
use manifest::Manifest;

/// The file that is locked.
const LOCK: &str = "lock";

/// The folder, held by this process until dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Unlocked when it is closed, by this program or by its end.
    _lock: File,
}

/// The folder's identity and generation while a server runs on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    identity: Identity,
    generation: u64,
}

/// How commands on the same machine reach a running server.
#[derive(Clone, Serialize, Deserialize)]
pub struct LocalServer {
    /// The address to connect to.
    pub address: std::net::SocketAddr,
    /// A token with every scope that lives as long as the process; absent when none is asked for.
    pub token: Option<String>,
    /// The process.
    pub pid: u32,
}

/// Why a data folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Another process runs on it.
    #[error("use data folder {}: another server runs on it{}", .path.display(), process(.pid.as_deref()))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other's process id, where it could be read.
        pid: Option<String>,
    },
    /// The file system said no.
    #[error("use data folder {}", .path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Its files do not belong together.
    #[error("use data folder {}: {}{}", .path.display(), listed(.faults), advice(.path, .faults))]
    Faulty {
        /// The folder.
        path: PathBuf,
        /// What is wrong with them.
        faults: Vec<FolderFault>,
    },
    /// One of its files cannot be used.
    #[error("use data folder {}", .path.display())]
    File {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// Its log cannot be continued.
    #[error("use data folder {}", .path.display())]
    Log {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: easel_log_sqlite::OpenLogError,
    },
    /// Its subscriptions cannot be read.
    #[error("use data folder {}", .path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: easel_subscriptions::StandingsError,
    },
    /// The operating system gave no randomness to make an identity of.
    #[error("make an identity for data folder {}", .path.display())]
    Random {
        /// The folder.
        path: PathBuf,
        /// What it said.
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
    /// Makes the folder if need be, and takes it for this process.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        let fault = |source| FolderError::Io {
            path: path.to_owned(),
            source,
        };
        // Events name people: the folder is its owner's alone.
        let mut folder = DirBuilder::new();
        folder
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(fault)?;
        Self::take_existing(path)
    }

    /// Takes the folder for this process, unless it does not exist.
    pub(crate) fn take_existing(path: &Path) -> Result<Self, FolderError> {
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

    /// Validates all files, and then brings them to the current format and marks them as files of
    /// this folder. When they do not belong together, nothing is changed.
    pub(crate) fn prepare(&self) -> Result<Session, FolderError> {
        let findings = Findings::look(&self.path);
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
            // Whatever ends this before all files are marked, the next start goes on with it.
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

    /// Marks all files after a clean stop, so that none of them can be replaced by an older one, and
    /// the log by none that ends before `head`, without being noticed.
    pub(crate) fn finish(&self, session: Session, head: u64) -> Result<(), FolderError> {
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

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Tells commands on this machine how to reach the server; only its owner can read it.
    pub(crate) fn announce(&self, local: &LocalServer) -> Result<(), FolderError> {
        let fault = |source| FolderError::Io {
            path: self.path.clone(),
            source,
        };
        let json = serde_json::to_vec(local).map_err(|error| fault(error.into()))?;
        // Written aside and renamed, so that no command reads half of it.
        let aside = self.file("local.json.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&aside).map_err(fault)?;
        file.write_all(&json).map_err(fault)?;
        fs::rename(&aside, self.file(LocalServer::FILE)).map_err(fault)
    }

    /// Takes back what [`Self::announce`] said.
    pub(crate) fn renounce(&self) -> io::Result<()> {
        fs::remove_file(self.file(LocalServer::FILE))
    }
}

impl LocalServer {
    const FILE: &str = "local.json";

    /// What the server on this folder said of itself; an error of kind `NotFound` when none runs.
    pub fn read(data: &Path) -> io::Result<Self> {
        let json = fs::read(data.join(Self::FILE))?;
        Ok(serde_json::from_slice(&json)?)
    }
}

impl std::fmt::Debug for LocalServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local")
            .field("address", &self.address)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

fn process(pid: Option<&str>) -> String {
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}

fn listed(faults: &[FolderFault]) -> String {
    let faults: Vec<_> = faults.iter().map(FolderFault::to_string).collect();
    faults.join("; ")
}

/// What to do about it.
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
