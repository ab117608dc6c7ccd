//! What can be wrong with the settings, said so that the operator can go there and mend it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::origin::{FilePosition, SettingOrigin};
use super::setting::Setting;
use crate::exit_code::Code;

/// Why the settings were refused.
#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    /// The settings file cannot be read.
    #[error("failed to read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The settings file is no TOML, or a list in it has the wrong shape.
    #[error("{place}: {fault}")]
    Malformed {
        /// Where.
        place: FilePosition,
        /// What is wrong there.
        fault: String,
    },
    /// The settings file has a key that means nothing.
    #[error("{place}: unknown key {key:?}{}", did_you_mean(suggestion.as_deref()))]
    UnknownKey {
        /// Where.
        place: FilePosition,
        /// The key.
        key: String,
        /// The key that was probably meant.
        suggestion: Option<String>,
    },
    /// An environment variable starts with `EASEL_` and means nothing.
    #[error("{name}: unknown variable{}", did_you_mean(suggestion.as_deref()))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The variable that was probably meant.
        suggestion: Option<String>,
    },
    /// An environment variable is not UTF-8.
    #[error("{name}: the value is not UTF-8 text")]
    NotText {
        /// The variable.
        name: String,
    },
    /// One half of a key pair is missing.
    #[error("{given} is set but {missing} is not; a key pair needs both")]
    HalfKeyPair {
        /// The variable that is there.
        given: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// A value makes no sense.
    #[error("{origin}: {} must be {}{}", setting.key, setting.expects, not(setting, text))]
    BadValue {
        /// Where it stands.
        origin: SettingOrigin,
        /// Which setting it is for.
        setting: &'static Setting,
        /// The value.
        text: String,
    },
    /// No server could be started with the settings together.
    #[error("{origin}: {fault}")]
    Refused {
        /// Where the setting stands that must change.
        origin: String,
        /// What is wrong with it.
        fault: String,
    },
    /// The command line asks for what the server cannot do.
    #[error("{origin}: {fault}")]
    Option {
        /// The flag, or the variable that stands in for it.
        origin: SettingOrigin,
        /// What is wrong with it.
        fault: String,
    },
    /// A file that the settings name is wrong; the fault has the place in that file.
    #[error("{fault}")]
    OtherFile {
        /// The place and what is wrong there.
        fault: String,
    },
}

/// Everything that is wrong with the settings; never empty.
#[derive(Debug)]
pub(crate) struct SettingsFaults(pub(crate) Vec<SettingsError>);

impl SettingsError {
    /// The code the command ends with: a wrong flag is wrong usage, the rest is configuration.
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
    /// The code the command ends with: wrong usage if that is all, else configuration.
    pub(crate) fn code(&self) -> Code {
        let is_usage = |fault: &SettingsError| fault.code() == Code::Usage;
        if self.0.iter().all(is_usage) {
            Code::Usage
        } else {
            Code::Configuration
        }
    }
}

/// What is said of a value that makes no sense; nothing of a secret one.
fn not(setting: &Setting, text: &str) -> String {
    if setting.is_secret {
        String::new()
    } else {
        format!(", not {text:?}")
    }
}

/// The one of `known` that is most like `word`, if any is like it at all.
pub(crate) fn nearest<S: AsRef<str>>(
    word: &str,
    known: impl IntoIterator<Item = S>,
) -> Option<String> {
    known
        .into_iter()
        .map(|it| {
            (
                strsim::normalized_damerau_levenshtein(word, it.as_ref()),
                it,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, it)| it.as_ref().to_owned())
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion
        .map(|it| format!("; did you mean {it:?}?"))
        .unwrap_or_default()
}
