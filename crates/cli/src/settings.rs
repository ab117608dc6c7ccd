//! The settings, loaded once, before anything starts.
//!
//! The file overrides the defaults, `EASEL_*` variables override the file, and flags override the variables.
//! File, variables and flags each become a [`Layer`]: setting names, texts and origins. The same code applies
//! all layers to the defaults. So an invalid value gives the same error in the file, in a variable and in a
//! flag, and each setting has an origin.
//!
//! Only clap and this module read the process environment. clap reads the variables that set an option,
//! such as `EASEL_URL`.

mod declaration;
mod environment;
mod error;
mod excerpt;
mod file;
mod measure;
mod origin;
mod secret_source;
pub(crate) mod setting;
mod shape;
mod text_list;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use easel_keys::Secret;
use easel_server::{
    CanvasServiceConfig, CatalogFault, Config, ConfigError, Declaration, KinesisKey, OidcConfig,
    Prepared, Role, SourceSpec,
};
use easel_sinks::{ClientError, Endpoint};

use crate::global_args::GlobalArgs;

#[cfg(test)]
pub(crate) use environment::OPTION_VARIABLES;
pub(crate) use error::{SettingsError, SettingsFaults, nearest};
pub(crate) use excerpt::excerpt;
pub(crate) use origin::SettingOrigin;
pub(crate) use secret_source::{read_secret, read_text, read_text_file};
use secret_source::{resolve_canvas_secrets, resolve_secrets, resolve_source_secrets};
use setting::Setting;

/// The secrets of Canvas.
const CANVAS_SECRETS: [&str; 3] = [
    CanvasServiceConfig::ENCRYPTION_SECRET,
    CanvasServiceConfig::SIGNING_SECRET,
    CanvasServiceConfig::DEPRECATED_SECRET,
];

/// The settings file that is read if `--config` is not given and this file exists.
const DEFAULT_FILE: &str = "easel.toml";

/// The settings in use, each with its origin.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The configuration of the server.
    pub(crate) config: Config,
    origins: BTreeMap<&'static str, Vec<SettingOrigin>>,
    /// The origin of each item of a list, in the order of the items.
    item_origins: BTreeMap<&'static str, Vec<SettingOrigin>>,
    faults: Vec<SettingsError>,
    /// The settings with an invalid value. Their defaults are in use.
    rejected_keys: BTreeSet<&'static str>,
    /// The indexes of the subscriptions whose secrets could not be read.
    unresolved: BTreeSet<usize>,
}

/// One setting in use.
#[derive(Debug)]
pub(crate) struct EffectiveSetting {
    /// The key in the file.
    pub(crate) key: &'static str,
    /// The value, without secrets.
    pub(crate) value: String,
    /// The origin.
    pub(crate) origin: String,
}

/// The settings of the file, of the variables or of the flags.
#[derive(Debug, Default)]
struct Layer {
    values: Vec<SettingValue>,
    list_origins: Vec<(&'static str, SettingOrigin)>,
    kinesis_keys: Vec<(SettingOrigin, KinesisKey)>,
    caliper_roles: Vec<(SettingOrigin, Role)>,
    sources: Vec<(SettingOrigin, SourceSpec)>,
    subscriptions: Vec<(SettingOrigin, Declaration)>,
    faults: Vec<SettingsError>,
}

/// The value of one setting as text.
#[derive(Debug)]
struct SettingValue {
    setting: &'static Setting,
    /// The text. `Err` has the kind of a value in the file that the setting cannot have.
    text: Result<Secret<String>, &'static str>,
    origin: SettingOrigin,
}

/// The defaults.
impl Default for Settings {
    fn default() -> Self {
        Self {
            config: Config::default(),
            origins: BTreeMap::new(),
            item_origins: BTreeMap::new(),
            faults: Vec::new(),
            rejected_keys: BTreeSet::new(),
            unresolved: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// Loads the settings from file, environment and flags. Validates each value alone; [`Self::prepare`]
    /// also validates the values together.
    pub(crate) fn load(args: &GlobalArgs, flags: &[Flag]) -> Result<Self, SettingsFaults> {
        let mut settings = Self::read(args, flags);
        if settings.faults.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsFaults(std::mem::take(&mut settings.faults)))
        }
    }

    /// Loads the settings, validates them together and prepares a server.
    ///
    /// `other_faults` are faults that the caller found; they are reported with the faults found here. `adjust`
    /// may change the configuration before the validation.
    pub(crate) fn prepare(
        args: &GlobalArgs,
        flags: &[Flag],
        other_faults: Vec<SettingsError>,
        adjust: impl FnOnce(&mut Config),
    ) -> Result<(Self, Prepared), SettingsFaults> {
        let mut settings = Self::read(args, flags);
        adjust(&mut settings.config);
        settings.resolve_secrets();
        let mut faults = std::mem::take(&mut settings.faults);
        faults.extend(other_faults);
        match settings.config.clone().prepare() {
            Ok(prepared) if faults.is_empty() => return Ok((settings, prepared)),
            Ok(_prepared) => (),
            Err(errors) => {
                let errors = errors.0.into_iter();
                let errors = errors.filter(|error| !settings.is_caused_by_rejected_value(error));
                faults.extend(errors.map(|error| settings.locate(&error)));
            }
        }
        Err(SettingsFaults(faults))
    }

    fn read(args: &GlobalArgs, flags: &[Flag]) -> Self {
        let file = match &args.config {
            Some(path) => file::read(path),
            None if PathBuf::from(DEFAULT_FILE).exists() => file::read(DEFAULT_FILE.as_ref()),
            None => Layer::default(),
        };
        let environment = environment::read(std::env::vars_os());
        let data = Flag::new(setting::DATA, "--data", args.data.clone());
        let values = flags
            .iter()
            .chain([&data])
            .filter_map(Flag::value)
            .collect();
        let flags = Layer {
            values,
            ..Layer::default()
        };
        let mut settings = Self::default();
        for layer in [file, environment, flags] {
            settings.apply(layer);
        }
        settings
    }

    /// Reads the secrets of subscriptions, sources and Canvas that are outside the file. Only a server needs them,
    /// and only its environment must have them.
    fn resolve_secrets(&mut self) {
        let mut found = Vec::new();
        for (index, declared) in self.config.subscriptions.iter_mut().enumerate() {
            if let Err(faults) = resolve_secrets(&mut declared.spec) {
                self.unresolved.insert(index);
                found.push((setting::SUBSCRIPTIONS, index, faults));
            }
        }
        for (index, source) in self.config.sources.iter_mut().enumerate() {
            if let Err(faults) = resolve_source_secrets(source) {
                found.push((setting::SOURCES, index, faults));
            }
        }
        for (key, index, faults) in found {
            let origins = self.item_origins.get(key);
            let origin = origins.and_then(|origins| origins.get(index));
            let origin = origin.map_or("default".to_owned(), SettingOrigin::to_string);
            self.faults
                .extend(faults.into_iter().map(|fault| SettingsError::Refused {
                    origin: origin.clone(),
                    fault,
                }));
        }
        for (key, fault) in resolve_canvas_secrets(&mut self.config.canvas_service) {
            self.rejected_keys.insert(key);
            let origin = self.origin(key);
            let fault = format!("{key}: {fault}");
            self.faults.push(SettingsError::Refused { origin, fault });
        }
    }

    /// Converts an error to a fault with the place of the setting that must change.
    pub(crate) fn locate(&self, error: &ConfigError) -> SettingsError {
        let origin_of = |key: &str| self.origins.get(key).and_then(|all| all.first());
        let item_origin = |key: &str, index: usize| {
            let items = self.item_origins.get(key);
            items.and_then(|all| all.get(index))
        };
        let origin = match error {
            ConfigError::OpenToOthers { .. } => origin_of(setting::LISTEN),
            ConfigError::FirstToken(_) => origin_of(setting::FIRST_TOKEN),
            ConfigError::DataFolder { .. } => origin_of(setting::DATA),
            ConfigError::Limits {
                smaller, larger, ..
            } => origin_of(smaller).or_else(|| origin_of(larger)),
            ConfigError::KeyPair { index, .. } | ConfigError::KeyIdTaken { index, .. } => {
                item_origin(setting::KINESIS_KEYS, *index)
            }
            ConfigError::RoleTaken { index, .. } | ConfigError::Role { index, .. } => {
                item_origin(setting::CALIPER_ROLES, *index)
            }
            ConfigError::SourceTaken { index, .. } | ConfigError::Source { index, .. } => {
                item_origin(setting::SOURCES, *index)
            }
            ConfigError::NameTaken { index, .. }
            | ConfigError::Webhook { index, .. }
            | ConfigError::Format { index, .. } => item_origin(setting::SUBSCRIPTIONS, *index),
            ConfigError::Catalog(CatalogFault::File { .. })
            | ConfigError::Triggers { place: Some(_), .. }
            | ConfigError::Caliper { place: Some(_), .. } => {
                let fault = error.to_string();
                return SettingsError::OtherFile { fault };
            }
            ConfigError::Catalog(_)
            | ConfigError::Triggers { place: None, .. }
            | ConfigError::Caliper { place: None, .. } => origin_of(setting::CATALOG_FOLDER),
            ConfigError::Webhooks(ClientError::Proxy(_)) => origin_of(setting::PROXY),
            ConfigError::Webhooks(_) => origin_of(setting::CA_FILE),
            // A missing setting is reported at one that requires it.
            ConfigError::Tls(fault) => {
                let keys = setting::TLS_SETTINGS;
                origin_of(fault.setting).or_else(|| keys.into_iter().find_map(origin_of))
            }
            ConfigError::Masking(_) => origin_of(setting::MASKING_NAMES),
            // A missing secret is reported at a setting that requires it.
            ConfigError::CanvasService { setting, .. } => {
                let keys = CANVAS_SECRETS
                    .iter()
                    .chain([&CanvasServiceConfig::JWKS_FILE]);
                origin_of(setting).or_else(|| keys.copied().find_map(origin_of))
            }
            ConfigError::Oidc { setting, .. } => {
                origin_of(setting).or_else(|| origin_of(OidcConfig::ISSUER))
            }
            ConfigError::KeyInFolder => {
                origin_of(setting::MASTER_KEY_FILE).or_else(|| origin_of(setting::DATA))
            }
            ConfigError::MasterKey(_) => {
                origin_of(setting::MASTER_KEY).or_else(|| origin_of(setting::PREVIOUS_MASTER_KEY))
            }
        };
        SettingsError::Refused {
            origin: origin.map_or("default".to_owned(), SettingOrigin::to_string),
            fault: error.to_string(),
        }
    }

    /// Returns whether an error may only be the result of a default that stands in for an invalid value, or of a
    /// secret that could not be read.
    fn is_caused_by_rejected_value(&self, error: &ConfigError) -> bool {
        let keys: &[&str] = match error {
            ConfigError::OpenToOthers { .. } => &[setting::LISTEN, setting::AUTH],
            ConfigError::DataFolder { .. } => &[setting::DATA],
            ConfigError::CanvasService { .. } => &CANVAS_SECRETS,
            ConfigError::Limits {
                smaller, larger, ..
            } => &[smaller, larger],
            ConfigError::Webhook { index, .. } | ConfigError::Format { index, .. } => {
                return self.unresolved.contains(index);
            }
            _ => &[],
        };
        keys.iter().any(|key| self.rejected_keys.contains(key))
    }

    /// Returns all settings in use, without secrets.
    pub(crate) fn effective(&self) -> Vec<EffectiveSetting> {
        let Config {
            kinesis,
            caliper,
            sources,
            subscriptions,
            ..
        } = &self.config;
        let roles = caliper.roles.iter().map(|role| role.canvas.clone());
        let keys = kinesis
            .keys
            .iter()
            .map(|key| format!("{} (secret hidden)", key.access_key_id));
        let sources = sources.iter().map(|source| source.name.to_string());
        let names = subscriptions
            .iter()
            .map(|subscription| subscription.full_name().to_string());
        let lists = [
            (setting::KINESIS_KEYS, listed(keys)),
            (setting::CALIPER_ROLES, listed(roles)),
            (setting::SOURCES, listed(sources)),
            (setting::SUBSCRIPTIONS, listed(names)),
        ];
        let scalars = setting::ALL
            .iter()
            .map(|setting| (setting.key, (setting.show)(&self.config)));
        let line = |(key, value)| EffectiveSetting {
            key,
            value,
            origin: self.origin(key),
        };
        scalars.chain(lists).map(line).collect()
    }

    /// Returns the settings that differ in `other` and that only a restart can change.
    pub(crate) fn changes_for_restart(&self, other: &Self) -> Vec<&'static str> {
        let reloadable = [
            setting::CA_FILE,
            setting::ALLOW,
            setting::PROXY,
            setting::FIRST_TOKEN,
        ];
        let (tls, other_tls) = (&self.config.tls, &other.config.tls);
        let is_reloadable = |key: &str| {
            reloadable.contains(&key)
                || (tls.is_on() == other_tls.is_on() && setting::TLS_SETTINGS.contains(&key))
        };
        let scalars = setting::ALL.iter().filter(|setting| {
            !is_reloadable(setting.key)
                && (setting.show)(&self.config) != (setting.show)(&other.config)
        });
        let roles = self.config.caliper.roles != other.config.caliper.roles;
        let roles = roles.then_some(setting::CALIPER_ROLES);
        // The shown value of a secret is the same for all secrets.
        let is_other = |other: Option<&Secret<String>>, secret: Option<&Secret<String>>| {
            other
                .zip(secret)
                .is_some_and(|(other, secret)| other != secret)
        };
        let (keys, other_keys) = (&self.config.keys, &other.config.keys);
        let master_key = is_other(other_keys.master_key.as_ref(), keys.master_key.as_ref());
        let master_key = master_key.then_some(setting::MASTER_KEY);
        let canvas_secrets = |settings: &Self| {
            let service = &settings.config.canvas_service;
            [
                service.encryption_secret.clone(),
                service.signing_secret.clone(),
                service.signing_secret_deprecated.clone(),
            ]
        };
        let canvas_secrets = canvas_secrets(self).into_iter().zip(canvas_secrets(other));
        let canvas_secrets = CANVAS_SECRETS.into_iter().zip(canvas_secrets);
        let canvas_secrets = canvas_secrets
            .filter(|(_, (secret, other))| is_other(other.as_ref(), secret.as_ref()))
            .map(|(key, _)| key);
        scalars
            .map(|setting| setting.key)
            .chain(master_key)
            .chain(canvas_secrets)
            .chain(roles)
            .collect()
    }

    /// Returns a warning for each declared subscription whose URL has an address that webhooks may not connect
    /// to. The address of a name is not resolved.
    pub(crate) fn refused_addresses(&self) -> Vec<String> {
        let guard = self.config.webhook.guard(self.config.listen);
        let subscriptions = self.config.subscriptions.iter();
        let refusals = subscriptions.filter_map(|declared| {
            let endpoint = Endpoint::parse(declared.spec.sink.webhook()?.url.expose()).ok()?;
            let refused = guard.check_host(endpoint.host_name()).err()?;
            Some(format!("subscription {}: {refused}", declared.full_name()))
        });
        refusals.collect()
    }

    /// Returns whether `--data` was given. If so, other commands need the flag too.
    pub(crate) fn data_is_a_flag(&self) -> bool {
        let origins = self.origins.get(setting::DATA);
        origins.is_some_and(|origins| matches!(origins.as_slice(), [SettingOrigin::Flag(_)]))
    }

    fn origin(&self, key: &str) -> String {
        let origins = self
            .origins
            .get(key)
            .into_iter()
            .flatten()
            .map(SettingOrigin::to_string);
        match origins.collect::<Vec<_>>() {
            origins if origins.is_empty() => "default".to_owned(),
            origins => origins.join(", "),
        }
    }

    fn apply(&mut self, layer: Layer) {
        self.faults.extend(layer.faults);
        for SettingValue {
            setting,
            text,
            origin,
        } in layer.values
        {
            if let Ok(text) = &text
                && (setting.set)(&mut self.config, text.expose()).is_some()
            {
                self.origins.insert(setting.key, vec![origin]);
                continue;
            }
            self.rejected_keys.insert(setting.key);
            self.faults.push(SettingsError::BadValue {
                origin,
                setting,
                text,
            });
        }
        // Lists are concatenated; a single value replaces the one before it.
        for (key, origin) in layer.list_origins {
            self.origins.entry(key).or_default().push(origin);
        }
        let items = &mut self.item_origins;
        let mut add_origin =
            |key, origin: SettingOrigin| items.entry(key).or_default().push(origin);
        for (origin, pair) in layer.kinesis_keys {
            add_origin(setting::KINESIS_KEYS, origin);
            self.config.kinesis.keys.push(pair);
        }
        for (origin, role) in layer.caliper_roles {
            add_origin(setting::CALIPER_ROLES, origin);
            self.config.caliper.roles.push(role);
        }
        for (origin, spec) in layer.sources {
            add_origin(setting::SOURCES, origin);
            self.config.sources.push(spec);
        }
        for (origin, declared) in layer.subscriptions {
            add_origin(setting::SUBSCRIPTIONS, origin);
            self.config.subscriptions.push(declared);
        }
    }
}

/// Returns the value of the variable that sets `--log-format`.
pub(crate) fn log_format_variable() -> Option<OsString> {
    std::env::var_os(crate::logging::FORMAT_VARIABLE)
}

/// Returns the origin of an option that a flag or a variable can set.
pub(crate) fn option_origin(flag: &'static str, variable: &str, value: &str) -> SettingOrigin {
    environment::option_origin(flag, variable, value)
}

/// Parses a size, as in settings.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    measure::size(text)
}

fn listed(items: impl Iterator<Item = String>) -> String {
    match items.collect::<Vec<_>>() {
        items if items.is_empty() => "none".to_owned(),
        items => items.join(", "),
    }
}

/// A flag that sets a setting.
#[derive(Debug)]
pub(crate) struct Flag {
    key: &'static str,
    name: &'static str,
    text: Option<String>,
}

impl Flag {
    /// Creates the flag `name` of the setting `key`. `text` is its value, if the flag was given.
    pub(crate) const fn new(key: &'static str, name: &'static str, text: Option<String>) -> Self {
        Self { key, name, text }
    }

    fn value(&self) -> Option<SettingValue> {
        let setting = setting::ALL
            .iter()
            .find(|setting| setting.key == self.key)?;
        Some(SettingValue {
            setting,
            text: Ok(Secret::new(self.text.clone()?)),
            origin: SettingOrigin::Flag(self.name),
        })
    }
}

#[cfg(test)]
mod tests;
