//! The settings of a profile of the AWS command line: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use easel_keys::Secret;

/// The settings of a profile.
#[derive(Debug, Default)]
pub(super) struct AwsProfile {
    pub(super) access_key_id: Option<Secret<String>>,
    pub(super) secret_access_key: Option<Secret<String>>,
    pub(super) session_token: Option<Secret<String>>,
    pub(super) region: Option<String>,
    pub(super) endpoint_url: Option<String>,
}

impl AwsProfile {
    /// Reads the profile of `AWS_PROFILE`, or the default one. Returns `None` if the files have no such profile and the
    /// variable is not set.
    pub(super) fn load() -> anyhow::Result<Option<Self>> {
        let wanted = std::env::var_os("AWS_PROFILE");
        let wanted = wanted.and_then(|name| name.into_string().ok());
        let wanted = wanted.filter(|name| !name.is_empty());
        let name = wanted.as_deref().unwrap_or("default");
        let mut settings = HashMap::new();
        let config = read("AWS_CONFIG_FILE", "config")?;
        let of_profile = format!("profile {name}");
        settings.extend(section(&config, &of_profile));
        if name == "default" {
            settings.extend(section(&config, name));
        }
        let credentials = read("AWS_SHARED_CREDENTIALS_FILE", "credentials")?;
        settings.extend(section(&credentials, name));
        if settings.is_empty() {
            match wanted {
                Some(name) => bail!("the files of the AWS command line have no profile {name}"),
                None => return Ok(None),
            }
        }
        let mut secret = |key: &str| settings.remove(key).map(Secret::new);
        Ok(Some(Self {
            access_key_id: secret("aws_access_key_id"),
            secret_access_key: secret("aws_secret_access_key"),
            session_token: secret("aws_session_token"),
            region: settings.remove("region"),
            endpoint_url: settings.remove("endpoint_url"),
        }))
    }
}

/// Reads the file of a variable, or the file of this name in `~/.aws`. A file that does not exist is empty.
fn read(variable: &str, name: &str) -> anyhow::Result<String> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    let in_home = || Some(std::env::home_dir()?.join(".aws").join(name));
    let Some(path) = path.or_else(in_home) else {
        return Ok(String::new());
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}

/// Returns the settings of a section. Settings of nested blocks, which are indented, are left out.
fn section(text: &str, name: &str) -> Vec<(String, String)> {
    let mut is_wanted = false;
    let mut settings = Vec::new();
    for line in text.lines() {
        if let Some(head) = line
            .trim()
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            is_wanted = head.split_whitespace().eq(name.split_whitespace());
            continue;
        }
        let is_setting = !line.starts_with([' ', '\t', '#', ';']);
        if let Some((key, value)) = line.split_once('=').filter(|_| is_wanted && is_setting) {
            settings.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_its_own_settings_only() {
        let text = "[default]\nregion = a\n\n[ profile  meadow ]\n# region = c\nregion=b=c\ns3 =\n  \
                    endpoint_url = x\nAWS_Session_Token = t\n[other]\nregion = d\n";
        let found = section(text, "profile meadow");
        let wanted = [("region", "b=c"), ("s3", ""), ("aws_session_token", "t")];
        let wanted = wanted.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(found, wanted);
        assert!(section(text, "nobody").is_empty());
    }
}
