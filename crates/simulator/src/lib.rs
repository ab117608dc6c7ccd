//! Simulates a term on a campus in memory.
//!
//! A [`Campus`] has accounts, courses, people and their work. It is an iterator over the
//! [changes](easel_triggers::Change) that a learning management system would record, in the order of
//! time. Users are active mostly by day. Students submit mostly shortly before the due time, and get grades
//! some days later.
//! The same [`TermOptions`] always give the same changes.
//!
//! This crate does not turn changes into events, and does not send them.
//!
//! ```
//! use easel_simulator::{Campus, TermOptions};
//!
//! let options = TermOptions {
//!     students: 5,
//!     days: 2,
//!     ..TermOptions::default()
//! };
//! let changes: Vec<_> = Campus::new(options).collect();
//! assert!(changes.is_sorted_by_key(|change| change.occurred_at));
//! assert!(Campus::new(options).eq(changes));
//! ```

mod campus;
mod options;
mod registry;

mod action;
mod calendar;
mod people;
mod rng;

mod day;
mod setup;
mod setup_progress;

mod coursework;
mod editing;
mod grading;
mod studying;

mod context;
mod rows;

pub use campus::Campus;
pub use options::TermOptions;
