//! The one way in which SQLite data files are opened, checked, marked and copied.
//!
//! Every store describes its file as a [`Layout`] and opens it with [`open`]. The opener validates
//! the file before it changes a byte: header, application id, format number and role. A file that
//! it rejects stays byte for byte as it was. [`mark()`] writes into a file which data folder it
//! belongs to, and [`copy()`] copies a file while another process writes to it.
//!
//! Not here: what the tables mean, and which files a data folder has.

mod copy;
mod error;
mod header;
mod inspection;
mod layout;
mod mark;
mod opener;
mod permissions;

pub use copy::{CopySource, copy};
pub use error::OpenError;
pub use inspection::{Inspection, inspect, open_at_rest};
pub use layout::{Checkpoints, Durability, Layout, Migration};
pub use mark::{Identity, Mark, create_folder_table, mark, raise_seen};
pub use opener::open;
pub use permissions::{SIDE_FILES, make_private, side_file};

#[cfg(test)]
mod tests;
