//! `manifest.json`: the list of files of a data folder, and its identity.
//!
//! A JSON object: `format` (1), `identity` (32 hexadecimal digits), `generation` (the number of
//! starts, clean stops and repairs), `seen` (the head of the event log at the last start, stop or
//! repair), `complete` (false until all files exist), `files` (their names). The manifest is
//! replaced as a whole, after the files were marked. So no file has a lower generation than the
//! manifest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use easel_sqlite::Identity;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::files::FILES;

const FORMAT: u32 = 1;

/// The list of files of a data folder, and its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) identity: Identity,
    pub(crate) generation: u64,
    pub(crate) seen: u64,
    /// Whether all files exist.
    pub(crate) complete: bool,
    pub(crate) files: Vec<String>,
}

/// Why a manifest cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("manifest.json cannot be read")]
    Io(#[source] io::Error),
    /// The file is not a manifest.
    #[error("manifest.json is damaged: {what}")]
    Damaged {
        /// The fault.
        what: String,
    },
    /// The format of the file is unknown to this version.
    #[error(
        "manifest.json has format {found}, this version knows only {FORMAT}; use a newer version \
         of Easel"
    )]
    Format {
        /// The format of the file.
        found: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct ManifestJson {
    format: u32,
    identity: String,
    generation: u64,
    seen: u64,
    complete: bool,
    files: Vec<String>,
}

#[derive(Deserialize)]
struct FormatJson {
    format: u32,
}

impl Manifest {
    pub(crate) const FILE: &str = "manifest.json";

    /// Creates a complete manifest with all files of this version.
    pub(crate) fn new(identity: Identity, generation: u64, seen: u64) -> Self {
        Self {
            identity,
            generation,
            seen,
            complete: true,
            files: FILES.iter().map(|file| file.name.to_owned()).collect(),
        }
    }

    /// Reads the manifest of the folder; `None` if there is no manifest.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, ManifestError> {
        let json = match fs::read(folder.join(Self::FILE)) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ManifestError::Io(error)),
        };
        let damaged = |what: &str| ManifestError::Damaged {
            what: what.to_owned(),
        };
        let FormatJson { format } = serde_json::from_slice(&json)
            .map_err(|_not_json| damaged("it must be a JSON object with a `format`"))?;
        if format != FORMAT {
            return Err(ManifestError::Format { found: format });
        }
        let json: ManifestJson = serde_json::from_slice(&json)
            .map_err(|_incomplete| damaged("a member is missing or of the wrong type"))?;
        Ok(Some(Self {
            identity: json
                .identity
                .parse()
                .map_err(|what: String| damaged(&what))?,
            generation: json.generation,
            seen: json.seen,
            complete: json.complete,
            files: json.files,
        }))
    }

    /// Replaces the manifest of the folder, with fsync before it returns.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(&ManifestJson {
            format: FORMAT,
            identity: self.identity.to_string(),
            generation: self.generation,
            seen: self.seen,
            complete: self.complete,
            files: self.files.clone(),
        })?;
        let temporary = folder.join("manifest.json.new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => (),
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&json)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&temporary, folder.join(Self::FILE))?;
        sync_folder(folder)
    }

    /// Returns whether the folder must have this file.
    pub(crate) fn lists(&self, name: &str) -> bool {
        self.complete && self.files.iter().any(|file| file == name)
    }
}

/// Fsyncs a folder, so that the names of its files are on disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
