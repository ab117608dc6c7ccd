//! How far a file was imported.

use jiff::Timestamp;

use crate::{ImportKey, SourceName};

/// A file that a client wants to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFile {
    /// The name of the import.
    pub name: SourceName,
    /// Where the file is, such as an absolute path or an address of S3.
    pub location: String,
    /// Its size in bytes, if it is known.
    pub size: Option<u64>,
    /// A text that changes when the file changes, such as its time of modification.
    pub version: Option<String>,
}

/// What became of the records of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Events that this import stored.
    pub accepted: u64,
    /// Events that the log had already.
    pub duplicates: u64,
    /// Records that are not events. They are in quarantine.
    pub rejected: u64,
}

/// How far a file was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportState {
    /// The key of the file.
    pub key: ImportKey,
    /// The file, as the client described it last.
    pub file: ImportFile,
    /// Rises whenever a client begins with the file. Only the client with the latest one may send.
    pub generation: u64,
    /// The first byte that was not imported, in the uncompressed text.
    pub position: u64,
    /// What the client needs to continue at `position`.
    pub checkpoint: String,
    /// Whether the end of the file was imported.
    pub is_finished: bool,
    /// What became of the records before `position`.
    pub counts: ImportCounts,
    /// The place of the last record that was saved.
    pub through: Option<u64>,
    /// The place of the last record of this file that is known to be in the log. It is after `through` if a
    /// crash came between append and save.
    pub stored_through: Option<u64>,
    /// The place of the last record of this file that is known to be in quarantine.
    pub quarantined_through: Option<u64>,
    /// The heads of both logs when the state was saved.
    pub heads: PendingPart,
    /// Whether a part may be in the logs that is not saved here. All its records are at or after `heads`.
    pub is_pending: bool,
    /// When the state was saved.
    pub updated_at: Timestamp,
}

/// The heads of the logs before a part is appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingPart {
    /// The head of the log of events.
    pub log: u64,
    /// The head of the quarantine.
    pub quarantine: u64,
}

/// A part of a file that is in the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPart {
    /// The new position.
    pub position: u64,
    /// What the client needs to continue there.
    pub checkpoint: String,
    /// Whether the part ends at the end of the file.
    pub is_last: bool,
    /// The place of its last record.
    pub through: Option<u64>,
    /// What became of its records.
    pub counts: ImportCounts,
    /// The heads of both logs after it was appended.
    pub heads: PendingPart,
}

impl std::ops::AddAssign for ImportCounts {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
    }
}
