//! Canvas events as IMS Caliper 1.1.
//!
//! A [`Translator`] makes [`CaliperEvent`]s of stored events, in two dialects: as Canvas publishes
//! them, and as the standard wants them. [`envelope()`] puts them into what is sent.
//!
//! [`check()`] holds an envelope, whoever made it, against the standard.
//!
//! What each event type becomes is in the catalogue, beside its Canvas form. This room is pure.

mod translator;

mod event_context;
mod event_template;
mod options;
mod places;

mod checker;
mod rule;
mod vocabulary;

mod envelope;
mod iri;
mod json_writer;
mod secrets;
mod value;

pub use checker::{UnreadableEnvelope, check};
pub use envelope::envelope;
pub use event_template::FormError;
pub use iri::is_iri;
pub use options::{Role, Secrets, TranslationOptions};
pub use rule::{Breach, Level, Rule};
pub use translator::{CaliperEvent, Dialect, MAPPER_VERSION, Translator, Untranslated};
