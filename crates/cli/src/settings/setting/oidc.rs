//! The settings of the operator's own identity provider.

use easel_server::{ClaimValue, OidcConfig};

use super::{OFF, Setting, duration, not_blank, put, put_unless_off, show_duration, text_list};
use std::time::Duration;

/// The lists of claims and values.
pub(super) const INGEST_VALUES: &str = "oidc.ingest";
pub(super) const READ_VALUES: &str = OidcConfig::READ;
pub(super) const MANAGE_VALUES: &str = "oidc.manage";
pub(super) const EVERYTHING_VALUES: &str = "oidc.everything";

const URL: &str = "an address such as \"https://login.example.edu\", or \"off\"";
const VALUES: &str = "values of the claim such as \"easel-readers\", or \"off\"";
const CLAIM: &str = "the name of a claim";
const MAX_LEEWAY: Duration = Duration::from_mins(10);

pub(super) const ISSUER: Setting = Setting {
    key: OidcConfig::ISSUER,
    requirement: URL,
    set: |config, text| put_unless_off(&mut config.oidc.issuer, text, not_blank),
    is_secret: false,
    show: |config| show_text(config.oidc.issuer.as_ref()),
};

pub(super) const AUDIENCE: Setting = Setting {
    key: OidcConfig::AUDIENCE,
    requirement: "the `aud` of tokens for this server, or \"off\"",
    set: |config, text| put_unless_off(&mut config.oidc.audience, text, not_blank),
    is_secret: false,
    show: |config| show_text(config.oidc.audience.as_ref()),
};

pub(super) const JWKS_URL: Setting = Setting {
    key: OidcConfig::JWKS_URL,
    requirement: URL,
    set: |config, text| put_unless_off(&mut config.oidc.jwks_url, text, not_blank),
    is_secret: false,
    show: |config| show_text(config.oidc.jwks_url.as_ref()),
};

pub(super) const SCOPES_CLAIM: Setting = Setting {
    key: "oidc.scopes_claim",
    requirement: CLAIM,
    set: |config, text| put(&mut config.oidc.scopes_claim, not_blank(text)),
    is_secret: false,
    show: |config| config.oidc.scopes_claim.clone(),
};

pub(super) const INGEST: Setting = Setting {
    key: INGEST_VALUES,
    requirement: VALUES,
    set: |config, text| put(&mut config.oidc.ingest, text_list::parse(text, not_blank)),
    is_secret: false,
    show: |config| text_list::show(&config.oidc.ingest),
};

pub(super) const READ: Setting = Setting {
    key: READ_VALUES,
    requirement: VALUES,
    set: |config, text| put(&mut config.oidc.read, text_list::parse(text, not_blank)),
    is_secret: false,
    show: |config| text_list::show(&config.oidc.read),
};

pub(super) const MANAGE: Setting = Setting {
    key: MANAGE_VALUES,
    requirement: VALUES,
    set: |config, text| put(&mut config.oidc.manage, text_list::parse(text, not_blank)),
    is_secret: false,
    show: |config| text_list::show(&config.oidc.manage),
};

pub(super) const REACH_CLAIM: Setting = Setting {
    key: OidcConfig::REACH_CLAIM,
    requirement: "the name of a claim, or \"off\"",
    set: |config, text| put_unless_off(&mut config.oidc.reach_claim, text, not_blank),
    is_secret: false,
    show: |config| show_text(config.oidc.reach_claim.as_ref()),
};

pub(super) const EVERYTHING: Setting = Setting {
    key: EVERYTHING_VALUES,
    requirement: "claims with values such as \"groups=easel-admins\", or \"off\"",
    set: |config, text| {
        put(
            &mut config.oidc.everything,
            text_list::parse(text, claim_value),
        )
    },
    is_secret: false,
    show: |config| text_list::show(&config.oidc.everything),
};

pub(super) const LEEWAY: Setting = Setting {
    key: "oidc.leeway",
    requirement: "a length of time up to 10m such as \"1m\"",
    set: |config, text| {
        let leeway = duration(text).filter(|leeway| *leeway <= MAX_LEEWAY);
        put(&mut config.oidc.leeway, leeway)
    },
    is_secret: false,
    show: |config| show_duration(config.oidc.leeway),
};

fn show_text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| OFF.to_owned())
}

/// Parses `CLAIM=VALUE`. The claim may be a URL, whose query could have `=`, so the last `=` counts.
fn claim_value(text: &str) -> Option<ClaimValue> {
    let (claim, value) = text.rsplit_once('=')?;
    let (claim, value) = (not_blank(claim.trim())?, not_blank(value.trim())?);
    Some(ClaimValue { claim, value })
}
