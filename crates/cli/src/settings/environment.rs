//! Settings from `EASEL_*` variables.
//!
//! A variable is the setting's key in capitals, two underscores for each dot. One key pair of the
//! Kinesis door can come this way too, so that its secret need not stand in a file.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::CommandFactory;
use easel_keys::Secret;
use easel_server::KinesisKey;

use super::error::{SettingsError, nearest};
use super::origin::SettingOrigin;
use super::{Layer, Said, setting};
use crate::args::Args;

const PREFIX: &str = "EASEL_";
const ACCESS_KEY_ID: &str = "EASEL_KINESIS__ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "EASEL_KINESIS__SECRET_ACCESS_KEY";

/// Reads the settings among `variables`.
pub(super) fn read(variables: impl Iterator<Item = (OsString, OsString)>) -> Layer {
    let mut layer = Layer::default();
    let mut ours = BTreeMap::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|it| it.starts_with(PREFIX)) else {
            continue;
        };
        match value.into_string() {
            Ok(value) => drop(ours.insert(name.to_owned(), value)),
            Err(_not_utf_8) => layer.faults.push(SettingsError::NotText {
                name: name.to_owned(),
            }),
        }
    }
    match key_pair(ours.remove(ACCESS_KEY_ID), ours.remove(SECRET_ACCESS_KEY)) {
        Ok(None) => (),
        Ok(Some(pair)) => {
            let origin = SettingOrigin::Variable(ACCESS_KEY_ID.to_owned());
            layer
                .list_origins
                .push((setting::KINESIS_KEYS, origin.clone()));
            layer.kinesis_keys.push((origin, pair));
        }
        Err(faults) => layer.faults.extend(faults),
    }

    let options = options(&Args::command());
    for (name, text) in ours {
        if let Some(setting) = setting::ALL.iter().find(|it| it.variable() == name) {
            layer.said.push(Said {
                setting,
                text,
                origin: SettingOrigin::Variable(name),
            });
        } else if !options.contains(&name) && !is_service_link(&name) {
            layer.faults.push(unknown(name, &options));
        }
    }
    layer
}

/// Where the value of an option came from that a variable can stand in for.
pub(super) fn origin_of(flag: &'static str, variable: &str, value: &str) -> SettingOrigin {
    if std::env::var_os(variable).is_some_and(|set| set == value) {
        SettingOrigin::Variable(variable.to_owned())
    } else {
        SettingOrigin::Flag(flag)
    }
}

/// The pair that two variables make, if they are set.
fn key_pair(
    id: Option<String>,
    secret: Option<String>,
) -> Result<Option<KinesisKey>, Vec<SettingsError>> {
    let half = |given, missing| Err(vec![SettingsError::HalfKeyPair { given, missing }]);
    let (id, secret) = match (id, secret) {
        (None, None) => return Ok(None),
        (Some(_), None) => return half(ACCESS_KEY_ID, SECRET_ACCESS_KEY),
        (None, Some(_)) => return half(SECRET_ACCESS_KEY, ACCESS_KEY_ID),
        (Some(id), Some(secret)) => (id, secret),
    };
    let checks = [
        (ACCESS_KEY_ID, KinesisKey::check_id(&id)),
        (SECRET_ACCESS_KEY, KinesisKey::check_secret(&secret)),
    ];
    let faults = checks.into_iter().filter_map(|(name, checked)| {
        let fault = format!("the value {}", checked.err()?);
        let origin = name.to_owned();
        Some(SettingsError::Refused { origin, fault })
    });
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() {
        Ok(Some(KinesisKey {
            access_key_id: id,
            secret_access_key: Secret::new(secret),
        }))
    } else {
        Err(faults)
    }
}

/// The variables that stand in for an option of the command or of one of its subcommands.
fn options(command: &clap::Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(options))
        .collect()
}

/// Kubernetes puts such variables into every pod beside a service that is called `easel`.
fn is_service_link(name: &str) -> bool {
    name.starts_with("EASEL_SERVICE_") || name.starts_with("EASEL_PORT")
}

fn unknown(name: String, options: &[String]) -> SettingsError {
    let settings = setting::ALL.iter().map(setting::Setting::variable);
    let pair = [ACCESS_KEY_ID, SECRET_ACCESS_KEY].map(str::to_owned);
    let suggestion = nearest(&name, settings.chain(options.iter().cloned()).chain(pair));
    SettingsError::UnknownVariable { name, suggestion }
}
