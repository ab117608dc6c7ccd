//! Errors of the settings, with the place that the operator must correct.

use std::io;
use std::path::PathBuf;

use easel_keys::Secret;
use thiserror::Error;

use super::excerpt::excerpt;
use super::origin::{FilePosition, SettingOrigin};
use super::setting::Setting;
use crate::exit_code::{Code, Failure};

/// Why the settings are invalid.
#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    /// The settings file cannot be read.
    #[error("failed to read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The settings file is not valid TOML, or a list in it has the wrong shape.
    #[error("{place}: {fault}")]
    Malformed {
        /// The place.
        place: FilePosition,
        /// The fault.
        fault: String,
    },
    /// The settings file has an unknown key.
    #[error("{place}: unknown key {key:?}{}", did_you_mean(suggestion.as_deref()))]
    UnknownKey {
        /// The place.
        place: FilePosition,
        /// The key.
        key: String,
        /// The nearest known key.
        suggestion: Option<String>,
    },
    /// An environment variable starts with `EASEL_` and is unknown.
    #[error("{name}: unknown variable{}", did_you_mean(suggestion.as_deref()))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The nearest known variable.
        suggestion: Option<String>,
    },
    /// An environment variable is not UTF-8.
    #[error("{name}: the value is not UTF-8 text")]
    NotText {
        /// The variable.
        name: String,
    },
    /// One half of a key pair is missing.
    #[error("{present} is set but {missing} is not; a key pair requires both")]
    HalfKeyPair {
        /// The variable that is set.
        present: &'static str,
        /// The variable that is not set.
        missing: &'static str,
    },
    /// A value is invalid.
    #[error("{origin}: {} must be {}{}", setting.key, setting.requirement, not_value(setting, text))]
    BadValue {
        /// The origin of the value.
        origin: SettingOrigin,
        /// The setting.
        setting: &'static Setting,
        /// The value, or its kind if the setting cannot have this kind.
        text: Result<Secret<String>, &'static str>,
    },
    /// A setting of an earlier version is set.
    #[error("{origin}: {key} no longer exists: {advice}")]
    Removed {
        /// The origin of the value.
        origin: SettingOrigin,
        /// The key.
        key: &'static str,
        /// The change that replaces the setting.
        advice: &'static str,
    },
    /// A server cannot start with these settings together.
    #[error("{origin}: {fault}")]
    Refused {
        /// The origin of the setting that must change.
        origin: String,
        /// The fault.
        fault: String,
    },
    /// An option of the command line is invalid.
    #[error("{origin}: {fault}")]
    Option {
        /// The flag, or the variable that sets it.
        origin: SettingOrigin,
        /// The fault.
        fault: String,
    },
    /// Another file that the settings name is invalid. The fault contains the place in that file.
    #[error("{fault}")]
    OtherFile {
        /// The place and the fault.
        fault: String,
    },
}

/// All errors of the settings; never empty.
#[derive(Debug)]
pub(crate) struct SettingsFaults(pub(crate) Vec<SettingsError>);

impl SettingsError {
    /// Returns the exit code: usage for an invalid flag, otherwise configuration.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::BadValue {
                origin: SettingOrigin::Flag(_),
                ..
            }
            | Self::Option {
                origin: SettingOrigin::Flag(_),
                ..
            } => Code::Usage,
            Self::BadValue { .. }
            | Self::Unreadable { .. }
            | Self::Malformed { .. }
            | Self::UnknownKey { .. }
            | Self::Removed { .. }
            | Self::UnknownVariable { .. }
            | Self::NotText { .. }
            | Self::HalfKeyPair { .. }
            | Self::Refused { .. }
            | Self::Option { .. }
            | Self::OtherFile { .. } => Code::Configuration,
        }
    }
}

impl SettingsFaults {
    /// Returns the exit code: usage if all errors are invalid flags, otherwise configuration.
    pub(crate) fn code(&self) -> Code {
        let is_usage = |fault: &SettingsError| fault.code() == Code::Usage;
        if self.0.iter().all(is_usage) {
            Code::Usage
        } else {
            Code::Configuration
        }
    }
}

/// Converts errors of the settings.
impl From<SettingsFaults> for Failure {
    fn from(faults: SettingsFaults) -> Self {
        let code = faults.code();
        Self::several(code, faults.0.into_iter().map(anyhow::Error::new))
    }
}

/// Returns the part of the message with the invalid value, shortened if it is long; empty for a secret.
fn not_value(setting: &Setting, text: &Result<Secret<String>, &'static str>) -> String {
    match text {
        _ if setting.is_secret => String::new(),
        Ok(text) => format!(", not {}", excerpt(text.expose())),
        Err(kind) => format!(", not {kind:?}"),
    }
}

/// Returns the item of `known` that is nearest to `word`, if any is near enough.
pub(crate) fn nearest<S: AsRef<str>>(
    word: &str,
    known: impl IntoIterator<Item = S>,
) -> Option<String> {
    known
        .into_iter()
        .map(|name| {
            (
                strsim::normalized_damerau_levenshtein(word, name.as_ref()),
                name,
            )
        })
        .filter(|(similarity, _)| *similarity >= 0.6)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name.as_ref().to_owned())
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion
        .map(|name| format!("; did you mean {name:?}?"))
        .unwrap_or_default()
}
