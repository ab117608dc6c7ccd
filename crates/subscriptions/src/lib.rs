//! Standing orders: who wants which events, and how far each has been served.
//!
//! A [`Spec`] is what a subscriber asked for, a [`Filter`] decides what that covers, an [`Index`]
//! decides it for many at once, a [`Ledger`] knows what became of every offset since the
//! subscription began, and [`Subscriptions`] keeps them all, in memory and on disk.
//! Not here: sending anything, and time-outs, which are `deliver`'s and `sinks`'.

mod spec;

mod filter;
mod format_check;
mod index;

mod balance;
mod ledger;

mod metrics;
mod store;
mod subscription;
mod subscriptions;

pub use balance::Balance;
pub use filter::Filter;
pub use index::Index;
pub use ledger::{Ledger, Loss, Settled};
pub use spec::{
    Batch, Conditions, EventGlob, Format, InFlight, Name, Spec, SpecError, Start, WebhookSpec,
};
pub use store::{STATE_LAYOUT, Standing, StoreError, standings};
pub use subscription::{Hold, Live, Origin, State, Subscription};
pub use subscriptions::{ChangeError, SpecCheck, Subscriptions};
