//! The settings of tokens of the operator's own identity provider.
//!
//! Tokens of a provider are accepted if the issuer is set.

use std::time::Duration;

use easel_access::{ClaimValue, Oidc, OidcRules, Scope};
use easel_sources::{JwksClient, JwksPlace, check_jwks_url};

use crate::ConfigError;
use crate::oidc_keys::ProviderKeys;

/// The settings of tokens of the operator's own identity provider (OpenID Connect).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcConfig {
    /// What `iss` must be, and where the discovery document is. `None`: no tokens of a provider.
    pub issuer: Option<String>,
    /// What `aud` must name.
    pub audience: Option<String>,
    /// The URL of the public keys. `None`: the one in the discovery document.
    pub jwks_url: Option<String>,
    /// The claim with the values that give scopes.
    pub scopes_claim: String,
    /// The values that give the scope `ingest`.
    pub ingest: Vec<String>,
    /// The values that give the scope `read`.
    pub read: Vec<String>,
    /// The values that give the scope `manage`.
    pub manage: Vec<String>,
    /// The claim that names the root account of the caller.
    pub reach_claim: Option<String>,
    /// The claims, and the value of each, that give the reach of everything.
    pub everything: Vec<ClaimValue>,
    /// How far the clock of the provider may differ.
    pub leeway: Duration,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            jwks_url: None,
            scopes_claim: "scope".to_owned(),
            ingest: Vec::new(),
            read: Vec::new(),
            manage: Vec::new(),
            reach_claim: None,
            everything: Vec::new(),
            leeway: Duration::from_mins(1),
        }
    }
}

impl OidcConfig {
    /// The key of the issuer.
    pub const ISSUER: &str = "oidc.issuer";
    /// The key of the audience.
    pub const AUDIENCE: &str = "oidc.audience";
    /// The key of the URL of the public keys.
    pub const JWKS_URL: &str = "oidc.jwks_url";
    /// The key of the claim that names a root account.
    pub const REACH_CLAIM: &str = "oidc.reach_claim";
    /// The key of the values that give the scope `read`.
    pub const READ: &str = "oidc.read";

    /// Rejects settings that would accept no token, or that belong to a provider that is not set.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fault = |setting, fault: &str| {
            let fault = fault.to_owned();
            Err(ConfigError::Oidc { setting, fault })
        };
        let Some(issuer) = &self.issuer else {
            let is_unused = *self
                == Self {
                    leeway: self.leeway,
                    scopes_claim: self.scopes_claim.clone(),
                    ..Self::default()
                };
            if is_unused {
                return Ok(());
            }
            return fault(Self::ISSUER, "is missing");
        };
        let url = |setting, url: &str| {
            check_jwks_url(url).map_err(|fault| ConfigError::Oidc { setting, fault })
        };
        url(Self::ISSUER, issuer)?;
        if let Some(jwks_url) = &self.jwks_url {
            url(Self::JWKS_URL, jwks_url)?;
        }
        if self.audience.is_none() {
            return fault(Self::AUDIENCE, "is missing");
        }
        if self.ingest.is_empty() && self.read.is_empty() && self.manage.is_empty() {
            let text = "must name a value, or oidc.ingest or oidc.manage must, because a token needs a scope";
            return fault(Self::READ, text);
        }
        if self.reach_claim.is_none() && self.everything.is_empty() {
            let text =
                "is missing, and oidc.everything too: one of them must say what a token may reach";
            return fault(Self::REACH_CLAIM, text);
        }
        Ok(())
    }

    /// Returns the provider; `None` if there is none.
    pub(crate) fn provider(&self, client: JwksClient) -> Option<(Oidc, ProviderKeys)> {
        let (issuer, audience) = (self.issuer.clone()?, self.audience.clone()?);
        let place = match &self.jwks_url {
            Some(url) => JwksPlace::Url(url.clone()),
            None => JwksPlace::Issuer(issuer.clone()),
        };
        let keys = ProviderKeys::new(place, issuer, self.leeway, client);
        let lists = [
            (&self.ingest, Scope::Ingest),
            (&self.read, Scope::Read),
            (&self.manage, Scope::Manage),
        ];
        let scopes = lists
            .into_iter()
            .flat_map(|(values, scope)| values.iter().map(move |value| (value.clone(), scope)));
        let rules = OidcRules {
            audience,
            scopes_claim: self.scopes_claim.clone(),
            scopes: scopes.collect(),
            reach_claim: self.reach_claim.clone(),
            everything: self.everything.clone(),
        };
        let oidc = Oidc {
            keys: keys.shared(),
            rules,
            leeway: self.leeway,
        };
        Some((oidc, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> OidcConfig {
        OidcConfig {
            issuer: Some("https://login.example.edu".to_owned()),
            audience: Some("easel".to_owned()),
            read: vec!["easel.read".to_owned()],
            reach_claim: Some("school".to_owned()),
            ..OidcConfig::default()
        }
    }

    #[test]
    fn half_of_the_settings_of_a_provider_is_a_fault() {
        let check = |config: &OidcConfig, wanted: &str| {
            let fault = config.check().unwrap_err().to_string();
            assert!(fault.starts_with(wanted), "{fault}");
        };
        OidcConfig::default().check().unwrap();
        complete().check().unwrap();
        let with = |change: fn(&mut OidcConfig)| {
            let mut config = complete();
            change(&mut config);
            config
        };
        check(
            &with(|config| config.issuer = None),
            "oidc.issuer is missing",
        );
        check(
            &with(|config| config.audience = None),
            "oidc.audience is missing",
        );
        check(
            &with(|config| config.read.clear()),
            "oidc.read must name a value",
        );
        check(
            &with(|config| config.reach_claim = None),
            "oidc.reach_claim is missing",
        );
        let plain =
            |config: &mut OidcConfig| config.issuer = Some("http://login.example.edu".into());
        check(&with(plain), "oidc.issuer must begin with https://");
        let plain = |config: &mut OidcConfig| config.jwks_url = Some("http://a.example/".into());
        check(&with(plain), "oidc.jwks_url must begin with https://");
    }
}
