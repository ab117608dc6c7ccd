//! Lanes: from the log to the subscribers.
//!
//! The [`Dispatch`] keeps one lane per active subscription. New events are matched once for all
//! lanes that are up to date, by the feed; a lane that is behind looks for itself until it has
//! caught up. A lane sends, settles, and holds itself back when its endpoint fails.
//! Not here: what a subscription is, and how an event is sent.

mod dispatch;

mod feed;

mod backoff;
mod delivery;
mod formatter;
mod lane;
mod shipment;

mod metrics;

pub use dispatch::{Dispatch, DispatchOptions, MakeSink, Supplies};
