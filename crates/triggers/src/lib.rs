//! Which events a change of a record means.
//!
//! A [`Change`] is what happened in the system that the events come from: a record was inserted,
//! updated or deleted, or somebody did what changes no record. [`Triggers`] decide which events
//! follow, in order, and make them whole: the body from the record's columns, as the catalogue says,
//! the metadata from the request or job in which it happened.
//!
//! Which events follow is a table of [`Rule`]s, a file for each family of records, each rule with
//! the gates it stands behind. Where a field's value comes from is in the catalogue.
//!
//! This room is pure: no clock, no files, no network, no tasks, and no input makes it panic.

mod series;
mod triggers;

mod change;
mod change_json;
mod fault;
mod further;
mod options;
mod row;
mod tree;

mod asked;
mod gate;
mod rule;
mod rules;
mod scene;

mod inputs;
mod nearest;
mod placeholder;
mod schema;
mod shape;
mod template;
mod unused_columns;

mod body;
mod json;
mod metadata;
mod place;
mod value;
mod worked;

mod page;

pub use change::{Change, Subject};
pub use fault::{ChangeFault, ChangeFaults, Warning};
pub use options::{Nulls, Options, SubmissionRule};
pub use page::page;
pub use row::Row;
pub use rule::{Operation, Rule};
pub use rules::all as rules;
pub use series::Series;
pub use shape::{Shape, ShapeColumn};
pub use triggers::{Outcome, Stop, Triggers, TriggersError, unknown_rules};
