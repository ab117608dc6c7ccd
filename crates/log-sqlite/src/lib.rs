//! The log in one SQLite file: the embedded backend.
//!
//! It keeps the promises of [`easel_log::Log`], and one more of its own: after a failed write it
//! refuses every further one until it is opened again. What reached the disk is then not known,
//! and a second sync that succeeds would prove nothing about the first. Reads go on meanwhile.
//!
//! One process writes a file, through one [`SqliteLog`]. A second writer would run into the first
//! one's offsets and refuse, but the data folder is locked before a log is opened.

mod log;

mod blocks;
mod connections;
mod file;
mod published;
mod state;
mod writer;

pub use file::OpenLogError;
pub use log::SqliteLog;

#[cfg(test)]
mod tests;
