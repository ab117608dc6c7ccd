//! Events: the catalogue of all event types, admission, event ids, and the facts that filters use.
//!
//! [`admit`] turns bytes into an [`Event`] in one pass, without a tree. [`split_array`] and
//! [`split_lines`] split a batch first, so that one invalid event does not reject the others.
//! [`admit_hosted`] also takes a Caliper envelope, as a hosted Canvas sends it. [`Facts`] reads the
//! accounts, context and user of a stored event.
//!
//! The [`Catalog`] knows every event type and field. It validates events and makes examples. It
//! also generates JSON Schemas, an AsyncAPI document and Markdown pages.
//!
//! An [`OperatorEvent`] is an event of Easel itself. No sender can send one.
//!
//! This room is pure: it has no clock, no files, no network and no tasks. No input makes it panic.
//!
//! ```
//! use easel_catalog::{Catalog, FaultCode, Limits, admit};
//!
//! let input = br#"{
//!     "metadata": {"event_name": "logged_out", "event_time": "2019-11-01T19:11:05.222Z"},
//!     "body": {"mood": "good"}
//! }"#;
//! let event = admit(input, &Limits::default())?;
//! assert_eq!(event.event_type.as_ref(), "logged_out");
//!
//! let mut findings = Vec::new();
//! Catalog::built_in().check(&event.event_type, &event.bytes, |finding| {
//!     findings.push(format!("{} {}", finding.rule.code(), finding.pointer()));
//! });
//! assert_eq!(findings, ["unknown_field /body/mood"]);
//!
//! let fault = admit(b"{}", &Limits::default()).unwrap_err();
//! assert_eq!(fault.code, FaultCode::MissingMetadata);
//! # Ok::<(), easel_catalog::Fault>(())
//! ```

mod caliper_template;
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
mod confinement;
mod finding;
mod mask;
mod url_masker;

mod async_api;
mod caliper_schema;
mod description;
mod example;
mod explanation;
mod json_schema;
mod page;

mod admission;
mod caliper_envelope;
mod encoding;
mod event;
mod facts;
mod fault;
mod fault_code;
mod filter_facts;
mod flaw;
mod hosted_admission;
mod limits;
mod object_members;
mod order_key;
mod place;
mod raw_text;
mod scanner;
mod seen_keys;
mod split;

mod json;
mod json_tree;
mod json_writer;

mod operator_event;

mod cut;
mod global_id;
mod reach;
mod reach_rules;
mod timestamp;

pub use admission::{admit, admit_stored};
pub use caliper_template::{
    ActorSource, CaliperTemplate, Computed, CourseSource, DialectTemplate, Part, TemplateProperty,
    ValueSource,
};
pub use catalog::{Catalog, CatalogError};
pub use catalog_file::{CatalogFile, DataFileError};
pub use column::Column;
pub use cut::{MAX_TEXT_CHARS, cut_text};
pub use encoding::{NotUtf8Text, without_bom};
pub use event::{Event, EventShape, event_id};
pub use event_type::{Context, EventOrigin, EventType, MadeBy, MetadataField, MetadataUse};
pub use facts::Facts;
pub use fault::Fault;
pub use fault_code::FaultCode;
pub use field::{Field, IdKind, IdScope, Kind, Precision, Privacy, Spelling, Values};
pub use fields::Fields;
pub use filter_facts::{EventDetails, FilterFacts};
pub use finding::{Drift, Finding, Rule, ValueClass};
pub use global_id::{GlobalId, GlobalIdError};
pub use hosted_admission::admit_hosted;
pub use json::{Json, JsonString};
pub use json_tree::read_value;
pub use json_writer::JsonWriter;
pub use limits::Limits;
pub use list::List;
pub use mask::mask;
pub use operator_event::{FoundDrift, OperatorEvent, TellOperator, is_operator_event};
pub use order_key::{KeyField, KeyFieldError, OrderKey};
pub use page::Page;
pub use place::Place;
pub use raw_text::decode_text;
pub use reach::{Reach, ReachError, RootAccount, RootAccountError};
pub use reach_rules::{EventAccount, ReachRules};
pub use split::{split_array, split_lines};
pub use timestamp::{body_time, event_time, parse_day, parse_timestamp};
pub use toml_words::{toml_syntax_words, toml_words};
pub use url_masker::{MaskNameError, UrlMasker};
