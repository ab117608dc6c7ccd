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

use std::collections::BTreeMap;
use std::path::PathBuf;

use easel_server::{Config, ConfigError, KinesisKey, Role, Spec};

use crate::args::GlobalArgs;

pub(crate) use error::{SettingsError, nearest};
pub(crate) use origin::Origin;
use setting::Setting;

/// The file that is read when no other is named and this one exists.
const DEFAULT_FILE: &str = "easel.toml";

/// The settings in force, and where each came from.
#[derive(Debug)]
pub(crate) struct Settings {
    /// What the server is started with.
    pub(crate) config: Config,
    origins: BTreeMap<&'static str, Vec<Origin>>,
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
    kinesis_keys: Option<(Origin, Vec<KinesisKey>)>,
    caliper_roles: Option<(Origin, Vec<Role>)>,
    subscriptions: Vec<(Origin, Spec)>,
}

/// A value for one setting.
#[derive(Debug)]
struct Said {
    setting: &'static Setting,
    text: String,
    origin: Origin,
}

impl Settings {
    /// Reads the file and the environment, and lays the flags over them. What each says makes
    /// sense; [`Self::check`] tells whether it does together.
    pub(crate) fn load(args: &GlobalArgs, flags: &[Flag]) -> Result<Self, SettingsError> {
        let file = match &args.config {
            Some(path) => file::read(path)?,
            None if PathBuf::from(DEFAULT_FILE).exists() => file::read(DEFAULT_FILE.as_ref())?,
            None => Layer::default(),
        };
        let environment = environment::read(std::env::vars_os())?;
        let data = Flag::new(setting::DATA, "--data", args.data.clone());
        let flags = flags.iter().chain([&data]).filter_map(Flag::said).collect();
        let flags = Layer {
            said: flags,
            ..Layer::default()
        };

        let mut settings = Self {
            config: Config::default(),
            origins: BTreeMap::new(),
        };
        for layer in [file, environment, flags] {
            settings.lay(layer)?;
        }
        Ok(settings)
    }

    /// Refuses what no server could be started with, and names its place.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        self.config.check().map_err(|error| self.refused(error))
    }

    /// Where the one stands that is to be changed, and what the server has against it.
    pub(crate) fn refused(&self, error: ConfigError) -> SettingsError {
        let (key, index) = match &error {
            ConfigError::OpenToOthers { .. } => (setting::LISTEN, 0),
            ConfigError::NameTaken { index, .. }
            | ConfigError::Endpoint { index, .. }
            | ConfigError::Format { index, .. } => (setting::SUBSCRIPTIONS, *index),
            ConfigError::Caliper(_) => (setting::CALIPER_ROLES, 0),
            ConfigError::Triggers(_) => (setting::CATALOG_FOLDER, 0),
        };
        let origin = self.origins.get(key).and_then(|them| them.get(index));
        SettingsError::Refused {
            origin: origin.map_or("default".to_owned(), Origin::to_string),
            error: error.into(),
        }
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

    /// Whether the data folder was named on the command line, so that other commands need it too.
    pub(crate) fn data_is_a_flag(&self) -> bool {
        let origins = self.origins.get(setting::DATA);
        origins.is_some_and(|them| matches!(them.as_slice(), [Origin::Flag(_)]))
    }

    fn origin(&self, key: &str) -> String {
        let origins = self
            .origins
            .get(key)
            .into_iter()
            .flatten()
            .map(Origin::to_string);
        match origins.collect::<Vec<_>>() {
            them if them.is_empty() => "default".to_owned(),
            them => them.join(", "),
        }
    }

    fn lay(&mut self, layer: Layer) -> Result<(), SettingsError> {
        for Said {
            setting,
            text,
            origin,
        } in layer.said
        {
            if (setting.set)(&mut self.config, &text).is_none() {
                return Err(SettingsError::BadValue {
                    origin,
                    setting,
                    text,
                });
            }
            self.origins.insert(setting.key, vec![origin]);
        }
        // Key pairs, roles and subscriptions add up; everything else is replaced.
        if let Some((origin, keys)) = layer.kinesis_keys {
            self.config.kinesis.keys.extend(keys);
            self.origins
                .entry(setting::KINESIS_KEYS)
                .or_default()
                .push(origin);
        }
        if let Some((origin, roles)) = layer.caliper_roles {
            self.config.caliper.roles.extend(roles);
            self.origins
                .entry(setting::CALIPER_ROLES)
                .or_default()
                .push(origin);
        }
        for (origin, spec) in layer.subscriptions {
            self.config.subscriptions.push(spec);
            self.origins
                .entry(setting::SUBSCRIPTIONS)
                .or_default()
                .push(origin);
        }
        Ok(())
    }
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
            origin: Origin::Flag(self.name),
        })
    }
}

#[cfg(test)]
mod tests;
