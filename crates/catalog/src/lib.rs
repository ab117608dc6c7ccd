//! What an event is: the catalogue of all event types, admission, identity, and the facts a filter
//! may ask for.
//!
//! Bytes become an [`Event`] through [`admit`], in one pass and without a tree. A batch is taken
//! apart with [`split_array`] or [`split_lines`] first, so that one bad event does not cost the
//! others. What was admitted is read again with [`Facts`].
//!
//! The [`Catalog`] knows every event type and field. It holds an event against what it knows,
//! makes examples, and is written out as JSON Schema, as an AsyncAPI document and as pages.
//!
//! An [`OperatorEvent`] is an event of Easel itself, which no sender can send.
//!
//! This room is pure: no clock, no files, no network, no tasks, and no input makes it panic.

mod caliper_form;
mod catalog;
mod column;
mod event_type;
mod field;
mod fields;

mod built_in;
mod caliper_file;
mod catalog_file;
mod list;
mod toml_words;

mod check;
mod finding;
mod mask;

mod async_api;
mod caliper_schema;
mod description;
mod example;
mod explanation;
mod json_schema;
mod page;

mod admission;
mod encoding;
mod event;
mod facts;
mod fault;
mod limits;
mod order_key;
mod place;
mod raw_text;
mod scanner;
mod seen_keys;
mod split;

mod json;

mod operator_event;

mod cut;
mod global_id;
mod reach;
mod timestamp;

pub use admission::{admit, admit_stored};
pub use caliper_form::{
    ActorSource, CaliperForm, Computed, CourseSource, Part, Template, TemplateProperty, ValueSource,
};
pub use catalog::{Catalog, CatalogError};
pub use catalog_file::{CatalogFile, DataFileError};
pub use column::Column;
pub use cut::{MAX_TEXT_CHARS, cut_text};
pub use encoding::{NotUtf8Text, without_bom};
pub use event::{Event, event_id};
pub use event_type::{Context, EventOrigin, EventType, MadeBy, MetadataField, MetadataUse};
pub use facts::Facts;
pub use fault::{Fault, FaultCode};
pub use field::{Field, IdKind, IdScope, Kind, Precision, Privacy, Spelling, Values};
pub use fields::Fields;
pub use finding::{Drift, Finding, Rule, ValueClass};
pub use global_id::{GlobalId, GlobalIdError};
pub use json::{Json, JsonString};
pub use limits::Limits;
pub use list::List;
pub use mask::mask;
pub use operator_event::{FoundDrift, OperatorEvent, TellOperator, is_operator_event};
pub use order_key::{KeyField, KeyFieldError, OrderKey};
pub use page::Page;
pub use place::Place;
pub use reach::{Reach, ReachError};
pub use split::{split_array, split_lines};
pub use timestamp::{body_time, event_time, parse_day, parse_timestamp};
pub use toml_words::{toml_syntax_words, toml_words};
