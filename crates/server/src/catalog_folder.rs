//! The catalogue, with the data files of a folder over the built-in ones.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use easel_catalog::{Catalog, CatalogError, CatalogFile, DataFileError};
use thiserror::Error;

/// The operator's own data files: their paths below the folder, and their text.
pub(crate) type OwnFiles = Vec<(String, String)>;

/// A place in a text file; lines and columns count from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlace {
    path: PathBuf,
    line: usize,
    column: usize,
}

/// What is wrong with the folder of data files, or with one of them.
#[derive(Debug, Error)]
pub enum CatalogFault {
    /// The folder, or a file in it, cannot be read.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file's name is not text.
    #[error("failed to read {}: its name is not UTF-8", path.display())]
    NotText {
        /// Which one.
        path: PathBuf,
    },
    /// A file is wrong.
    #[error("{place}: {fault}")]
    File {
        /// Where.
        place: FilePlace,
        /// What is wrong there.
        fault: String,
    },
}

/// Everything that is wrong with the folder of data files; never empty.
#[derive(Debug, Error)]
pub struct CatalogFaults(pub Vec<CatalogFault>);

/// The catalogue: the built-in one, with every `.toml` file below `folder`, if there is one, over
/// it.
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
    read(folder, folder, &mut files)?;
    Ok(files)
}

/// The built-in catalogue with `files`, of `folder`, over it.
pub(crate) fn build(folder: &Path, files: &OwnFiles) -> Result<Catalog, CatalogFaults> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| CatalogFile { path, text })
        .collect();
    let first = match Catalog::with_files(&files) {
        Ok(catalog) => return Ok(catalog),
        Err(error) => error,
    };
    // The catalogue ends at the first fault; what is wrong with the other files is told as well.
    let alone = files.iter().filter_map(|file| file.check().err());
    let mut faults: Vec<_> = alone.map(|error| file_fault(folder, error)).collect();
    if faults.is_empty() {
        faults.push(fault_of(folder, &files, first));
    }
    Err(CatalogFaults(faults))
}

/// Where `word` stands first in the data file that `is_file` picks by its path.
pub(crate) fn place_of_word(
    folder: &Path,
    files: &OwnFiles,
    is_file: impl Fn(&str) -> bool,
    word: &str,
) -> Option<FilePlace> {
    let (path, text) = files.iter().find(|(path, _)| is_file(path))?;
    let (line, column) = CatalogFile { path, text }.place_of(word);
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

fn fault_of(folder: &Path, files: &[CatalogFile<'_>], error: CatalogError) -> CatalogFault {
    let (path, word, fault) = match error {
        CatalogError::File(error) => return file_fault(folder, error),
        CatalogError::Example {
            path,
            rule,
            pointer,
            what,
        } => {
            let word = pointer.rsplit('/').next().unwrap_or_default().to_owned();
            (
                path,
                word,
                format!("the example breaks `{rule}` at {pointer}: {what}"),
            )
        }
        CatalogError::Twice { path, other } => {
            let fault = format!("{other} is about this event type too");
            (path, String::new(), fault)
        }
        CatalogError::FormOfNothing { path } => {
            let fault = "there is no event type of this name".to_owned();
            (path, String::new(), fault)
        }
        CatalogError::FormWithoutField { path, field } => {
            let fault = format!("the Caliper form uses the field {field:?}, which is missing here");
            (path, String::new(), fault)
        }
        CatalogError::TooManyFields { path } => {
            let fault = "the metadata has too many fields".to_owned();
            (path, String::new(), fault)
        }
    };
    let file = files.iter().find(|file| file.path == path);
    let (line, column) = match file {
        Some(file) if !word.is_empty() => file.place_of(&word),
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

/// Reads every data file below `folder`, with its path below `root`.
fn read(root: &Path, folder: &Path, files: &mut OwnFiles) -> Result<(), CatalogFault> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| CatalogFault::Unreadable { path, source }
    };
    let entries = fs::read_dir(folder).map_err(unreadable(folder))?;
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|it| it.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable(folder))?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(root, &path, files)?;
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
