//! Decides which events follow from a change in the LMS.
//!
//! A [`Change`] describes what happened in the source: a row was inserted, updated or deleted, or
//! somebody did an action that changes no row. [`Triggers`] decides which events follow, in order,
//! and builds them. The body comes from the row's columns, as the catalogue says. The metadata comes
//! from the request or job in which the change happened.
//!
//! The rules are a table of [`TriggerRule`]s, with one file for each family of rows. Each rule has
//! gates: the conditions for its event. The catalogue says where the value of each field comes from.
//!
//! ```
//! use std::sync::Arc;
//!
//! use easel_triggers::{Change, TriggerOptions, Triggers};
//! use serde_json::json;
//!
//! let catalog = Arc::new(easel_catalog::Catalog::built_in());
//! let triggers = Triggers::new(catalog, TriggerOptions::default())?;
//! let page = |title: &str| {
//!     json!({ "id": 5, "title": title, "body": "<p>Fins.</p>", "workflow_state": "active",
//!             "updated_at": "2026-02-11T08:15:41Z" })
//! };
//! let change = Change::from_json(json!({
//!     "record": "WikiPage", "operation": "update", "before": page("Fish"), "after": page("Birds"),
//! }))?;
//! let outcome = triggers.events(&change, jiff::Timestamp::UNIX_EPOCH)?;
//! assert_eq!(&*outcome.events[0].event_type, "wiki_page_updated");
//! assert_eq!(outcome.stopped[0].reason, "workflow_state did not become deleted");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This room is pure: no clock, no files, no network, no tasks. No input makes it panic.

mod series;
mod triggers;

mod change;
mod change_json;
mod fault;
mod further;
mod id;
mod operation;
mod options;
mod row;

mod change_context;
mod column_reads;
mod gate;
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
mod metadata;
mod value;

mod page;

pub use change::{Change, Subject};
pub use fault::{ChangeFault, ChangeFaults, Warning};
pub use operation::Operation;
pub use options::{Nulls, SubmissionRule, TriggerOptions};
pub use page::page;
pub use row::Row;
pub use rule::TriggerRule;
pub use rules::all as rules;
pub use series::Series;
pub use shape::{ChangeShape, ShapeColumn};
pub use triggers::{ChangeOutcome, StoppedEvent, Triggers, TriggersError, unknown_computations};
