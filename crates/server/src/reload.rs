//! Puts new settings in force while the server runs, as far as that can be done.
//!
//! The subscriptions of the file, the key pairs of the Kinesis door and the certificate authorities
//! of webhooks change at once. Everything else waits for a restart. Either all of these change, or,
//! when a subscription is refused, none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use easel_ingest::KinesisAccess;
use easel_subscriptions::{ChangeError, Spec, Subscriptions};
use tracing::info;

use crate::catalog_folder::OwnFiles;
use crate::server::kinesis_auth;
use crate::webhooks::Webhooks;
use crate::{Config, Prepared};

/// Puts new settings in force while the server runs; its clones do the same.
#[derive(Clone, Debug)]
pub struct Reloader(Arc<ReloadTarget>);

#[derive(Debug)]
struct ReloadTarget {
    subscriptions: Arc<Subscriptions>,
    kinesis: KinesisAccess,
    webhooks: Webhooks,
    in_force: Mutex<InForce>,
}

/// What was in force after the last change.
#[derive(Debug)]
struct InForce {
    config: Config,
    ca_file: Option<Vec<u8>>,
    catalog_files: OwnFiles,
}

/// What came of new settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Whether anything was put in force.
    pub changed: bool,
    /// Whether a file of the catalogue changed, which needs a restart.
    pub catalog_changed: bool,
}

impl Reloader {
    pub(crate) fn new(
        prepared: &Prepared,
        subscriptions: Arc<Subscriptions>,
        kinesis: KinesisAccess,
        webhooks: Webhooks,
    ) -> Self {
        Self(Arc::new(ReloadTarget {
            subscriptions,
            kinesis,
            webhooks,
            in_force: Mutex::new(InForce {
                config: prepared.config.clone(),
                ca_file: prepared.ca_file.clone(),
                catalog_files: prepared.catalog_files.clone(),
            }),
        }))
    }

    /// Puts in force what can be, and logs what changed.
    ///
    /// # Errors
    ///
    /// A subscription that cannot be served, or a store that cannot be written to.
    pub async fn reload(&self, prepared: Prepared) -> Result<Reloaded, ChangeError> {
        let Prepared {
            config,
            catalog_files,
            webhooks,
            ca_file,
            ..
        } = prepared;
        let old = self.with(|in_force| in_force.config.clone());
        let mut reloaded = Reloaded {
            catalog_changed: self.with(|in_force| in_force.catalog_files != catalog_files),
            ..Reloaded::default()
        };
        if old.subscriptions != config.subscriptions {
            self.0
                .subscriptions
                .declare(config.subscriptions.clone())
                .await?;
            let specs = |config: &Config| {
                let specs = config.subscriptions.iter();
                specs
                    .map(|spec| (spec.name.to_string(), spec.clone()))
                    .collect()
            };
            report_changes::<Spec>("subscriptions", &specs(&old), &specs(&config));
            reloaded.changed = true;
        }
        let pairs = |config: &Config| {
            let pairs = config.kinesis.keys.iter();
            pairs
                .map(|pair| {
                    (
                        pair.access_key_id.clone(),
                        pair.secret_access_key.expose().clone(),
                    )
                })
                .collect()
        };
        let (old_pairs, new_pairs) = (pairs(&old), pairs(&config));
        if old_pairs != new_pairs {
            // Who may come in without a key pair does not change without a restart.
            self.0
                .kinesis
                .replace(kinesis_auth(old.auth, &config.kinesis.keys));
            report_changes::<String>("kinesis.keys", &old_pairs, &new_pairs);
            reloaded.changed = true;
        }
        let ca_changed = old.webhook.ca_file != config.webhook.ca_file
            || self.with(|in_force| in_force.ca_file != ca_file);
        if ca_changed {
            self.0.webhooks.replace(webhooks);
            info!(
                setting = "webhook.ca_file",
                "certificate authorities re-read"
            );
            reloaded.changed = true;
        }
        self.with(|in_force| {
            in_force.config.subscriptions = config.subscriptions;
            in_force.config.kinesis.keys = config.kinesis.keys;
            in_force.config.webhook = config.webhook;
            in_force.ca_file = ca_file;
        });
        Ok(reloaded)
    }

    fn with<T>(&self, work: impl FnOnce(&mut InForce) -> T) -> T {
        work(
            &mut self
                .0
                .in_force
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// Logs which of some named things are new, changed or gone.
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
        &|name| old.get(name).is_some_and(|it| new.get(name) != Some(it)),
        new,
    );
    info!(setting, added, changed, removed, "setting re-read");
}
