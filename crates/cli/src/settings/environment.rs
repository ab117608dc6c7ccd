//! Settings from `EASEL_*` variables.
//!
//! A variable is the setting's key in capitals, two underscores for each dot. One key pair of the
//! Kinesis door can come this way too, so that its secret need not stand in a file.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::CommandFactory;
use easel_access::Secret;
use easel_server::KinesisKey;

use super::error::{SettingsError, nearest};
use super::origin::Origin;
use super::{Layer, Said, setting};
use crate::args::Args;

const PREFIX: &str = "EASEL_";
const ACCESS_KEY_ID: &str = "EASEL_KINESIS__ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "EASEL_KINESIS__SECRET_ACCESS_KEY";

/// Reads the settings among `variables`.
pub(super) fn read(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Layer, SettingsError> {
    let mut ours = BTreeMap::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|it| it.starts_with(PREFIX)) else {
            continue;
        };
        match value.into_string() {
            Ok(value) => ours.insert(name.to_owned(), value),
            Err(_not_utf_8) => {
                return Err(SettingsError::NotText {
                    name: name.to_owned(),
                });
            }
        };
    }
    let pair = key_pair(ours.remove(ACCESS_KEY_ID), ours.remove(SECRET_ACCESS_KEY))?;
    let origin = Origin::Variable(ACCESS_KEY_ID.to_owned());
    let kinesis_keys = pair.map(|pair| (origin, vec![pair]));
    let mut layer = Layer {
        kinesis_keys,
        ..Layer::default()
    };

    let options = options(&Args::command());
    for (name, text) in ours {
        if let Some(setting) = setting::ALL.iter().find(|it| it.variable() == name) {
            layer.said.push(Said {
                setting,
                text,
                origin: Origin::Variable(name),
            });
        } else if !options.contains(&name) && !is_service_link(&name) {
            return Err(unknown(name, options));
        }
    }
    Ok(layer)
}

fn key_pair(
    id: Option<String>,
    secret: Option<String>,
) -> Result<Option<KinesisKey>, SettingsError> {
    let half = |given, missing| Err(SettingsError::HalfKeyPair { given, missing });
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(_), None) => half(ACCESS_KEY_ID, SECRET_ACCESS_KEY),
        (None, Some(_)) => half(SECRET_ACCESS_KEY, ACCESS_KEY_ID),
        (Some(access_key_id), Some(secret)) => Ok(Some(KinesisKey {
            access_key_id,
            secret_access_key: Secret::new(secret),
        })),
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

fn unknown(name: String, options: Vec<String>) -> SettingsError {
    let settings = setting::ALL.iter().map(setting::Setting::variable);
    let pair = [ACCESS_KEY_ID, SECRET_ACCESS_KEY].map(str::to_owned);
    let suggestion = nearest(&name, settings.chain(options).chain(pair));
    SettingsError::UnknownVariable { name, suggestion }
}
