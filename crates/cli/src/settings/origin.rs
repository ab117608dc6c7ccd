//! The origin of a setting.

use std::fmt;
use std::path::{Path, PathBuf};

/// The origin of a setting, as the operator sees it in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingOrigin {
    /// A place in the settings file.
    File(FilePosition),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(place) => place.fmt(f),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A place in a text file; lines and columns count from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePosition {
    path: PathBuf,
    line: usize,
    column: usize,
}

impl FilePosition {
    /// Returns the position of `byte` in `text`, the content of `path`.
    pub(crate) fn new(path: &Path, text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.split('\n').count();
        let last_line = before.rsplit('\n').next().unwrap_or(before);
        Self {
            path: path.to_owned(),
            line,
            column: last_line.chars().count() + 1,
        }
    }

    /// Returns the line, counted from one.
    pub(crate) const fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}
