//! A campus in memory that lives a term.
//!
//! A [`Campus`] is accounts, courses, people and what they make; it tells, one after another in the
//! order of time, the [changes](easel_triggers::Change) that a learning management system would
//! make of its life: students log in by day, hand in shortly before it is due, are graded some days
//! later. The same [`TermOptions`] give the same term, to the last byte.
//!
//! Not here: which events a change means, and sending them anywhere.

mod campus;
mod options;
mod registry;

mod action;
mod calendar;
mod people;
mod rng;

mod day;
mod setup;

mod coursework;
mod editing;
mod grading;
mod studying;

mod context;
mod rows;

pub use campus::Campus;
pub use options::TermOptions;
