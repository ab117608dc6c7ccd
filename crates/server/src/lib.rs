//! The composition root: builds the rooms, watches their health, drains them.
//!
//! The only room that knows all others. It decides nothing about events; it decides what is
//! started in which order, with which settings, and how it ends.

mod catalog_folder;
mod config;

mod connections;
mod data_folder;
mod gauges;
mod health;
mod retention;

mod server;
mod test_delivery;

pub use catalog_folder::{CatalogFolderError, load_catalog};
pub use config::{
    Application, Auth, CaliperConfig, CatalogConfig, Config, ConfigError, IngestConfig,
    KinesisConfig, KinesisKey, LogConfig, QuarantineConfig, TriggersConfig, WebhookConfig,
};
pub use data_folder::{FolderError, Local};
pub use easel_caliper::{Role, Secrets};
pub use easel_subscriptions::Spec;
pub use easel_triggers::{Nulls, SubmissionRule};
pub use server::{Server, StartError};
