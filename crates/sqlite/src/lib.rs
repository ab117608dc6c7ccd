//! Opens, validates, marks and copies SQLite data files. All stores use this crate.
//!
//! Every store describes its file as a [`Layout`] and opens it with [`open`]. The opener validates
//! header, application id, format number and role before it changes a byte. A rejected file stays
//! unchanged, byte for byte. [`mark()`] writes the identity of a data folder into each of its files.
//! [`copy()`] copies a file while another process writes to it.
//!
//! This crate does not know what the tables mean, and which files a data folder has.
//!
//! ```
//! use easel_sqlite::{Checkpoints, Durability, Layout, create_folder_table, inspect, open};
//!
//! static NOTES: Layout = Layout {
//!     noun: "file of notes",
//!     role: "notes",
//!     application_id: 0x4561_7301,
//!     unnumbered_table: None,
//!     migrations: &[create_folder_table],
//!     durability: Durability::Full,
//!     checkpoints: Checkpoints::Automatic,
//!     seen: |_connection| Ok(0),
//! };
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("notes.db");
//! assert!(inspect(&path, &NOTES)?.is_none());
//! drop(open(&path, &NOTES)?);
//! assert!(inspect(&path, &NOTES)?.is_some_and(|inspection| inspection.format == 1));
//!
//! std::fs::write(&path, "not a database")?;
//! assert!(open(&path, &NOTES).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod copy;
mod error;
mod header;
mod inspection;
mod layout;
mod mark;
mod marking;
mod opener;
mod permissions;

pub use copy::{CopySource, copy};
pub use error::OpenError;
pub use inspection::{Inspection, inspect, open_at_rest};
pub use layout::{Checkpoints, Durability, Layout, Migration};
pub use mark::{Identity, Mark, create_folder_table};
pub use marking::{mark, raise_seen};
pub use opener::open;
pub use permissions::{SIDE_FILES, make_private, side_file};

#[cfg(test)]
mod tests;
