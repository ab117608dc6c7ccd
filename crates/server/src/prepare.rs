//! Validates the settings, and creates everything that needs neither the data folder nor the network.
//!
//! `easel config check` and a start both call [`Config::prepare`], so they accept the same settings.
//! One call reports all faults. Nothing is written, and nothing is opened for writing. Only a start
//! can check whether the address is free and whether the files in the data folder can be opened.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use easel_caliper::{Translator, TranslatorError};
use easel_catalog::{Catalog, UrlMasker};
use easel_keys::{MasterKeySource, ServicesJwtVerifier};
use easel_sinks::{ClientError, Endpoint, WebhookOptions};
use easel_triggers::{Triggers, TriggersError, unknown_computations};
use jiff::Timestamp;
use rustix::fs::{Access, access};

use crate::catalog_folder::{self, OwnFiles, place_of_word};
use crate::config_error::{ConfigError, ConfigFaults, check_token};
use crate::queues::check_source;
use crate::sinks::check_sink;
use crate::tls_identity::TlsIdentity;
use crate::webhook_clients::WebhookClients;
use crate::{Auth, Config, KinesisKey, OidcConfig};

/// Valid settings, with everything that was created from them.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) config: Config,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) catalog_files: OwnFiles,
    pub(crate) translator: Arc<Translator>,
    pub(crate) triggers: Arc<Triggers>,
    pub(crate) masker: Arc<UrlMasker>,
    pub(crate) master_key: MasterKeySource,
    pub(crate) webhooks: WebhookClients,
    /// Verifies the tokens of Canvas. `None` if the calls of Canvas's client are not served.
    pub(crate) canvas_verifier: Option<Arc<ServicesJwtVerifier>>,
    /// The bytes of the file of certificate authorities, to detect later changes.
    pub(crate) ca_file: Option<Vec<u8>>,
    /// What the server shows in a TLS handshake. `None` if TLS is off.
    pub(crate) tls: Option<TlsIdentity>,
}

impl Prepared {
    /// Returns what an operator should repair, although the server can start.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let tls = self.tls.as_ref();
        tls.map(|identity| identity.warnings(now))
            .unwrap_or_default()
    }
}

/// Rejects a URL that is invalid for a webhook.
///
/// # Errors
///
/// Returns the fault, without the URL.
pub fn check_webhook_url(url: &str) -> Result<(), String> {
    match Endpoint::parse(url) {
        Ok(_endpoint) => Ok(()),
        Err(error) => Err(format!("failed to {error}")),
    }
}

impl Config {
    /// Validates the settings, and creates everything that a server needs from them.
    ///
    /// # Errors
    ///
    /// Returns all faults of the settings.
    pub fn prepare(self) -> Result<Prepared, ConfigFaults> {
        let mut faults = Vec::new();
        self.check_access(&mut faults);
        self.check_limits(&mut faults);
        self.check_data(&mut faults);
        self.check_key_pairs(&mut faults);
        self.check_roles(&mut faults);
        let (catalog, catalog_files) = self.prepare_catalog(&mut faults);
        let catalog = Arc::new(catalog);
        self.check_subscriptions(&catalog, &mut faults);
        self.check_sources(&mut faults);
        let triggers = self.prepare_triggers(&catalog, &catalog_files, &mut faults);
        let translator = self.prepare_translator(&catalog, &catalog_files, &mut faults);
        let webhooks = self.prepare_webhooks(&mut faults);
        let masker = UrlMasker::with_names(self.masking.names.iter().cloned());
        let masker = masker.map_err(|fault| faults.push(ConfigError::Masking(fault)));
        let master_key = self.keys.source(&self.data);
        let master_key = master_key.map_err(|fault| faults.push(fault));
        let keys_and_masker = masker.ok().zip(master_key.ok());
        let canvas_verifier = self.canvas_service.verifier();
        let canvas_verifier = canvas_verifier.unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        let tls = TlsIdentity::read(&self.tls).unwrap_or_else(|fault| {
            faults.push(ConfigError::Tls(fault));
            None
        });
        match (triggers, translator, webhooks, keys_and_masker) {
            (
                Some(triggers),
                Some(translator),
                Some((webhooks, ca_file)),
                Some((masker, master_key)),
            ) if faults.is_empty() => Ok(Prepared {
                canvas_verifier: canvas_verifier.map(Arc::new),
                masker: Arc::new(masker),
                master_key,
                config: self,
                catalog,
                catalog_files,
                translator: Arc::new(translator),
                triggers: Arc::new(triggers),
                webhooks,
                ca_file,
                tls,
            }),
            _ => Err(ConfigFaults(faults)),
        }
    }

    fn check_access(&self, faults: &mut Vec<ConfigError>) {
        let address = self.listen;
        if self.auth == Auth::None && !address.ip().is_loopback() {
            faults.push(ConfigError::OpenToOthers { address });
        }
        if let Some(Err(fault)) = self.first_token.as_ref().map(check_token) {
            faults.push(ConfigError::FirstToken(fault));
        }
        if let Err(fault) = self.oidc.check() {
            faults.push(fault);
        } else if self.auth == Auth::None && self.oidc.issuer.is_some() {
            let fault = "has no use while auth is \"none\"".to_owned();
            let setting = OidcConfig::ISSUER;
            faults.push(ConfigError::Oidc { setting, fault });
        }
    }

    fn check_limits(&self, faults: &mut Vec<ConfigError>) {
        let limits = [
            ("ingest.max_event_bytes", self.ingest.max_event_bytes),
            ("ingest.max_request_bytes", self.ingest.max_request_bytes),
            (
                "ingest.max_in_flight_bytes",
                self.ingest.max_in_flight_bytes,
            ),
        ];
        for pair in limits.windows(2) {
            if let [(smaller, smaller_bytes), (larger, larger_bytes)] = *pair
                && smaller_bytes > larger_bytes
            {
                faults.push(ConfigError::Limits {
                    smaller,
                    smaller_bytes,
                    larger,
                    larger_bytes,
                });
            }
        }
    }

    fn check_data(&self, faults: &mut Vec<ConfigError>) {
        if let Err(fault) = check_folder(&self.data) {
            let path = self.data.clone();
            faults.push(ConfigError::DataFolder { path, fault });
        }
    }

    fn check_key_pairs(&self, faults: &mut Vec<ConfigError>) {
        let mut ids = HashSet::new();
        for (index, pair) in self.kinesis.keys.iter().enumerate() {
            let halves = [
                ("access_key_id", KinesisKey::check_id(&pair.access_key_id)),
                (
                    "secret_access_key",
                    KinesisKey::check_secret(pair.secret_access_key.expose()),
                ),
            ];
            for (half, checked) in halves {
                if let Err(fault) = checked {
                    faults.push(ConfigError::KeyPair { index, half, fault });
                }
            }
            if !ids.insert(&pair.access_key_id) {
                let id = pair.access_key_id.clone();
                faults.push(ConfigError::KeyIdTaken { index, id });
            }
        }
    }

    fn check_roles(&self, faults: &mut Vec<ConfigError>) {
        let mut names = HashSet::new();
        for (index, role) in self.caliper.roles.iter().enumerate() {
            if let Err(source) = role.check() {
                faults.push(ConfigError::Role { index, source });
            }
            if !names.insert(&role.canvas) {
                let canvas = role.canvas.clone();
                faults.push(ConfigError::RoleTaken { index, canvas });
            }
        }
    }

    /// Returns the catalogue with the operator's own files, or the built-in one if a file is invalid.
    fn prepare_catalog(&self, faults: &mut Vec<ConfigError>) -> (Catalog, OwnFiles) {
        let Some(folder) = &self.catalog.folder else {
            return (Catalog::built_in(), OwnFiles::new());
        };
        let files = match catalog_folder::read_files(folder) {
            Ok(files) => files,
            Err(fault) => {
                faults.push(ConfigError::Catalog(fault));
                return (Catalog::built_in(), OwnFiles::new());
            }
        };
        match catalog_folder::build(folder, &files) {
            Ok(catalog) => (catalog, files),
            Err(catalog_faults) => {
                faults.extend(catalog_faults.0.into_iter().map(ConfigError::Catalog));
                (Catalog::built_in(), files)
            }
        }
    }

    fn check_subscriptions(&self, catalog: &Catalog, faults: &mut Vec<ConfigError>) {
        // If an own file is invalid, its event types are not in this catalogue and would seem unknown.
        let is_complete = !faults
            .iter()
            .any(|fault| matches!(fault, ConfigError::Catalog(_)));
        let mut names = HashSet::new();
        for (index, declared) in self.subscriptions.iter().enumerate() {
            let (spec, name) = (&declared.spec, declared.full_name());
            if !names.insert(name.clone()) {
                faults.push(ConfigError::NameTaken { index, name });
                continue;
            }
            let name = name.name;
            if let Err(fault) = check_sink(spec) {
                let name = name.clone();
                faults.push(ConfigError::Webhook { index, name, fault });
            }
            if is_complete && let Err(fault) = spec.validate(catalog) {
                faults.push(ConfigError::Format { index, name, fault });
            }
        }
    }

    fn check_sources(&self, faults: &mut Vec<ConfigError>) {
        let mut names = HashSet::new();
        for (index, spec) in self.sources.iter().enumerate() {
            if !names.insert(&spec.name) {
                let name = spec.name.clone();
                faults.push(ConfigError::SourceTaken { index, name });
            }
            if let Err(fault) = check_source(spec) {
                let name = spec.name.clone();
                faults.push(ConfigError::Source { index, name, fault });
            }
        }
    }

    fn prepare_triggers(
        &self,
        catalog: &Arc<Catalog>,
        files: &OwnFiles,
        faults: &mut Vec<ConfigError>,
    ) -> Option<Triggers> {
        let unknown = unknown_computations(catalog);
        if unknown.is_empty() {
            return self
                .triggers(catalog)
                .map_err(|fault| faults.push(fault))
                .ok();
        }
        let folder = self.catalog.folder.as_deref().unwrap_or(Path::new(""));
        for error in unknown {
            let TriggersError::UnknownComputation {
                event_type,
                computation,
                ..
            } = &error;
            let is_file = |path: &str| is_named(path, &format!("{event_type}.toml"));
            let place = place_of_word(folder, files, is_file, &format!("@{computation}"));
            faults.push(ConfigError::Triggers { place, error });
        }
        None
    }

    fn prepare_translator(
        &self,
        catalog: &Arc<Catalog>,
        files: &OwnFiles,
        faults: &mut Vec<ConfigError>,
    ) -> Option<Translator> {
        match self.translator(catalog) {
            Ok(translator) => Some(translator),
            // `check_roles` has reported this role already.
            Err(ConfigError::Caliper {
                error: TranslatorError::Role { .. },
                ..
            }) => None,
            Err(ConfigError::Caliper { error, .. }) => {
                let folder = self.catalog.folder.as_deref().unwrap_or(Path::new(""));
                let place = match &error {
                    TranslatorError::Field { event_type, field } => {
                        let file = format!("{event_type}.caliper.toml");
                        place_of_word(folder, files, |path| is_named(path, &file), field)
                    }
                    TranslatorError::Role { .. } => None,
                };
                faults.push(ConfigError::Caliper { place, error });
                None
            }
            Err(fault) => {
                faults.push(fault);
                None
            }
        }
    }

    fn prepare_webhooks(
        &self,
        faults: &mut Vec<ConfigError>,
    ) -> Option<(WebhookClients, Option<Vec<u8>>)> {
        match self.webhook_clients(self.listen) {
            Ok(clients) => {
                // The clients have read the file. If it is missing now, there are no bytes to compare.
                let bytes = self.webhook.ca_file.as_deref().map(std::fs::read);
                Some((clients, bytes.and_then(Result::ok)))
            }
            Err(error) => {
                faults.push(ConfigError::Webhooks(error));
                None
            }
        }
    }
}

impl Config {
    /// Creates the clients of webhooks for a server that listens on `listen`.
    pub(crate) fn webhook_clients(
        &self,
        listen: SocketAddr,
    ) -> Result<WebhookClients, ClientError> {
        WebhookClients::new(&WebhookOptions {
            ca_file: self.webhook.ca_file.clone(),
            guard: self.webhook.guard(listen),
            proxy: self.webhook.proxy.clone(),
        })
    }
}

fn is_named(path: &str, name: &str) -> bool {
    path.rsplit('/').next() == Some(name)
}

/// Rejects a folder that is not writable, or that cannot be created.
fn check_folder(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err("it is not a folder".to_owned()),
        Ok(_folder) => {
            let rights = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
            access(path, rights)
                .map_err(|error| format!("it is not writable: {}", io::Error::from(error)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            if parent == path {
                return Err("it does not exist".to_owned());
            }
            check_folder(parent)
                .map_err(|fault| format!("it cannot be created in {}: {fault}", parent.display()))
        }
        Err(error) => Err(error.to_string()),
    }
}
