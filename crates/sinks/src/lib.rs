//! Ways of sending an event to a subscriber.
//!
//! [`Sink`] is the whole of what a lane knows about sending; each way of sending is a file of its
//! own with a folder beside it. Not here: when to try again, and anything that remembers.

mod sink;
mod webhook;

pub use sink::{Next, Parcel, SendError, Sink};
pub use webhook::{
    ClientError, Endpoint, EndpointError, TimeSource, Trial, Webhook, WebhookClient, WebhookOptions,
};
