//! Reads the files of a data folder, and finds out whether they belong together.
//!
//! Nothing is changed.

use std::path::Path;

use easel_sqlite::{Identity, Inspection, OpenError, inspect};
use thiserror::Error;

use super::files::{FILES, FolderFile, LOG};
use super::manifest::{Manifest, ManifestError};

/// The files of a data folder as they were found.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) manifest: Result<Option<Manifest>, ManifestError>,
    /// In the order of [`FILES`].
    pub(crate) files: Vec<FoundFile>,
}

/// One file as it was found.
#[derive(Debug)]
pub(crate) struct FoundFile {
    pub(crate) file: FolderFile,
    /// `None` if the file is missing or empty.
    pub(crate) found: Result<Option<Inspection>, OpenError>,
}

/// Why the files of a data folder do not belong together.
#[derive(Debug, Error)]
pub enum FolderFault {
    /// The manifest cannot be used.
    #[error("{what}")]
    Manifest {
        /// The fault of the manifest.
        what: String,
        /// Whether a repair can write a new manifest.
        is_repairable: bool,
    },
    /// The manifest is missing, although a file is marked as part of a data folder.
    #[error("manifest.json is missing, but {file} shows that this is a data folder")]
    ManifestMissing {
        /// A marked file.
        file: &'static str,
    },
    /// A required file is missing or empty.
    #[error("{file} is missing or empty")]
    Missing {
        /// The file.
        file: &'static str,
    },
    /// A file cannot be opened.
    #[error("{file} cannot be used: failed to {what}")]
    Unusable {
        /// The file.
        file: &'static str,
        /// The cause.
        what: String,
        /// Whether a repair can replace the file.
        is_repairable: bool,
    },
    /// A file belongs to another data folder.
    #[error("{file} belongs to another data folder")]
    OtherFolder {
        /// The file.
        file: &'static str,
    },
    /// A file has no mark, although the folder has a manifest.
    #[error(
        "{file} does not say which data folder it belongs to: an older version of Easel wrote it"
    )]
    Unmarked {
        /// The file.
        file: &'static str,
    },
    /// A file is older than the manifest.
    #[error(
        "{file} is older than manifest.json: it is an old copy, made before the last start or stop of the server"
    )]
    Older {
        /// The file.
        file: &'static str,
    },
    /// The log ends before an offset that another file has seen.
    #[error("log.db ends at offset {head}, but {by} has seen the log up to offset {seen}")]
    LogBehind {
        /// The head of the log.
        head: u64,
        /// The file that has seen more.
        by: &'static str,
        /// The head that the other file has seen.
        seen: u64,
    },
}

impl Findings {
    /// Reads the files of the folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let files = FILES.iter().map(|file| FoundFile {
            file: *file,
            found: inspect(&folder.join(file.name), file.layout),
        });
        Self {
            manifest: Manifest::read(folder),
            files: files.collect(),
        }
    }

    /// Returns all faults.
    pub(crate) fn faults(&self) -> Vec<FolderFault> {
        let mut faults = Vec::new();
        let manifest = match &self.manifest {
            Ok(manifest) => manifest.as_ref(),
            Err(error) => {
                faults.push(FolderFault::Manifest {
                    what: causes(error),
                    is_repairable: matches!(error, ManifestError::Damaged { .. }),
                });
                None
            }
        };
        let marked = self.files.iter().find(|file| file.identity().is_some());
        if let (Ok(None), Some(marked)) = (&self.manifest, marked) {
            let file = marked.file.name;
            faults.push(FolderFault::ManifestMissing { file });
        }
        faults.extend(
            self.files
                .iter()
                .filter_map(|file| file.fault(manifest, self.identity())),
        );
        let (seen, seen_by) = self.highest_seen();
        match self.log_head() {
            Some(head) if head < seen => faults.push(FolderFault::LogBehind {
                head,
                by: seen_by,
                seen,
            }),
            None if seen > 0 && faults.is_empty() => {
                faults.push(FolderFault::Missing { file: LOG });
            }
            Some(_) | None => (),
        }
        faults
    }

    /// Returns the identity of the folder, if a file has one.
    pub(crate) fn identity(&self) -> Option<Identity> {
        if let Ok(Some(manifest)) = &self.manifest {
            return Some(manifest.identity);
        }
        // The log has precedence over the files that refer to it.
        self.files.iter().rev().find_map(FoundFile::identity)
    }

    /// Returns the highest generation of the files and the manifest.
    pub(crate) fn generation(&self) -> u64 {
        let files = self.files.iter().filter_map(FoundFile::mark_generation);
        let manifest = match &self.manifest {
            Ok(Some(manifest)) => Some(manifest.generation),
            Ok(None) | Err(_) => None,
        };
        files.chain(manifest).max().unwrap_or(0)
    }

    /// Returns the head of the log, if the folder has a log of its own.
    pub(crate) fn log_head(&self) -> Option<u64> {
        let log = self.files.iter().find(|file| file.file.name == LOG)?;
        log.own_inspection(self.identity()).map(|found| found.seen)
    }

    /// Returns the highest head of the log that any file has seen, and the name of that file.
    pub(crate) fn highest_seen(&self) -> (u64, &'static str) {
        let identity = self.identity();
        let files = self
            .files
            .iter()
            .filter_map(|file| Some((file.own_inspection(identity)?.seen, file.file.name)));
        let manifest = match &self.manifest {
            Ok(Some(manifest)) => Some((manifest.seen, Manifest::FILE)),
            Ok(None) | Err(_) => None,
        };
        files.chain(manifest).max().unwrap_or((0, LOG))
    }
}

impl FoundFile {
    /// Returns the identity in the mark of the file.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.inspection()?.mark?.identity
    }

    /// Returns what was read from the file, unless the file belongs to another folder.
    pub(crate) fn own_inspection(&self, identity: Option<Identity>) -> Option<&Inspection> {
        let is_other = self.identity().is_some() && self.identity() != identity;
        self.inspection().filter(|_found| !is_other)
    }

    fn inspection(&self) -> Option<&Inspection> {
        self.found.as_ref().ok()?.as_ref()
    }

    /// Returns the generation in the mark of the file.
    pub(crate) fn mark_generation(&self) -> Option<u64> {
        Some(self.inspection()?.mark?.generation)
    }

    /// Returns the fault of this file in a folder with this manifest and identity.
    pub(crate) fn fault(
        &self,
        manifest: Option<&Manifest>,
        identity: Option<Identity>,
    ) -> Option<FolderFault> {
        let file = self.file.name;
        let found = match &self.found {
            Ok(found) => found,
            Err(error) => {
                return Some(FolderFault::Unusable {
                    file,
                    what: causes(error),
                    is_repairable: matches!(
                        error,
                        OpenError::Foreign { .. }
                            | OpenError::Role { .. }
                            | OpenError::Damaged { .. }
                    ),
                });
            }
        };
        let is_listed = manifest.is_some_and(|manifest| manifest.lists(file));
        if found.is_none() {
            return is_listed.then_some(FolderFault::Missing { file });
        }
        match (self.identity(), manifest) {
            (Some(own), _) if Some(own) != identity => Some(FolderFault::OtherFolder { file }),
            (None, Some(_)) if is_listed => Some(FolderFault::Unmarked { file }),
            (Some(_), Some(manifest))
                if self.mark_generation() < Some(manifest.generation) && is_listed =>
            {
                Some(FolderFault::Older { file })
            }
            _ => None,
        }
    }
}

impl FolderFault {
    /// Returns whether `easel repair` can repair the fault. It cannot repair a newer format or an
    /// unreadable disk.
    pub(crate) const fn is_repairable(&self) -> bool {
        match self {
            Self::Manifest { is_repairable, .. } | Self::Unusable { is_repairable, .. } => {
                *is_repairable
            }
            Self::ManifestMissing { .. }
            | Self::Missing { .. }
            | Self::OtherFolder { .. }
            | Self::Unmarked { .. }
            | Self::Older { .. }
            | Self::LogBehind { .. } => true,
        }
    }
}

/// Formats an error and its causes in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
