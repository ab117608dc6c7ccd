//! Why a data file cannot be opened.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::Layout;

/// Why a data file cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file cannot be read or written.
    #[error("open {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// SQLite cannot read or write the file.
    #[error("open {}", .path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The file is not a data file of Easel.
    #[error("open {}: the file is not an Easel {noun}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The required kind of file.
        noun: &'static str,
    },
    /// The file is a data file of Easel with another role.
    #[error("open {}: the file must be the {noun}, but it is the file `{found}`", .path.display())]
    Role {
        /// The file.
        path: PathBuf,
        /// The required kind of file.
        noun: &'static str,
        /// The role of the file.
        found: String,
    },
    /// This version does not support the format of the file.
    #[error("open {}: its format is {found}, but this version supports formats up to {known}; use a newer version of Easel", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u32,
        /// The newest supported format.
        known: u32,
    },
    /// The file is damaged and cannot be used.
    #[error("open {}: the file is damaged: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// Converts an error of SQLite: an invalid or damaged file gets its own variant.
    pub(crate) fn sqlite(path: &Path, layout: &Layout, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign {
                path,
                noun: layout.noun,
            },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                path,
                what: source.to_string(),
            },
            _ => Self::Storage { path, source },
        }
    }
}
