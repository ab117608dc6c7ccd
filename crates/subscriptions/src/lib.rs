//! Standing orders: who wants which events, and what became of every event for each of them.
//!
//! A [`Spec`] is what a subscriber asked for, a [`Filter`] decides what that covers, an [`Index`]
//! decides it for many at once, an [`Account`] knows what became of every offset since the
//! subscription began, and [`Subscriptions`] has them all, in memory and in a [`StateStore`].
//! Not here: sending anything, and time-outs, which are `deliver`'s and `sinks`'.

mod spec;

mod replay;
mod schedule;

mod filter;
mod index;

mod account;
mod attempt_log;
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

pub use account::{
    Account, Attempt, DeadLetter, DeliveryRow, Due, FeedPosition, Journal, JournalError, LaneClock,
    LaneTime, Loss, Parked, ParkedNews, TrimmedEvents,
};
pub use attempt_log::{AttemptLog, AttemptPart, LoggedAttempt};
pub use balance::Balance;
pub use filter::Filter;
pub use index::Index;
pub use lane_id::{LaneId, SubscriptionId};
pub use memory_store::MemoryStore;
pub use replay::{ReplayEntry, ReplayNumber, ReplaySpec};
pub use schedule::{Schedule, ScheduleError, clamp_asked};
pub use spec::{
    BatchSize, Conditions, EventGlob, Format, InFlight, MaxRate, Name, OnExhausted, OrderBy,
    SinkSpec, Spec, SpecError, SpecJson, Start, WebhookSpec,
};
#[cfg(feature = "sqlite")]
pub use sqlite_store::{STATE_LAYOUT, SqliteStore, Standing, StandingsError, standings};
pub use state_store::{
    Definition, Epoch, NewEntry, Revision, StateStore, StateStoreError, StoredSubscription,
};
pub use subscription::{Hold, Live, Origin, Replay, State, Subscription};
pub use subscriptions::{ChangeError, Redelivery, SpecCheck, Subscriptions};
pub use term::{Counts, Term};
