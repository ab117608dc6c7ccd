//! Ways of sending events to a subscriber.
//!
//! [`Sink`] is the whole of what a lane knows about sending: it is given a [`Batch`] and answers
//! with an [`Outcome`]. Each way of sending is a file of its own with a folder beside it, and a
//! feature of this crate. Not here: when to try again, and anything that remembers.

mod answer;
mod batch;
mod outcome;
mod sink;
#[cfg(feature = "webhook")]
mod webhook;

pub use answer::EndpointAnswer;
pub use batch::{Batch, Form, Item};
pub use outcome::{Blame, Outcome, Results, SendError};
pub use sink::{Order, Sink, SinkLimits};
#[cfg(feature = "webhook")]
pub use webhook::{
    ClientError, Endpoint, EndpointError, TimeSource, Trial, Webhook, WebhookClient,
    WebhookOptions, WebhookSettings,
};
