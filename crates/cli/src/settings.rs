//! The settings, put together once, before anything starts.
//!
//! Four sources speak, each over the one before it: defaults, the file, `EASEL_*` variables, flags.
//! A source becomes a [`Layer`]: which settings it names, with what text, and where. Laying the
//! layers over the defaults is the same work for all of them, so a bad value is refused with the
//! same words wherever it stands, and every setting knows where it came from.
//!
//! The process environment is read here and nowhere else (clap reads the variables that stand in
//! for an option, such as `EASEL_URL`).

mod environment;
mod error;
mod file;
mod measure;
mod origin;
pub(crate) mod setting;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use easel_server::{CatalogFault, Config, ConfigError, KinesisKey, Prepared, Role, Spec};

use crate::args::GlobalArgs;

pub(crate) use error::{SettingsError, SettingsFaults, nearest};
pub(crate) use origin::SettingOrigin;
use setting::Setting;

/// The file that is read when no other is named and this one exists.
const DEFAULT_FILE: &str = "easel.toml";

/// The settings in force, and where each came from.
#[derive(Debug)]
pub(crate) struct Settings {
    /// What the server is started with.
    pub(crate) config: Config,
    origins: BTreeMap<&'static str, Vec<SettingOrigin>>,
    /// Where each item of a list stands, in the order of the items.
    item_origins: BTreeMap<&'static str, Vec<SettingOrigin>>,
    faults: Vec<SettingsError>,
    /// The settings whose values were refused, so that their defaults are in force.
    refused_keys: BTreeSet<&'static str>,
}

/// One line of what is in force.
#[derive(Debug)]
pub(crate) struct Effective {
    /// The setting's name in the file.
    pub(crate) key: &'static str,
    /// Its value, without secrets.
    pub(crate) value: String,
    /// Where it came from.
    pub(crate) origin: String,
}

/// What one source says.
#[derive(Debug, Default)]
struct Layer {
    said: Vec<Said>,
    list_origins: Vec<(&'static str, SettingOrigin)>,
    kinesis_keys: Vec<(SettingOrigin, KinesisKey)>,
    caliper_roles: Vec<(SettingOrigin, Role)>,
    subscriptions: Vec<(SettingOrigin, Spec)>,
    faults: Vec<SettingsError>,
}

/// A value for one setting.
#[derive(Debug)]
struct Said {
    setting: &'static Setting,
    text: String,
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
            refused_keys: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// Reads the file and the environment, and lays the flags over them. Every value makes sense
    /// by itself; [`Self::prepare`] tells whether they do together.
    pub(crate) fn load(args: &GlobalArgs, flags: &[Flag]) -> Result<Self, SettingsFaults> {
        let mut settings = Self::read(args, flags);
        if settings.faults.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsFaults(std::mem::take(&mut settings.faults)))
        }
    }

    /// Reads the settings, validates all of them, and makes everything of them that a server needs.
    /// `others` are faults that the caller found, to be reported with those found here; `adjust`
    /// has the last word on what is in force.
    pub(crate) fn prepare(
        args: &GlobalArgs,
        flags: &[Flag],
        others: Vec<SettingsError>,
        adjust: impl FnOnce(&mut Config),
    ) -> Result<(Self, Prepared), SettingsFaults> {
        let mut settings = Self::read(args, flags);
        adjust(&mut settings.config);
        let mut faults = std::mem::take(&mut settings.faults);
        faults.extend(others);
        match settings.config.clone().prepare() {
            Ok(prepared) if faults.is_empty() => return Ok((settings, prepared)),
            Ok(_prepared) => (),
            Err(refused) => {
                let refused = refused.0.into_iter();
                let real = refused.filter(|error| !settings.follows_from_a_refused_value(error));
                faults.extend(real.map(|error| settings.refused(&error)));
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
        let flags = flags.iter().chain([&data]).filter_map(Flag::said).collect();
        let flags = Layer {
            said: flags,
            ..Layer::default()
        };
        let mut settings = Self::default();
        for layer in [file, environment, flags] {
            settings.lay(layer);
        }
        settings
    }

    /// What is wrong, with the place of the setting that must change.
    pub(crate) fn refused(&self, error: &ConfigError) -> SettingsError {
        let setting = |key: &str| self.origins.get(key).and_then(|all| all.first());
        let item = |key: &str, index: usize| {
            let items = self.item_origins.get(key);
            items.and_then(|all| all.get(index))
        };
        let origin = match error {
            ConfigError::OpenToOthers { .. } => setting(setting::LISTEN),
            ConfigError::FirstToken(_) => setting(setting::FIRST_TOKEN),
            ConfigError::DataFolder { .. } => setting(setting::DATA),
            ConfigError::Limits {
                smaller, larger, ..
            } => setting(smaller).or_else(|| setting(larger)),
            ConfigError::KeyPair { index, .. } | ConfigError::KeyIdTaken { index, .. } => {
                item(setting::KINESIS_KEYS, *index)
            }
            ConfigError::RoleTaken { index, .. } | ConfigError::Role { index, .. } => {
                item(setting::CALIPER_ROLES, *index)
            }
            ConfigError::NameTaken { index, .. }
            | ConfigError::Endpoint { index, .. }
            | ConfigError::Format { index, .. } => item(setting::SUBSCRIPTIONS, *index),
            ConfigError::Catalog(CatalogFault::File { .. })
            | ConfigError::Triggers { place: Some(_), .. }
            | ConfigError::Caliper { place: Some(_), .. } => {
                let fault = error.to_string();
                return SettingsError::OtherFile { fault };
            }
            ConfigError::Catalog(_)
            | ConfigError::Triggers { place: None, .. }
            | ConfigError::Caliper { place: None, .. } => setting(setting::CATALOG_FOLDER),
            ConfigError::Webhooks(_) => setting(setting::CA_FILE),
        };
        SettingsError::Refused {
            origin: origin.map_or("default".to_owned(), SettingOrigin::to_string),
            fault: error.to_string(),
        }
    }

    /// Whether a fault may only come from the default of a setting whose own value was refused.
    fn follows_from_a_refused_value(&self, error: &ConfigError) -> bool {
        let keys: &[&str] = match error {
            ConfigError::OpenToOthers { .. } => &[setting::LISTEN, setting::AUTH],
            ConfigError::DataFolder { .. } => &[setting::DATA],
            ConfigError::Limits {
                smaller, larger, ..
            } => &[smaller, larger],
            _ => &[],
        };
        keys.iter().any(|key| self.refused_keys.contains(key))
    }

    /// Everything in force, secrets hidden.
    pub(crate) fn effective(&self) -> Vec<Effective> {
        let Config {
            kinesis,
            caliper,
            subscriptions,
            ..
        } = &self.config;
        let roles = caliper.roles.iter().map(|it| it.canvas.clone());
        let keys = kinesis
            .keys
            .iter()
            .map(|it| format!("{} (secret hidden)", it.access_key_id));
        let names = subscriptions.iter().map(|it| it.name.to_string());
        let lists = [
            (setting::KINESIS_KEYS, listed(keys)),
            (setting::CALIPER_ROLES, listed(roles)),
            (setting::SUBSCRIPTIONS, listed(names)),
        ];
        let scalars = setting::ALL
            .iter()
            .map(|it| (it.key, (it.show)(&self.config)));
        let line = |(key, value)| Effective {
            key,
            value,
            origin: self.origin(key),
        };
        scalars.chain(lists).map(line).collect()
    }

    /// The settings that `other` has changed and that a running server does not take.
    pub(crate) fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let taken = [setting::CA_FILE, setting::FIRST_TOKEN];
        let scalars = setting::ALL.iter().filter(|setting| {
            !taken.contains(&setting.key)
                && (setting.show)(&self.config) != (setting.show)(&other.config)
        });
        let roles = self.config.caliper.roles != other.config.caliper.roles;
        let roles = roles.then_some(setting::CALIPER_ROLES);
        scalars.map(|setting| setting.key).chain(roles).collect()
    }

    /// Whether the data folder was named on the command line, so that other commands need it too.
    pub(crate) fn data_is_a_flag(&self) -> bool {
        let origins = self.origins.get(setting::DATA);
        origins.is_some_and(|them| matches!(them.as_slice(), [SettingOrigin::Flag(_)]))
    }

    fn origin(&self, key: &str) -> String {
        let origins = self
            .origins
            .get(key)
            .into_iter()
            .flatten()
            .map(SettingOrigin::to_string);
        match origins.collect::<Vec<_>>() {
            them if them.is_empty() => "default".to_owned(),
            them => them.join(", "),
        }
    }

    fn lay(&mut self, layer: Layer) {
        self.faults.extend(layer.faults);
        for Said {
            setting,
            text,
            origin,
        } in layer.said
        {
            if (setting.set)(&mut self.config, &text).is_some() {
                self.origins.insert(setting.key, vec![origin]);
                continue;
            }
            self.refused_keys.insert(setting.key);
            self.faults.push(SettingsError::BadValue {
                origin,
                setting,
                text,
            });
        }
        // Key pairs, roles and subscriptions add up; everything else is replaced.
        for (key, origin) in layer.list_origins {
            self.origins.entry(key).or_default().push(origin);
        }
        let items = &mut self.item_origins;
        let mut note = |key, origin: SettingOrigin| items.entry(key).or_default().push(origin);
        for (origin, pair) in layer.kinesis_keys {
            note(setting::KINESIS_KEYS, origin);
            self.config.kinesis.keys.push(pair);
        }
        for (origin, role) in layer.caliper_roles {
            note(setting::CALIPER_ROLES, origin);
            self.config.caliper.roles.push(role);
        }
        for (origin, spec) in layer.subscriptions {
            note(setting::SUBSCRIPTIONS, origin);
            self.config.subscriptions.push(spec);
        }
    }
}

/// What the variable says that stands in for `--log-format`.
pub(crate) fn log_format_variable() -> Option<OsString> {
    std::env::var_os(crate::logging::FORMAT_VARIABLE)
}

/// Where the value of an option came from that a variable can stand in for.
pub(crate) fn option_origin(flag: &'static str, variable: &str, value: &str) -> SettingOrigin {
    environment::origin_of(flag, variable, value)
}

fn listed(items: impl Iterator<Item = String>) -> String {
    match items.collect::<Vec<_>>() {
        items if items.is_empty() => "none".to_owned(),
        items => items.join(", "),
    }
}

/// A flag that stands for a setting.
#[derive(Debug)]
pub(crate) struct Flag {
    key: &'static str,
    name: &'static str,
    text: Option<String>,
}

impl Flag {
    /// The flag `name` of the setting `key`, and what was given with it.
    pub(crate) const fn new(key: &'static str, name: &'static str, text: Option<String>) -> Self {
        Self { key, name, text }
    }

    fn said(&self) -> Option<Said> {
        let setting = setting::ALL.iter().find(|it| it.key == self.key)?;
        Some(Said {
            setting,
            text: self.text.clone()?,
            origin: SettingOrigin::Flag(self.name),
        })
    }
}

#[cfg(test)]
mod tests;
