//! What an event is: admission, identity, the facts a filter may ask for.
//!
//! Bytes become an [`Event`] through [`admit`], in one pass and without a tree. A batch is taken
//! apart with [`split_array`] or [`split_lines`] first, so that one bad event does not cost the
//! others. What was admitted is read again with [`Facts`].
//!
//! This room is pure: no clock, no files, no network, no tasks, and no input makes it panic.

mod admission;
mod event;
mod facts;
mod fault;
mod keys;
mod limits;
mod place;
mod scanner;
mod split;
mod text;
mod timestamp;

pub use admission::admit;
pub use event::{Event, event_id};
pub use facts::Facts;
pub use fault::{Fault, FaultCode};
pub use limits::Limits;
pub use place::Place;
pub use split::{split_array, split_lines};
pub use timestamp::parse_timestamp;
