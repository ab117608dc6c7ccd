//! Lanes: from the log to the subscribers.
//!
//! The [`Dispatch`] keeps one lane per active subscription. New events are matched once for all
//! lanes that are up to date, by the feed; a lane that is behind looks for itself until it has
//! caught up. A lane sends, settles, and holds itself back when its endpoint fails.
//! Not here: what a subscription is, and how an event is sent.

mod dispatch;

mod feed;
mod lane;

mod backoff;
mod forms;
mod hosts;
mod item_cache;
mod offload;
mod rooms;

mod dead_letter_retention;
mod lag;
mod metrics;
mod saving;

pub use dispatch::{Dispatch, DispatchDeps, DispatchOptions, MakeSink};
