//! The file of a master key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::geteuid;
use thiserror::Error;
use tracing::warn;

use crate::master_key::MasterKeyError;
use crate::{MasterKey, Secret};

/// The file of a master key. Only its owner can read it.
///
/// A rotation writes the new key to a second file with the suffix `.new`. Its last step renames that file.
/// So after a killed process, one of the two files has the key that opens the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKeyFile {
    path: PathBuf,
}

/// Why the file of a master key cannot be used.
#[derive(Debug, Error)]
pub enum MasterKeyFileError {
    /// An operation of the file system failed.
    #[error("use the master key file {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The content is not a master key.
    #[error("read the master key file {}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: MasterKeyError,
    },
}

impl MasterKeyFile {
    /// Returns the file at `path`, which need not exist.
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the key; `None` if the file is missing.
    pub(crate) fn read(&self) -> Result<Option<MasterKey>, MasterKeyFileError> {
        read(&self.path)
    }

    /// Reads the new key of an unfinished rotation; `None` if its file is missing.
    pub(crate) fn read_new(&self) -> Result<Option<MasterKey>, MasterKeyFileError> {
        read(&self.new_path())
    }

    /// Writes the first key. Fails if the file exists.
    pub(crate) fn create(&self, key: &MasterKey) -> Result<(), MasterKeyFileError> {
        // The file gets its name when its content is on the disk, so a crash leaves no empty file.
        let temporary = self.with_suffix(".tmp");
        let created = remove_if_any(&temporary)
            .and_then(|()| write(&temporary, key))
            .and_then(|()| {
                let no_replace = RenameFlags::NOREPLACE;
                Ok(renameat_with(CWD, &temporary, CWD, &self.path, no_replace)?)
            })
            .and_then(|()| sync_parent(&self.path));
        created.map_err(|source| self.io_error(source))
    }

    /// Writes the key of a rotation beside the current one.
    pub(crate) fn write_new(&self, key: &MasterKey) -> Result<(), MasterKeyFileError> {
        let path = self.new_path();
        let written = remove_if_any(&path).and_then(|()| write(&path, key));
        written.map_err(|source| self.io_error(source))
    }

    /// Replaces the current key with the one of [`write_new`](Self::write_new).
    pub(crate) fn rename_new(&self) -> Result<(), MasterKeyFileError> {
        fs::rename(self.new_path(), &self.path)
            .and_then(|()| sync_parent(&self.path))
            .map_err(|source| self.io_error(source))
    }

    fn new_path(&self) -> PathBuf {
        self.with_suffix(".new")
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn io_error(&self, source: io::Error) -> MasterKeyFileError {
        MasterKeyFileError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

fn read(path: &Path) -> Result<Option<MasterKey>, MasterKeyFileError> {
    let io_error = |source| MasterKeyFileError::Io {
        path: path.to_owned(),
        source,
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(error)),
    };
    let metadata = fs::metadata(path).map_err(io_error)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & open_bits(metadata.uid()) != 0 {
        warn!(
            file = %path.display(),
            mode = format!("{mode:04o}"),
            "master key file is open to others: run chmod 600"
        );
    }
    let key = MasterKey::parse(&text);
    let key = key.map_err(|source| MasterKeyFileError::Content {
        path: path.to_owned(),
        source,
    });
    key.map(Some)
}

/// Returns the permissions that open the file to others than its reader. If another user owns the file, as root
/// owns a credential of systemd, the right of the group lets this process read.
fn open_bits(owner: u32) -> u32 {
    if owner == geteuid().as_raw() {
        0o077
    } else {
        0o027
    }
}

/// Writes a new file, with fsync before it returns.
fn write(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{}", key.to_text().expose())?;
    file.sync_all()?;
    sync_parent(path)
}

fn remove_if_any(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_owner_may_be_readable_by_its_group() {
        let this_user = geteuid().as_raw();
        assert_ne!(0o440 & open_bits(this_user), 0);
        let other_user = this_user + 1;
        assert_eq!(0o440 & open_bits(other_user), 0);
        assert_ne!(0o444 & open_bits(other_user), 0);
    }
}
