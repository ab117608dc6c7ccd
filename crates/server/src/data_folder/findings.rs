//! What there is in a data folder, and whether it belongs together.
//!
//! Looking changes nothing.

use std::path::Path;

use easel_sqlite::{Identity, Inspection, OpenError, inspect};
use thiserror::Error;

use super::files::{FILES, FolderFile, LOG};
use super::manifest::{Manifest, ManifestError};

/// What there is in a data folder.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) manifest: Result<Option<Manifest>, ManifestError>,
    /// In the order of [`FILES`].
    pub(crate) files: Vec<FoundFile>,
}

/// What there is of one file.
#[derive(Debug)]
pub(crate) struct FoundFile {
    pub(crate) file: FolderFile,
    /// `None` when it is missing, or has no content.
    pub(crate) found: Result<Option<Inspection>, OpenError>,
}

/// Why files do not belong together.
#[derive(Debug, Error)]
pub enum FolderFault {
    /// The manifest cannot be used.
    #[error("{what}")]
    Manifest {
        /// What is wrong with it.
        what: String,
        /// Whether it can be made again.
        is_repairable: bool,
    },
    /// There is no manifest, though files say that they belong to a data folder.
    #[error("manifest.json is missing, although {file} belongs to a data folder")]
    ManifestMissing {
        /// One of these files.
        file: &'static str,
    },
    /// A file that should be there is missing, or empty.
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
        /// Why.
        what: String,
        /// Whether the folder can go on without it.
        is_repairable: bool,
    },
    /// A file is of another data folder.
    #[error("{file} belongs to another data folder")]
    OtherFolder {
        /// The file.
        file: &'static str,
    },
    /// A file was never in a data folder that has a manifest.
    #[error(
        "{file} does not say which data folder it belongs to: an older version of Easel wrote it"
    )]
    Unmarked {
        /// The file.
        file: &'static str,
    },
    /// A file is from an earlier time than the manifest.
    #[error("{file} is older than manifest.json: the server was started or stopped since")]
    Older {
        /// The file.
        file: &'static str,
    },
    /// The log ends before what others have seen of it.
    #[error("log.db ends at offset {head}, but {by} has seen the log up to offset {seen}")]
    LogBehind {
        /// Where it ends.
        head: u64,
        /// Who has seen more.
        by: &'static str,
        /// How much.
        seen: u64,
    },
}

impl Findings {
    /// Looks into the folder.
    pub(crate) fn look(folder: &Path) -> Self {
        let files = FILES.iter().map(|file| FoundFile {
            file: *file,
            found: inspect(&folder.join(file.name), file.layout),
        });
        Self {
            manifest: Manifest::read(folder),
            files: files.collect(),
        }
    }

    /// Everything that does not belong together.
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
        let seen = self.seen();
        match self.log_head() {
            Some(head) if head < seen.0 => faults.push(FolderFault::LogBehind {
                head,
                by: seen.1,
                seen: seen.0,
            }),
            None if seen.0 > 0 && faults.is_empty() => {
                faults.push(FolderFault::Missing { file: LOG })
            }
            Some(_) | None => (),
        }
        faults
    }

    /// The folder's identity, if anything says which it is.
    pub(crate) fn identity(&self) -> Option<Identity> {
        if let Ok(Some(manifest)) = &self.manifest {
            return Some(manifest.identity);
        }
        // The log, and then what speaks of it.
        self.files.iter().rev().find_map(FoundFile::identity)
    }

    /// The highest generation of the files and the manifest.
    pub(crate) fn generation(&self) -> u64 {
        let of_files = self.files.iter().filter_map(FoundFile::mark_generation);
        let of_manifest = match &self.manifest {
            Ok(Some(manifest)) => Some(manifest.generation),
            Ok(None) | Err(_) => None,
        };
        of_files.chain(of_manifest).max().unwrap_or(0)
    }

    /// Where the log ends, if there is one of this folder.
    pub(crate) fn log_head(&self) -> Option<u64> {
        let log = self.files.iter().find(|file| file.file.name == LOG)?;
        log.usable(self.identity()).map(|found| found.seen)
    }

    /// How far the log was seen by whoever has seen most of it, and who that is.
    pub(crate) fn seen(&self) -> (u64, &'static str) {
        let identity = self.identity();
        let of_files = self
            .files
            .iter()
            .filter_map(|file| Some((file.usable(identity)?.seen, file.file.name)));
        let of_manifest = match &self.manifest {
            Ok(Some(manifest)) => Some((manifest.seen, Manifest::FILE)),
            Ok(None) | Err(_) => None,
        };
        of_files.chain(of_manifest).max().unwrap_or((0, LOG))
    }
}

impl FoundFile {
    /// The file's identity.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.inspection()?.mark?.identity
    }

    /// What the file says, unless it is of another folder.
    pub(crate) fn usable(&self, identity: Option<Identity>) -> Option<&Inspection> {
        let is_other = self.identity().is_some() && self.identity() != identity;
        self.inspection().filter(|_found| !is_other)
    }

    fn inspection(&self) -> Option<&Inspection> {
        self.found.as_ref().ok()?.as_ref()
    }

    /// The file's generation.
    pub(crate) fn mark_generation(&self) -> Option<u64> {
        Some(self.inspection()?.mark?.generation)
    }

    /// What is wrong with this file in a folder of this manifest and identity.
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
    /// Whether `easel repair` can do something about it: nothing helps against a newer format but a
    /// newer program, nor against a disk that cannot be read but another disk.
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

/// An error and its causes, in one line.
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
