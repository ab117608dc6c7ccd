//! Loads the catalogue: the built-in data files, and the operator's files that override them.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use easel_catalog::{Catalog, CatalogError, CatalogFile, DataFileError};
use thiserror::Error;

/// The operator's own data files: the path below the folder and the text of each file.
pub(crate) type OwnFiles = Vec<(String, String)>;

/// A place in a text file. Lines and columns count from one; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlace {
    path: PathBuf,
    line: usize,
    column: usize,
}

/// A fault of the folder of data files, or of one file.
#[derive(Debug, Error)]
pub enum CatalogFault {
    /// The folder, or a file in it, cannot be read.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// The folder or the file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The name of a file is not UTF-8.
    #[error("failed to read {}: its name must be UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The content of a file is invalid.
    #[error("{place}: {fault}")]
    File {
        /// The place of the fault.
        place: FilePlace,
        /// The fault.
        fault: String,
    },
}

/// All faults of the folder of data files. Never empty.
#[derive(Debug, Error)]
pub struct CatalogFaults(pub Vec<CatalogFault>);

/// Loads the catalogue. If there is a `folder`, its `.toml` files override the built-in ones.
pub fn load_catalog(folder: Option<&Path>) -> Result<Catalog, CatalogFaults> {
    let Some(folder) = folder else {
        return Ok(Catalog::built_in());
    };
    let files = read_files(folder).map_err(|fault| CatalogFaults(vec![fault]))?;
    build(folder, &files)
}

/// Reads every data file below `folder`.
pub(crate) fn read_files(folder: &Path) -> Result<OwnFiles, CatalogFault> {
    let mut files = Vec::new();
    read_below(folder, folder, &mut files)?;
    Ok(files)
}

/// Builds the built-in catalogue, overridden by the `files` of `folder`.
pub(crate) fn build(folder: &Path, files: &OwnFiles) -> Result<Catalog, CatalogFaults> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| CatalogFile { path, text })
        .collect();
    let first_error = match Catalog::with_files(&files) {
        Ok(catalog) => return Ok(catalog),
        Err(error) => error,
    };
    // The catalogue stops at the first fault, but the operator must see the faults of all files.
    let errors = files.iter().filter_map(|file| file.check().err());
    let mut faults: Vec<_> = errors.map(|error| file_fault(folder, error)).collect();
    if faults.is_empty() {
        faults.push(catalog_fault(folder, &files, first_error));
    }
    Err(CatalogFaults(faults))
}

/// Returns the first place of `word` in the first data file whose path `is_wanted` accepts.
pub(crate) fn place_of_word(
    folder: &Path,
    files: &OwnFiles,
    is_wanted: impl Fn(&str) -> bool,
    word: &str,
) -> Option<FilePlace> {
    let (path, text) = files.iter().find(|(path, _)| is_wanted(path))?;
    let (line, column) = CatalogFile { path, text }.locate(word);
    Some(FilePlace {
        path: folder.join(path),
        line,
        column,
    })
}

fn file_fault(folder: &Path, error: DataFileError) -> CatalogFault {
    CatalogFault::File {
        place: FilePlace {
            path: folder.join(error.path),
            line: error.line,
            column: error.column,
        },
        fault: error.fault,
    }
}

fn catalog_fault(folder: &Path, files: &[CatalogFile<'_>], error: CatalogError) -> CatalogFault {
    let text = error.to_string();
    let (path, word) = match error {
        CatalogError::File(error) => return file_fault(folder, error),
        CatalogError::Example { path, pointer, .. } => {
            let word = pointer.rsplit('/').next().unwrap_or_default().to_owned();
            (path, word)
        }
        CatalogError::DuplicateEventType { path, .. }
        | CatalogError::FormWithoutEventType { path }
        | CatalogError::FormWithoutField { path, .. }
        | CatalogError::TooManyFields { path } => (path, String::new()),
    };
    // The text begins with the path, which the place repeats.
    let fault = text
        .strip_prefix(&format!("{path}: "))
        .unwrap_or(&text)
        .to_owned();
    let file = files.iter().find(|file| file.path == path);
    let (line, column) = match file {
        Some(file) if !word.is_empty() => file.locate(&word),
        Some(_) | None => (1, 1),
    };
    CatalogFault::File {
        place: FilePlace {
            path: folder.join(path),
            line,
            column,
        },
        fault,
    }
}

/// Reads every data file below `folder`. The paths in `files` are relative to `root`.
fn read_below(root: &Path, folder: &Path, files: &mut OwnFiles) -> Result<(), CatalogFault> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| CatalogFault::Unreadable { path, source }
    };
    let entries = fs::read_dir(folder).map_err(unreadable(folder))?;
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable(folder))?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_below(root, &path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
            let below = path.strip_prefix(root).unwrap_or(&path);
            match below.to_str() {
                Some(name) => files.push((name.to_owned(), text)),
                None => return Err(CatalogFault::NotText { path }),
            }
        }
    }
    Ok(())
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

impl fmt::Display for CatalogFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.0.iter().map(CatalogFault::to_string).collect();
        f.write_str(&faults.join("; "))
    }
}
