//! Translates Canvas events to IMS Caliper 1.1 and validates Caliper envelopes.
//!
//! A [`Translator`] turns stored events into [`CaliperEvent`]s. It writes two dialects: events as
//! Canvas publishes them, and events as the standard requires them. [`envelope()`] builds the
//! envelope to send. [`check()`] validates any envelope against the standard. A translation masks no
//! secrets: the caller masks the event first, with a [`UrlMasker`](easel_catalog::UrlMasker).
//!
//! The catalogue has the Caliper template of each event type. This room is pure.
//!
//! ```
//! use std::sync::Arc;
//!
//! use easel_caliper::{Dialect, Level, TranslationOptions, Translator, check};
//! use easel_catalog::{Catalog, Limits, admit};
//!
//! let translator = Translator::new(Arc::new(Catalog::built_in()), TranslationOptions::default())?;
//! let metadata = r#"{"event_name":"wiki_page_deleted","event_time":"2026-02-11T08:15:42Z"}"#;
//! let json = format!(r#"{{"metadata":{metadata},"body":{{"wiki_page_id":"7","title":"Home"}}}}"#);
//! let event = admit(json.as_bytes(), &Limits::default())?;
//! let caliper =
//!     translator.translate(&event.event_type, &event.bytes, event.id, Dialect::Strict)?;
//!
//! let envelope = caliper.envelope("2026-02-11T08:15:43Z".parse()?);
//! let breaches = check(&envelope)?;
//! assert!(breaches.iter().all(|breach| breach.rule.level() != Level::Must));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod translator;

mod event_context;
mod event_template;
mod metadata_indexes;
mod options;

mod checker;
mod rule;
mod vocabulary;

mod envelope;
mod iri;
mod value;

pub use checker::{UnreadableEnvelope, check};
pub use envelope::envelope;
pub use event_template::TranslatorError;
pub use iri::is_iri;
pub use options::{Role, TranslationOptions};
pub use rule::{Breach, Level, Rule};
pub use translator::{CaliperEvent, Dialect, MAPPER_VERSION, Translator, Untranslated};
