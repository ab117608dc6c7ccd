//! The doors: they validate requests and append their events to the log.
//!
//! Every door promises:
//! - It accepts an event only once the event is on stable storage.
//! - The bytes of all requests, at all doors, count against one memory budget.
//! - A request waits if there is no memory, or if the log is busy. After a timeout it is rejected.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode};
//! use easel_access::Authorizer;
//! use easel_ingest::{Doors, Intake, IntakeOptions, Kinesis, KinesisAuth, routes};
//! use easel_log::{Clock, LogOptions, MemoryLog};
//! use easel_quarantine::Quarantine;
//! use easel_triggers::{TriggerOptions, Triggers};
//! use tower::ServiceExt;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let clock: Arc<dyn Clock> = Arc::new(easel_testkit::FakeClock::default());
//! let log = || Arc::new(MemoryLog::new(LogOptions::default(), Arc::clone(&clock)));
//! let quarantine = Quarantine::new(log(), Arc::clone(&clock));
//! let intake = Intake::new(log(), quarantine, Arc::clone(&clock), IntakeOptions::default());
//! let catalog = Arc::new(easel_catalog::Catalog::built_in());
//! let triggers = Arc::new(Triggers::new(catalog, TriggerOptions::default())?);
//! let kinesis = Kinesis::new(KinesisAuth::Open);
//! let sources = Arc::new(easel_sources::Sources::in_memory(Arc::clone(&clock), Vec::new())?);
//! let imports = Arc::new(easel_sources::Imports::in_memory()?);
//! let authorizer = Authorizer::without_tokens();
//! let intake = Arc::new(intake);
//! let doors = routes(Doors { intake, authorizer, kinesis, triggers, sources, imports });
//!
//! let event = easel_testkit::event("course_created", 1);
//! let request = Request::post("/v1/events").body(Body::from(event))?;
//! assert_eq!(doors.oneshot(request).await?.status(), StatusCode::ACCEPTED);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate `easel-catalog` defines what an event is. The doors end at the log: other crates
//! deliver the events.

mod door;
mod doors;
mod intake;

mod body;
mod body_part;
mod budget;
mod metrics;
mod record;
mod request_framing;
mod sent_body;
mod work;

mod native;

mod changes;

mod hooks;

mod imports;

mod messages;

mod kinesis;
mod retry;
mod sigv4;

pub use doors::{Doors, document, routes};
pub use imports::{RecoveryError, recover_imports};
pub use intake::{Intake, IntakeOptions};
pub use kinesis::{Kinesis, KinesisAccess, KinesisAuth, KinesisKeys, SecretAccessKey};
pub use messages::{MessageCopy, MessagesNotStored, QueueMessage};
pub use record::{HostedArrival, event_facts, hosted_record};
