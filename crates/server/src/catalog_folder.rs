//! The catalogue, with the data files of a folder over the built-in ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use easel_catalog::{Catalog, CatalogError, DataFile};
use thiserror::Error;

/// Why the catalogue could not be put together.
#[derive(Debug, Error)]
pub enum CatalogFolderError {
    /// The folder, or a file in it, cannot be read.
    #[error("read {path}", path = path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file's name is not text.
    #[error("read {path}: its name is not UTF-8", path = path.display())]
    NotText {
        /// Which one.
        path: PathBuf,
    },
    /// What the files say makes no catalogue.
    #[error("read the data files in {folder}", folder = folder.display())]
    Catalog {
        /// The folder.
        folder: PathBuf,
        /// What is wrong, with file and line.
        source: CatalogError,
    },
}

/// The catalogue: the built-in one, with every `.toml` file below `folder`, if there is one, over
/// it.
pub fn load_catalog(folder: Option<&Path>) -> Result<Catalog, CatalogFolderError> {
    let Some(folder) = folder else {
        return Ok(Catalog::built_in());
    };
    let mut files = Vec::new();
    read(folder, folder, &mut files)?;
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| DataFile { path, text })
        .collect();
    Catalog::with_files(&files).map_err(|source| CatalogFolderError::Catalog {
        folder: folder.to_owned(),
        source,
    })
}

/// Reads every data file below `folder`, with its path below `root`.
fn read(
    root: &Path,
    folder: &Path,
    files: &mut Vec<(String, String)>,
) -> Result<(), CatalogFolderError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| CatalogFolderError::Unreadable { path, source }
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
                None => return Err(CatalogFolderError::NotText { path }),
            }
        }
    }
    Ok(())
}
