//! Applies new settings while the server runs.
//!
//! The subscriptions of the file, the key pairs of the Kinesis door, the certificate authorities of
//! webhooks, and the certificate and the settings of TLS change immediately. All other settings need a restart. If a subscription is refused,
//! nothing changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use easel_audit::{Audit, AuditUnavailable};
use easel_ingest::KinesisAccess;
use easel_keys::Secret;
use easel_sources::{SourceSpec, SourceStoreError, Sources};
use easel_subscriptions::{ChangeError, Declaration, Subscriptions};
use thiserror::Error;
use tracing::info;

use crate::audit_records::declared_settings;
use crate::catalog_folder::OwnFiles;
use crate::kinesis_auth::kinesis_auth;
use crate::tls::Tls;
use crate::webhooks::Webhooks;
use crate::{Config, Prepared};

/// A handle that applies new settings while the server runs. Clones share the server.
#[derive(Clone, Debug)]
pub struct Reloader(Arc<ReloadTarget>);

#[derive(Debug)]
struct ReloadTarget {
    subscriptions: Arc<Subscriptions>,
    sources: Arc<Sources>,
    kinesis: KinesisAccess,
    webhooks: Webhooks,
    tls: Option<Tls>,
    audit: Arc<Audit>,
    applied: Mutex<AppliedSettings>,
}

/// The settings after the last change.
#[derive(Debug)]
struct AppliedSettings {
    config: Config,
    ca_file: Option<Vec<u8>>,
    catalog_files: OwnFiles,
}

/// The result of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Whether a setting was applied.
    pub changed: bool,
    /// Whether a file of the catalogue changed. Such a change needs a restart.
    pub catalog_changed: bool,
}

/// Why settings could not be applied.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// A subscription is invalid, or the store of subscriptions cannot be written.
    #[error(transparent)]
    Subscriptions(#[from] ChangeError),
    /// The store of sources cannot be read.
    #[error(transparent)]
    Sources(#[from] SourceStoreError),
    /// The settings were applied, but the audit cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditUnavailable),
}

impl Reloader {
    pub(crate) fn new(
        prepared: &Prepared,
        subscriptions: Arc<Subscriptions>,
        sources: Arc<Sources>,
        kinesis: KinesisAccess,
        (webhooks, tls, audit): (Webhooks, Option<Tls>, Arc<Audit>),
    ) -> Self {
        Self(Arc::new(ReloadTarget {
            subscriptions,
            sources,
            kinesis,
            webhooks,
            tls,
            audit,
            applied: Mutex::new(AppliedSettings {
                config: prepared.config.clone(),
                ca_file: prepared.ca_file.clone(),
                catalog_files: prepared.catalog_files.clone(),
            }),
        }))
    }

    /// Applies the settings that can change without a restart, and logs the changes.
    ///
    /// # Errors
    ///
    /// Fails if a subscription is invalid or a store cannot be used.
    pub async fn reload(&self, prepared: Prepared) -> Result<Reloaded, ReloadError> {
        // The future has old and new settings, so it is large.
        Box::pin(self.apply(prepared)).await
    }

    async fn apply(&self, prepared: Prepared) -> Result<Reloaded, ReloadError> {
        let Prepared {
            config,
            catalog_files,
            webhooks,
            ca_file,
            tls,
            ..
        } = prepared;
        let old = self.with_applied(|applied| applied.config.clone());
        let mut reloaded = Reloaded {
            catalog_changed: self.with_applied(|applied| applied.catalog_files != catalog_files),
            ..Reloaded::default()
        };
        // New subscriptions may need the new networks of webhook.allow, so the clients come first.
        let clients_changed = old.webhook != config.webhook
            || self.with_applied(|applied| applied.ca_file != ca_file);
        let mut old_clients = None;
        if clients_changed {
            // The server still listens on the old address, and the guard depends on that address.
            let clients = match config.webhook_clients(old.listen) {
                Ok(clients) => clients,
                Err(_changed_meanwhile) => webhooks,
            };
            old_clients = Some(self.0.webhooks.replace(clients));
        }
        if old.subscriptions != config.subscriptions {
            let declared = self.declare(&config.subscriptions).await;
            if let (Err(_), Some(old_clients)) = (&declared, old_clients) {
                self.0.webhooks.replace(old_clients);
            }
            declared?;
            let specs = |config: &Config| {
                let specs = config.subscriptions.iter();
                specs
                    .map(|declared| (declared.full_name().to_string(), declared.clone()))
                    .collect()
            };
            report_changes::<Declaration>("subscriptions", &specs(&old), &specs(&config));
            reloaded.changed = true;
        }
        if old.sources != config.sources {
            self.0.sources.declare(config.sources.clone())?;
            let specs = |config: &Config| {
                let specs = config.sources.iter();
                specs
                    .map(|spec| (spec.name.to_string(), spec.clone()))
                    .collect()
            };
            report_changes::<SourceSpec>("sources", &specs(&old), &specs(&config));
            reloaded.changed = true;
        }
        // Switching TLS on or off needs a restart.
        if let Some((running, identity)) = self.0.tls.as_ref().zip(tls)
            && running.replace(config.tls.clone(), identity)
        {
            info!("certificate and settings of TLS re-read");
            reloaded.changed = true;
        }
        if clients_changed {
            info!("webhook settings and certificate authorities re-read");
            reloaded.changed = true;
        }
        let pairs = |config: &Config| {
            let pairs = config.kinesis.keys.iter();
            pairs
                .map(|pair| (pair.access_key_id.clone(), pair.secret_access_key.clone()))
                .collect()
        };
        let (old_pairs, new_pairs) = (pairs(&old), pairs(&config));
        if old_pairs != new_pairs {
            // The setting `auth` only changes with a restart, so the old value stays.
            self.0
                .kinesis
                .replace(kinesis_auth(old.auth, &config.kinesis.keys));
            report_changes::<Secret<String>>("kinesis.keys", &old_pairs, &new_pairs);
            reloaded.changed = true;
        }
        self.with_applied(|applied| {
            applied.config.subscriptions = config.subscriptions;
            applied.config.sources = config.sources;
            applied.config.kinesis.keys = config.kinesis.keys;
            applied.config.webhook = config.webhook;
            applied.ca_file = ca_file;
        });
        let applied = self.with_applied(|applied| declared_settings(&applied.config));
        self.0.audit.declare(applied).await?;
        Ok(reloaded)
    }

    async fn declare(&self, declarations: &[Declaration]) -> Result<(), ChangeError> {
        let specs: Vec<_> = declarations
            .iter()
            .map(|declared| declared.spec.clone())
            .collect();
        self.0.webhooks.ensure_keys(&specs).await;
        self.0.subscriptions.declare(declarations.to_vec()).await
    }

    fn with_applied<T>(&self, work: impl FnOnce(&mut AppliedSettings) -> T) -> T {
        work(
            &mut self
                .0
                .applied
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// Logs the names that were added, changed or removed.
fn report_changes<T: PartialEq>(
    setting: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) {
    let names = |is_wanted: &dyn Fn(&String) -> bool, all: &BTreeMap<String, T>| {
        let wanted: Vec<_> = all.keys().filter(|name| is_wanted(name)).cloned().collect();
        wanted.join(", ")
    };
    let added = names(&|name| !old.contains_key(name), new);
    let removed = names(&|name| !new.contains_key(name), old);
    let changed = names(
        &|name| {
            old.get(name)
                .is_some_and(|value| new.get(name) != Some(value))
        },
        new,
    );
    info!(setting, added, changed, removed, "setting re-read");
}
