//! The composition root: builds the rooms, watches their health, drains them.
//!
//! This is the only room that knows all others. It makes no decisions about events. It decides what
//! starts in which order and with which settings, and how the server stops.
//!
//! ```
//! use easel_server::{Auth, Config, Server};
//! use tokio_util::sync::CancellationToken;
//!
//! let folder = tempfile::tempdir()?;
//! let config = Config {
//!     listen: "127.0.0.1:0".parse()?,
//!     data: folder.path().join("data"),
//!     auth: Auth::None,
//!     ..Config::default()
//! };
//! tokio::runtime::Runtime::new()?.block_on(async {
//!     let server = Server::start(config).await?;
//!     assert!(server.address().ip().is_loopback());
//!     let stop = CancellationToken::new();
//!     stop.cancel();
//!     server.run_until(stop).await;
//!     Ok::<(), easel_server::StartError>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod canvas_service_config;
mod catalog_folder;
mod config;
mod config_error;
mod oidc_config;
mod prepare;
mod start_error;
mod tls_config;

mod audit_records;
mod callers;
mod canvas_calls;
mod connections;
mod data_folder;
mod disk;
mod first_token;
mod gauges;
mod guard_report;
mod health;
mod host;
mod kinesis_auth;
mod local_listener;
mod logs;
mod master_key;
mod metrics_page;
mod oidc_keys;
mod operator_events;
mod queues;
mod rebuild;
mod reload;
mod retention;
mod sinks;
mod table_manager;
mod tables;
mod tls;
mod tls_files;
mod tls_identity;
mod tls_metrics;
mod verify_audit;
mod vitals;
mod webhook_clients;
mod webhook_parts;
mod webhooks;

mod server;
mod test_delivery;

pub use canvas_service_config::CanvasServiceConfig;
pub use catalog_folder::{CatalogFault, CatalogFaults, FilePlace, load_catalog};
pub use config::{
    Application, AuditConfig, Auth, CaliperConfig, CatalogConfig, Config, Deliveries,
    DeliveryConfig, FirstTokenPlace, IngestConfig, KeysConfig, KinesisConfig, KinesisKey,
    LogConfig, MaskingConfig, QuarantineConfig, TriggersConfig, WebhookConfig,
};
pub use config_error::{ConfigError, ConfigFaults, check_token};
pub use data_folder::{
    Copied, CopyError, FolderError, FolderFault, LocalServer, ManifestError, Repair, backup,
    copy_bytes, restore,
};
pub use easel_access::ClaimValue;
pub use easel_audit::{ChainFault, ChainFaultKind, ChainPoint, Verification};
pub use easel_caliper::Role;
pub use easel_keys::SecretReference;
pub use easel_sources::{SourceJson, SourceName, SourceSpec, SourceSpecError};
pub use easel_subscriptions::{
    BatchSize, Counts, Declaration, EventGlob, FullName, InFlight, MaxRate, Name, Schedule,
    SinkSpec, Spec, SpecJson, SqlSpec, SqsSpec, Start, Term, WebhookSpec,
};
pub use easel_triggers::{Nulls, SubmissionRule};
pub use master_key::{KeyReset, reset_keys, rotate_master_key};
pub use oidc_config::OidcConfig;
pub use prepare::{Prepared, check_webhook_url};
pub use reload::{ReloadError, Reloaded, Reloader};
pub use server::Server;
pub use start_error::StartError;
pub use tables::check_database_url;
pub use tls_config::{ClientCertificates, MetricsConfig, TlsConfig, TlsFault};
pub use verify_audit::{AuditCheckError, verify_audit};
