//! The description of a data file by its store.

use rusqlite::Connection;

/// A step from one format to the next. The same transaction writes the new format number.
pub type Migration = fn(&Connection) -> rusqlite::Result<()>;

/// The description of a data file by its store.
#[derive(Debug)]
pub struct Layout {
    /// Name of the file in messages, such as `event log`.
    pub noun: &'static str,
    /// Purpose of the file. It is stored in the file, so that files with the same application id
    /// cannot be exchanged.
    pub role: &'static str,
    /// The application id in the file's header.
    pub application_id: u32,
    /// A table that identifies files of format 1 without an application id, if there are any.
    pub unnumbered_table: Option<&'static str>,
    /// The steps from an empty file to the current format. The step at index `n` creates format
    /// `n + 1`.
    pub migrations: &'static [Migration],
    /// Whether a commit waits for fsync.
    pub durability: Durability,
    /// Who makes checkpoints of the WAL.
    pub checkpoints: Checkpoints,
    /// Reads the first offset of the event log that the store's own tables have not seen. An error
    /// means that the tables are damaged.
    pub seen: fn(&Connection) -> rusqlite::Result<u64>,
}

/// Whether a commit waits for fsync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is synced (`synchronous = FULL`).
    Full,
    /// A power failure may undo the latest commits (`synchronous = NORMAL`).
    Normal,
}

/// Who makes checkpoints of the WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoints {
    /// SQLite, automatically.
    Automatic,
    /// Only the store, because it must notice a failed checkpoint.
    ByOwner,
}

impl Layout {
    /// Returns the current format.
    pub fn format(&self) -> u32 {
        u32::try_from(self.migrations.len()).unwrap_or(u32::MAX)
    }
}

impl Durability {
    pub(crate) const fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}
