//! Standing orders: who wants which events, and what became of every event for each of them.
//!
//! A [`Spec`] is what a subscriber asked for, a [`Filter`] decides what that covers, an [`Index`]
//! decides it for many at once, an [`Account`] knows what became of every offset since the
//! subscription began, and [`Subscriptions`] has them all, in memory and in a [`StateStore`].
//! Not here: sending anything, and time-outs, which are `deliver`'s and `sinks`'.

mod spec;

mod filter;
mod format_check;
mod index;

mod account;
mod balance;
mod term;

mod lane_id;
mod memory_store;
#[cfg(feature = "sqlite")]
mod sqlite_store;
mod state_store;

mod metrics;
mod subscription;
mod subscriptions;

#[cfg(any(test, feature = "promises"))]
pub mod promises;

pub use account::{Account, FeedPosition, Journal, JournalError, Loss, Trim};
pub use balance::Balance;
pub use filter::Filter;
pub use index::Index;
pub use lane_id::{LaneId, SubscriptionId};
pub use memory_store::MemoryStore;
pub use spec::{
    Batch, Conditions, EventGlob, Format, InFlight, Name, SinkSpec, Spec, SpecError, SpecJson,
    Start, WebhookSpec,
};
#[cfg(feature = "sqlite")]
pub use sqlite_store::{STATE_LAYOUT, SqliteStore, Standing, StandingsError, standings};
pub use state_store::{Definition, Entry, Epoch, NewEntry, Revision, StateStore, StoreError};
pub use subscription::{Hold, Live, Origin, State, Subscription};
pub use subscriptions::{ChangeError, SpecCheck, Subscriptions};
pub use term::{Counts, Term};
