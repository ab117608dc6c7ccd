//! Ways of sending events to a subscriber.
//!
//! A lane sends only through the trait [`Sink`]: it passes a [`Batch`] and gets an [`Outcome`]. Each
//! way of sending is one file with a folder beside it, and one feature of this crate. This crate does not
//! decide when to retry, and keeps no state after an attempt except connections.
//!
//! ```
//! use std::time::Duration;
//!
//! use easel_sinks::{Blame, Outcome, SendError};
//!
//! let busy = SendError::Busy {
//!     reason: "the endpoint is busy (503)".to_owned(),
//!     retry_after: Some(Duration::from_secs(30)),
//! };
//! let outcome = Outcome::each(vec![Ok(()), Err(busy)]);
//! assert_eq!(outcome.result(0), Ok(()));
//! let failure = outcome.result(1).unwrap_err();
//! assert_eq!(failure.name(), "busy");
//! assert!(matches!(failure.blame(), Blame::Endpoint { retry_after: Some(_) }));
//! ```

mod answer;
mod batch;
mod error_text;
mod guard;
mod jwt_cell;
mod outcome;
mod sink;
#[cfg(feature = "webhook")]
mod webhook;

pub use answer::EndpointAnswer;
pub use batch::{Batch, Form, Item};
pub use error_text::text_with_causes;
pub use guard::{
    AddressError, AddressKind, CheckedAddress, Embedding, Guard, GuardMode, Refused, RefusedReason,
    Resolve, SystemResolver,
};
pub use jwt_cell::JwtCell;
pub use outcome::{Blame, Outcome, Results, SendError};
pub use sink::{Order, Sink, SinkLimits, StoredPosition};
#[cfg(feature = "webhook")]
pub use webhook::{
    ClientError, ClientIdentity, ClientIdentityError, CustomHeaders, CustomHeadersError, Endpoint,
    EndpointError, JwtSigner, ProxyError, RequestSigner, TimeSource, Trial, Webhook, WebhookClient,
    WebhookOptions, WebhookSettings, describe_metrics,
};
