//! Settings from `EASEL_*` variables.
//!
//! The name of a variable is the setting's key in capitals, with two underscores for each dot. Two more
//! variables set a key pair of the Kinesis door, so that its secret need not be in a file. The values are
//! secrets here, because some of them are.

use std::collections::BTreeMap;
use std::ffi::OsString;

use easel_catalog::Reach;
use easel_keys::Secret;
use easel_server::KinesisKey;

use super::error::{SettingsError, nearest};
use super::origin::SettingOrigin;
use super::{Layer, SettingValue, setting};
use crate::logging::{FILTER_VARIABLE, FORMAT_VARIABLE};

const PREFIX: &str = "EASEL_";
const ACCESS_KEY_ID: &str = "EASEL_KINESIS__ACCESS_KEY_ID";
const KEY_REACH: &str = "EASEL_KINESIS__REACH";
const SECRET_ACCESS_KEY: &str = "EASEL_KINESIS__SECRET_ACCESS_KEY";

/// The variables that set an option of the command line, not a setting.
pub(crate) const OPTION_VARIABLES: [&str; 7] = [
    "EASEL_CONFIG",
    "EASEL_URL",
    "EASEL_TOKEN",
    "EASEL_CA_FILE",
    "EASEL_IDENTITY",
    FILTER_VARIABLE,
    FORMAT_VARIABLE,
];

/// Reads the settings among `variables`.
pub(super) fn read(variables: impl Iterator<Item = (OsString, OsString)>) -> Layer {
    let mut layer = Layer::default();
    let mut easel_variables = BTreeMap::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        match value.into_string() {
            Ok(value) => drop(easel_variables.insert(name.to_owned(), Secret::new(value))),
            Err(_not_utf_8) => layer.faults.push(SettingsError::NotText {
                name: name.to_owned(),
            }),
        }
    }
    let id = easel_variables.remove(ACCESS_KEY_ID);
    let secret = easel_variables.remove(SECRET_ACCESS_KEY);
    let reach = easel_variables.remove(KEY_REACH);
    match key_pair(id, secret, reach.as_ref()) {
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

    for (name, text) in easel_variables {
        if let Some(setting) = setting::ALL
            .iter()
            .find(|setting| setting.variable() == name)
        {
            layer.values.push(SettingValue {
                setting,
                text: Ok(text),
                origin: SettingOrigin::Variable(name),
            });
        } else if let Some((key, advice)) = removed(&name) {
            layer.faults.push(SettingsError::Removed {
                origin: SettingOrigin::Variable(name),
                key,
                advice,
            });
        } else if !OPTION_VARIABLES.contains(&name.as_str()) && !is_service_link(&name) {
            layer.faults.push(unknown_variable(name));
        }
    }
    layer
}

/// Returns the origin of an option that a flag or a variable can set.
pub(super) fn option_origin(flag: &'static str, variable: &str, value: &str) -> SettingOrigin {
    if std::env::var_os(variable).is_some_and(|text| text == value) {
        SettingOrigin::Variable(variable.to_owned())
    } else {
        SettingOrigin::Flag(flag)
    }
}

/// Returns the setting of an earlier version that the variable sets, with the change that replaces it.
fn removed(name: &str) -> Option<(&'static str, &'static str)> {
    let mut removed = setting::REMOVED.into_iter();
    removed.find(|(key, _)| setting::variable_of(key) == name)
}

/// Returns the key pair of the two variables, if they are set.
fn key_pair(
    id: Option<Secret<String>>,
    secret: Option<Secret<String>>,
    reach: Option<&Secret<String>>,
) -> Result<Option<KinesisKey>, Vec<SettingsError>> {
    let half = |present, missing| Err(vec![SettingsError::HalfKeyPair { present, missing }]);
    let (id, secret) = match (id, secret) {
        (None, None) if reach.is_some() => return half(KEY_REACH, ACCESS_KEY_ID),
        (None, None) => return Ok(None),
        (Some(_), None) => return half(ACCESS_KEY_ID, SECRET_ACCESS_KEY),
        (None, Some(_)) => return half(SECRET_ACCESS_KEY, ACCESS_KEY_ID),
        (Some(id), Some(secret)) => (id, secret),
    };
    let parsed = match reach {
        Some(text) => text.expose().parse(),
        None => Ok(Reach::Everything),
    };
    let checked_reach = match &parsed {
        Ok(_reach) => Ok(()),
        Err(error) => Err(format!("is no reach: {error}")),
    };
    let checks = [
        (ACCESS_KEY_ID, KinesisKey::check_id(id.expose())),
        (SECRET_ACCESS_KEY, KinesisKey::check_secret(secret.expose())),
        (KEY_REACH, checked_reach),
    ];
    let faults = checks.into_iter().filter_map(|(name, checked)| {
        let fault = format!("the value {}", checked.err()?);
        let origin = name.to_owned();
        Some(SettingsError::Refused { origin, fault })
    });
    let faults: Vec<_> = faults.collect();
    if let (true, Ok(reach)) = (faults.is_empty(), parsed) {
        Ok(Some(KinesisKey {
            reach,
            access_key_id: id.expose().clone(),
            secret_access_key: secret,
        }))
    } else {
        Err(faults)
    }
}

/// Returns whether Kubernetes set this variable. Kubernetes sets such variables in each pod beside a service
/// that is named `easel`.
fn is_service_link(name: &str) -> bool {
    name.starts_with("EASEL_SERVICE_") || name.starts_with("EASEL_PORT")
}

fn unknown_variable(name: String) -> SettingsError {
    let settings = setting::ALL.iter().map(setting::Setting::variable);
    let pair = [ACCESS_KEY_ID, SECRET_ACCESS_KEY].map(str::to_owned);
    let suggestion = nearest(
        &name,
        settings
            .chain(OPTION_VARIABLES.map(str::to_owned))
            .chain(pair),
    );
    SettingsError::UnknownVariable { name, suggestion }
}
