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
        /// What the system said.
        source: io::Error,
    },
    /// SQLite cannot read or write the file.
    #[error("open {}", .path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file is something else.
    #[error("open {}: the file is not an Easel {noun}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it should be.
        noun: &'static str,
    },
    /// The file is one of Easel's for another purpose.
    #[error("open {}: the file must be the {noun}, but it is the file `{found}`", .path.display())]
    Role {
        /// The file.
        path: PathBuf,
        /// What it should be.
        noun: &'static str,
        /// The role that the file has.
        found: String,
    },
    /// The file has a format that this version does not know.
    #[error("open {}: its format is {found}, this version knows formats up to {known}; use a newer version of Easel", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u32,
        /// The latest format that this version knows.
        known: u32,
    },
    /// The file is damaged so far that it cannot be used.
    #[error("open {}: the file is damaged: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
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

    /// What an error of SQLite says about the file.
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
