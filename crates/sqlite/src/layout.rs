//! What a store says about its file.

use rusqlite::Connection;

/// One step from a format to the next. It runs in a transaction together with the format number.
pub type Migration = fn(&Connection) -> rusqlite::Result<()>;

/// What a store says about its file.
#[derive(Debug)]
pub struct Layout {
    /// What the file is called in messages, such as `event log`.
    pub noun: &'static str,
    /// What the file is for. It is written into the file, so that two files of the same application
    /// id cannot take each other's place.
    pub role: &'static str,
    /// The application id in the file's header.
    pub application_id: u32,
    /// A table that files of format 1 have, if these were written without an application id.
    pub unnumbered_table: Option<&'static str>,
    /// The steps from an empty file to the current format: step `n` makes format `n + 1`.
    pub migrations: &'static [Migration],
    /// What a commit waits for.
    pub durability: Durability,
    /// Who moves the write-ahead log into the database.
    pub checkpoints: Checkpoints,
    /// The first offset of the event log that the store's own tables do not know about. An error
    /// means that the tables are damaged.
    pub seen: fn(&Connection) -> rusqlite::Result<u64>,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is synced (`synchronous = FULL`).
    Full,
    /// A power failure may take back the latest commits (`synchronous = NORMAL`).
    Normal,
}

/// Who moves the write-ahead log into the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoints {
    /// SQLite, as it sees fit.
    Automatic,
    /// The store alone, since it must notice when that fails.
    ByOwner,
}

impl Layout {
    /// The format that this program writes.
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
