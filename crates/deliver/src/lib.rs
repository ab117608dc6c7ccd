//! Lanes: from the log to the subscribers.
//!
//! The [`Dispatch`] runs one lane per active subscription. The feed matches new events once for all
//! lanes that are up to date. A lane that is behind matches events itself until it has caught up. A
//! lane sends batches, settles the results, and is on hold while its endpoint fails. `subscriptions`
//! defines what a subscription is, and `sinks` sends the events.
//!
//! ```
//! # use std::sync::Arc;
//! # use easel_caliper::{TranslationOptions, Translator};
//! # use easel_catalog::{Catalog, Reach, TellOperator};
//! # use easel_deliver::{Dispatch, DispatchDeps, DispatchOptions, FormMaker};
//! # use easel_log::{Clock, LogOptions, MemoryLog, NewRecord, SharedLog, SystemClock};
//! # use easel_sinks::Sink;
//! # use easel_subscriptions::{MemoryStore, Subscription, Subscriptions};
//! # use easel_testkit::{RecordingSink, event};
//! # use tokio_util::sync::CancellationToken;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let clock: Arc<dyn Clock> = Arc::new(SystemClock);
//! # let catalog = Arc::new(Catalog::built_in());
//! # let log: SharedLog = Arc::new(MemoryLog::new(LogOptions::default(), Arc::clone(&clock)));
//! # let store = Arc::new(MemoryStore::default());
//! # let check = Arc::new(());
//! # let (shared_log, shared_clock) = (Arc::clone(&log), Arc::clone(&clock));
//! # let opened = Subscriptions::open(store, shared_log, shared_clock, check, Arc::clone(&catalog));
//! # let subscriptions = Arc::new(opened.await?);
//! # let translator = Arc::new(Translator::new(catalog, TranslationOptions::default())?);
//! # let form_maker = FormMaker::new(translator, Arc::default());
//! # let tell_operator = TellOperator::default();
//! let spec = r#"{"name":"grades","events":["grade_*"],"webhook":{"url":"http://localhost/"}}"#;
//! subscriptions.create(Reach::Everything, serde_json::from_str(spec)?).await?;
//! let sink = Arc::new(RecordingSink::new());
//! let lane_sink = Arc::clone(&sink);
//! let make_sink = Box::new(move |_: &Subscription| Ok(Arc::clone(&lane_sink) as Arc<dyn Sink>));
//!
//! # let log_of_lanes = Arc::clone(&log);
//! let deps = DispatchDeps {
//! #   log: log_of_lanes, subscriptions, form_maker, clock, tell_operator,
//!     make_sink,
//!     // … and log, subscriptions, form_maker, clock, tell_operator
//! };
//! let dispatch = Dispatch::new(deps, DispatchOptions::default());
//! let stop = CancellationToken::new();
//! let running = tokio::spawn(dispatch.run(stop.clone(), CancellationToken::new()));
//!
//! let bytes = event("grade_change", 1);
//! log.append(vec![NewRecord::new(uuid::Uuid::from_u128(1), "grade_change", bytes)]).await?;
//! let batches = sink.wait_for(1).await;
//! assert_eq!(&*batches[0].items[0].event_type, "grade_change");
//! # stop.cancel();
//! # running.await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dispatch;

mod feed;
mod lane;

mod backoff;
mod form_maker;
mod forms;
mod hosts;
mod item_cache;
mod lane_context;
mod offload;

mod dead_letter_retention;
mod lag;
mod metrics;
mod older_events;
mod saving;

pub use dispatch::{Dispatch, DispatchDeps, DispatchOptions, MakeSink};
pub use form_maker::{FormError, FormKind, FormMaker, StoredEvent};
