//! The composition root: builds the rooms, watches their health, drains them.
//!
//! The only room that knows all others. It decides nothing about events; it decides what is
//! started in which order, with which settings, and how it ends.

mod catalog_folder;
mod config;
mod config_error;
mod prepare;

mod connections;
mod data_folder;
mod disk;
mod first_token;
mod gauges;
mod health;
mod host;
mod operator_events;
mod reload;
mod retention;
mod vitals;
mod webhooks;

mod server;
mod test_delivery;

pub use catalog_folder::{CatalogFault, CatalogFaults, FilePlace, load_catalog};
pub use config::{
    Application, Auth, CaliperConfig, CatalogConfig, Config, Deliveries, DeliveryConfig,
    FirstTokenPlace, IngestConfig, KinesisConfig, KinesisKey, LogConfig, QuarantineConfig,
    TriggersConfig, WebhookConfig,
};
pub use config_error::{ConfigError, ConfigFaults, check_token};
pub use data_folder::{
    Copied, CopyError, FolderError, FolderFault, LocalServer, ManifestError, Repair, backup,
    copy_bytes, restore,
};
pub use easel_caliper::{Role, Secrets};
pub use easel_subscriptions::{
    BatchSize, Counts, EventGlob, InFlight, MaxRate, Name, Schedule, Spec, SpecJson, Start, Term,
    WebhookSpec,
};
pub use easel_triggers::{Nulls, SubmissionRule};
pub use prepare::{Prepared, check_webhook_url};
pub use reload::{Reloaded, Reloader};
pub use server::{Server, StartError};
