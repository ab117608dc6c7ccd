//! Which events a change of a record means.
//!
//! A [`Change`] is what happened in the system that the events come from: a record was inserted,
//! updated or deleted, or somebody did what changes no record. [`Triggers`] decide which events
//! follow, in order, and make them whole: the body from the record's columns, as the catalogue says,
//! the metadata from the request or job in which it happened.
//!
//! Which events follow is a table of [`TriggerRule`]s, a file for each family of records, each rule with
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

mod change_context;
mod gate;
mod questions;
mod rule;
mod rules;

mod inputs;
mod nearest;
mod placeholder;
mod schema;
mod shape;
mod template;
mod unused_columns;

mod body;
mod change_path;
mod computed;
mod json;
mod metadata;
mod value;

mod page;

pub use change::{Change, Subject};
pub use fault::{ChangeFault, ChangeFaults, Warning};
pub use options::{Nulls, SubmissionRule, TriggerOptions};
pub use page::page;
pub use row::Row;
pub use rule::{Operation, TriggerRule};
pub use rules::all as rules;
pub use series::Series;
pub use shape::{ChangeShape, ShapeColumn};
pub use triggers::{ChangeOutcome, Stop, Triggers, TriggersError, unknown_rules};
