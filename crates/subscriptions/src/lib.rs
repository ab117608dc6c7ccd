//! Subscriptions: which events they cover, and the delivery state of every event.
//!
//! A [`Spec`] is the subscriber's request. A [`Filter`] matches events against one spec. An [`Index`]
//! matches events against many specs. An [`Account`] has the state of every offset since the
//! subscription began. [`Subscriptions`] keeps all subscriptions, in memory and in a [`StateStore`].
//! This crate sends nothing: `deliver` and `sinks` do that.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use easel_catalog::Reach;
//! use easel_log::{Bounds, Offset};
//! use easel_subscriptions::{Account, Filter, Spec, Term};
//!
//! let json = r#"{"name":"grades","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#;
//! let spec: Spec = serde_json::from_str(json)?;
//! let catalog = Arc::new(easel_catalog::Catalog::built_in());
//! let filter = Filter::new(&Reach::Everything, &spec, &catalog.into());
//! assert!(filter.wants_type("grade_change") && !filter.wants_type("course_created"));
//!
//! let mut account = Account::new(Offset::ZERO);
//! account.owe(Offset::new(2)); // The filter rejected the offsets 0 and 1.
//! account.deliver(Offset::new(2));
//! let balance = account.balance(|| Bounds { tail: Offset::ZERO, head: Offset::new(4) });
//! let terms = [Term::Filtered, Term::Delivered, Term::Pending];
//! assert_eq!(terms.map(|term| balance.get(term)), [2, 1, 1]);
//! assert!(balance.adds_up());
//! # Ok(())
//! # }
//! ```

mod definition;
mod full_name;
mod owner;
mod spec;

mod replay;
mod schedule;

mod event_account;
mod filter;
mod index;
mod match_context;

mod account;
mod attempt_log;
mod balance;
mod term;

mod lane_id;
mod memory_store;
#[cfg(feature = "sqlite")]
mod sqlite_store;
mod state_store;

mod change_error;
mod metrics;
mod spec_check;
mod subscription;
mod subscriptions;

#[cfg(any(test, feature = "promises"))]
pub mod promises;

pub use account::{
    Account, Attempt, CountMarks, DeadLetter, DeliveryRow, Due, FeedPosition, Journal,
    JournalError, LaneClock, LaneTime, Loss, Parked, ParkedChange, ReachTally, TrimmedEvents,
    UnmatchedOffsets,
};
pub use attempt_log::{AttemptLog, AttemptPart, LoggedAttempt};
pub use balance::Balance;
pub use change_error::ChangeError;
pub use definition::{Definition, GuardState, Origin, State};
pub use event_account::event_account;
pub use filter::{Filter, FilterVerdict};
pub use full_name::{FullName, FullNameError};
pub use index::Index;
pub use lane_id::{LaneId, SubscriptionId};
pub use match_context::MatchContext;
pub use memory_store::MemoryStore;
pub use owner::{Owner, OwnerSystem, Tombstone};
pub use replay::{ReplayNumber, ReplaySpec, StoredReplay};
pub use schedule::{Schedule, ScheduleError, clamp_retry_after};
pub use spec::{
    Authentication, BatchSize, ClientCertificate, Conditions, EventGlob, Format, InFlight, Masking,
    MaxRate, Name, OnExhausted, OrderBy, Promote, QueueCredentials, Signing, SinkSpec, Spec,
    SpecError, SpecJson, SqlLayout, SqlSpec, SqsSpec, Start, WebhookSpec,
};
pub use spec_check::SpecCheck;
#[cfg(feature = "sqlite")]
pub use sqlite_store::{
    OpenStoreError, STATE_LAYOUT, SqliteStore, StoredCursor, StoredStateError, sealing_keys,
    stored_cursors,
};
pub use state_store::{
    Epoch, NewSubscription, Revision, StateStore, StateStoreError, StoredSubscription,
};
pub use subscription::{Hold, Replay, SharedState, Subscription};
pub use subscriptions::{Declaration, OwnedChange, Redelivery, Subscriptions};
pub use term::{Counts, Term};
