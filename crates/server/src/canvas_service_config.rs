//! The settings of the calls of Canvas's own subscription client.
//!
//! The calls are served if both the signing secret and the encryption secret are set.

use std::net::SocketAddr;
use std::path::PathBuf;

use easel_keys::{JwkSet, Secret, ServicesJwtSecrets, ServicesJwtVerifier};

use crate::ConfigError;

/// The settings of the calls of Canvas's own subscription client.
#[derive(Clone, Debug, Default)]
pub struct CanvasServiceConfig {
    /// Canvas's `encryption_secret`.
    pub encryption_secret: Option<Secret<String>>,
    /// Canvas's `signing_secret`.
    pub signing_secret: Option<Secret<String>>,
    /// Canvas's `signing_secret_deprecated`.
    pub signing_secret_deprecated: Option<Secret<String>>,
    /// A file with the public keys of Canvas's `services-jwt`.
    pub jwks_file: Option<PathBuf>,
    /// The path in Canvas's `app-host`. Empty for none.
    pub path: String,
    /// A listener for these calls alone. `None` serves them on the main listener.
    pub listen: Option<SocketAddr>,
}

impl CanvasServiceConfig {
    /// The key of the encryption secret.
    pub const ENCRYPTION_SECRET: &str = "canvas_service.encryption_secret";
    /// The key of the signing secret.
    pub const SIGNING_SECRET: &str = "canvas_service.signing_secret";
    /// The key of the deprecated signing secret.
    pub const DEPRECATED_SECRET: &str = "canvas_service.signing_secret_deprecated";
    /// The key of the file of public keys.
    pub const JWKS_FILE: &str = "canvas_service.jwks_file";

    /// Checks a path: empty, or segments of plain characters, each after a slash.
    ///
    /// # Errors
    ///
    /// Returns what the path must be. The text reads after the name of the setting.
    pub fn check_path(path: &str) -> Result<(), &'static str> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
        let is_segment = |segment: &str| !segment.is_empty() && segment.chars().all(is_plain);
        let mut segments = path.split('/');
        if segments.next() == Some("") && segments.all(is_segment) {
            Ok(())
        } else {
            Err("must be a path such as \"/canvas\", without a slash at its end")
        }
    }

    /// Creates the verifier of tokens. Returns `None` if the calls are not served.
    pub(crate) fn verifier(&self) -> Result<Option<ServicesJwtVerifier>, ConfigError> {
        let fault = |setting, fault: String| ConfigError::CanvasService { setting, fault };
        let missing = |setting| fault(setting, "is missing".to_owned());
        let is_unused = self.signing_secret_deprecated.is_none() && self.jwks_file.is_none();
        let (encryption, signing) = match (&self.encryption_secret, &self.signing_secret) {
            (Some(encryption), Some(signing)) => (encryption, signing),
            (None, None) if is_unused => return Ok(None),
            (None, _) => return Err(missing(Self::ENCRYPTION_SECRET)),
            (Some(_), None) => return Err(missing(Self::SIGNING_SECRET)),
        };
        let checks = [
            (
                Self::ENCRYPTION_SECRET,
                ServicesJwtSecrets::check_encryption(encryption.expose()),
            ),
            (
                Self::SIGNING_SECRET,
                ServicesJwtSecrets::check_signing(signing.expose()),
            ),
        ];
        for (setting, checked) in checks {
            checked.map_err(|text| fault(setting, text))?;
        }
        let secrets = ServicesJwtSecrets {
            encryption: encryption.clone(),
            signing: signing.clone(),
            deprecated_signing: self.signing_secret_deprecated.clone(),
            keys: self.keys().map_err(|text| fault(Self::JWKS_FILE, text))?,
        };
        let verifier = ServicesJwtVerifier::new(&secrets);
        let verifier = verifier.map_err(|text| fault(Self::DEPRECATED_SECRET, text))?;
        Ok(Some(verifier))
    }

    fn keys(&self) -> Result<JwkSet, String> {
        let Some(path) = &self.jwks_file else {
            return Ok(JwkSet::default());
        };
        let json = std::fs::read(path)
            .map_err(|error| format!("cannot be read at {}: {error}", path.display()))?;
        JwkSet::parse(&json).map_err(|error| format!("is invalid: failed to {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_segments_after_slashes() {
        for path in ["", "/canvas", "/a/b-c_d.e"] {
            assert_eq!(CanvasServiceConfig::check_path(path), Ok(()), "{path}");
        }
        for path in [
            "canvas", "/", "/a/", "//a", "/{a}", "/a?b", "/a b", "/é", "http://a",
        ] {
            CanvasServiceConfig::check_path(path).unwrap_err();
        }
    }

    #[test]
    fn one_secret_alone_is_a_fault_and_none_turns_the_calls_off() {
        let secret = || Some(Secret::new("astringthatisactually32byteslong".to_owned()));
        let none = CanvasServiceConfig::default();
        assert!(none.verifier().unwrap().is_none());
        let both = CanvasServiceConfig {
            encryption_secret: secret(),
            signing_secret: secret(),
            ..CanvasServiceConfig::default()
        };
        assert!(both.verifier().unwrap().is_some());
        let fault = |config: &CanvasServiceConfig| config.verifier().unwrap_err().to_string();
        let one = CanvasServiceConfig {
            signing_secret: None,
            ..both.clone()
        };
        assert_eq!(fault(&one), "canvas_service.signing_secret is missing");
        let deprecated = CanvasServiceConfig {
            signing_secret_deprecated: secret(),
            ..CanvasServiceConfig::default()
        };
        assert_eq!(
            fault(&deprecated),
            "canvas_service.encryption_secret is missing"
        );
        let short = CanvasServiceConfig {
            encryption_secret: Some(Secret::new("short".to_owned())),
            ..both.clone()
        };
        let wanted = "canvas_service.encryption_secret must have exactly 32 bytes, not 5";
        assert_eq!(fault(&short), wanted);
        let no_file = CanvasServiceConfig {
            jwks_file: Some("/no/such/file".into()),
            ..both
        };
        assert!(fault(&no_file).starts_with("canvas_service.jwks_file cannot be read"));
    }
}
