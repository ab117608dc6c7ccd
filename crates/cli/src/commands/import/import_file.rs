//! A file to import: on the disk, in S3, or stdin.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

use crate::exit_code::{Code, Failure, OrExit};

/// A file to import.
#[derive(Clone, Debug)]
pub(super) struct FileToImport {
    /// Its absolute path or its address. The server knows the file by it.
    pub(super) location: String,
    pub(super) size: Option<u64>,
    /// A text that changes when the file changes.
    pub(super) version: Option<String>,
    pub(super) place: ImportOrigin,
}

/// How a file is opened.
#[derive(Clone, Debug)]
pub(super) enum ImportOrigin {
    Path(PathBuf),
    Stdin,
    #[cfg(feature = "s3")]
    S3(super::s3::S3Object),
}

impl FileToImport {
    /// Returns the file at `path`, or all files of this folder and its folders, sorted by path. Files whose name begins
    /// with a dot are left out.
    pub(super) fn all_at(path: &Path) -> Result<Vec<Self>, Failure> {
        let context = || format!("failed to read {}", path.display());
        let path = path
            .canonicalize()
            .with_context(context)
            .or_exit(Code::BadInput)?;
        let mut files = Vec::new();
        if path.is_dir() {
            add_folder(&path, &mut files)
                .with_context(context)
                .or_exit(Code::BadInput)?;
            files.sort_by(|a, b| a.location.cmp(&b.location));
            if files.is_empty() {
                let error = anyhow!("the folder {} has no files", path.display());
                return Err(Failure::new(Code::BadInput, error));
            }
        } else {
            files.push(
                Self::at(&path)
                    .with_context(context)
                    .or_exit(Code::BadInput)?,
            );
        }
        Ok(files)
    }

    /// Returns stdin. Each run is another file.
    pub(super) fn stdin() -> Self {
        let now = Timestamp::now();
        Self {
            location: format!("stdin of process {} at {now:.6}", std::process::id()),
            size: None,
            version: None,
            place: ImportOrigin::Stdin,
        }
    }

    /// Returns the object at `address` and all objects below it, sorted by key.
    #[cfg(feature = "s3")]
    pub(super) async fn all_in_s3(
        address: &str,
        endpoint: Option<&str>,
    ) -> Result<Vec<Self>, Failure> {
        let objects = super::s3::objects_at(address, endpoint).await?;
        let file = |found: super::s3::FoundObject| Self {
            location: found.location,
            size: Some(found.size),
            version: Some(found.version),
            place: ImportOrigin::S3(found.object),
        };
        Ok(objects.into_iter().map(file).collect())
    }

    fn at(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        let modified = metadata.modified().ok();
        let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            location: path.display().to_string(),
            size: Some(metadata.len()).filter(|_| metadata.is_file()),
            version: modified.map(|age| format!("{}.{:09}", age.as_secs(), age.subsec_nanos())),
            place: ImportOrigin::Path(path.to_owned()),
        })
    }

    /// Opens the file.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.place {
            ImportOrigin::Path(path) => Ok(Box::new(File::open(path)?)),
            ImportOrigin::Stdin => Ok(Box::new(io::stdin())),
            #[cfg(feature = "s3")]
            ImportOrigin::S3(object) => Ok(Box::new(object.open())),
        }
    }
}

fn add_folder(folder: &Path, files: &mut Vec<FileToImport>) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type()?;
        // A link to a folder could lead in a circle.
        if kind.is_dir() {
            add_folder(&path, files)?;
        } else if path.is_file() {
            files.push(FileToImport::at(&path)?);
        }
    }
    Ok(())
}
