//! The folder everything is kept in, held by one process at a time.
//!
//! | file | what |
//! | --- | --- |
//! | `lock` | locked while a server runs; holds its process id |
//! | `local.json` | where that server listens, and a token for the commands on this machine |
//! | `log.db`, `quarantine.db` | accepted events, and what was taken in that is no event |
//! | `state.db` | subscriptions and their cursors |
//! | `drift.db` | what arrived that the catalogue does not know |
//! | `access.db` | hashes of tokens |

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The folder, held by this process until dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Unlocked when it is closed, by this program or by its end.
    _lock: File,
}

/// How commands on the same machine reach a running server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Local {
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
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.open(path.join("lock")).map_err(fault)?;
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

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Tells commands on this machine how to reach the server; only its owner can read it.
    pub(crate) fn announce(&self, local: &Local) -> Result<(), FolderError> {
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
        fs::rename(&aside, self.file(Local::FILE)).map_err(fault)
    }

    /// Takes back what [`Self::announce`] said.
    pub(crate) fn renounce(&self) -> io::Result<()> {
        fs::remove_file(self.file(Local::FILE))
    }
}

impl Local {
    const FILE: &str = "local.json";

    /// What the server on this folder said of itself; an error of kind `NotFound` when none runs.
    pub fn read(data: &Path) -> io::Result<Self> {
        let json = fs::read(data.join(Self::FILE))?;
        Ok(serde_json::from_slice(&json)?)
    }
}

impl std::fmt::Debug for Local {
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
