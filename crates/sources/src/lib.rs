//! The systems that events come from, such as one hosted Canvas.
//!
//! A source is defined in the settings file or through the API. This room stores the definitions, fetches and
//! keeps the public keys that verify signatures, and counts what came and what failed. It also stores how far
//! each file was imported. The doors receive the events.
//!
//! Promises:
//! - A change is on stable storage before it takes effect. Secrets are sealed.
//! - The last good keys of a source are kept, on disk too. A JWKS that cannot be reached never makes a valid
//!   signature invalid.

mod source_name;
mod source_spec;

mod jwks_cache;
mod jwks_client;
mod jwks_url;

mod hosted_limit;
mod source;
mod source_health;

mod import_key;
mod import_state;
mod import_store;
mod import_table;
mod imports;

mod metrics;
mod source_store;
mod sources;

pub use import_key::{ImportKey, RecordPlace};
pub use import_state::{ImportCounts, ImportFile, ImportState, PendingPart, SavedPart};
pub use imports::{ImportLock, Imports};
pub use jwks_cache::{JwksCache, JwksPlace, NewerKeys};
pub use jwks_client::{JwksClient, JwksFetchError};
pub use jwks_url::check_jwks_url;
pub use metrics::describe_source_metrics;
pub use source::{Source, SourceOrigin, SourceState};
pub use source_health::{HealthReport, SourceCounts, SourceFailure, SourceHealth, SourceOutcome};
pub use source_name::{SourceName, SourceNameError};
pub use source_spec::{
    HttpsSource, Pollers, SignedBy, SourceJson, SourceKind, SourceSpec, SourceSpecError,
    SqsCredentials, SqsSource,
};
pub use source_store::{SOURCES_LAYOUT, SourceStoreError};
pub use sources::{
    SourceChangeError, SourceCheck, SourceMap, Sources, forget_lost_sources, lost_sources,
    reseal_sources, source_sealing_keys,
};
