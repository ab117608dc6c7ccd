//! A secret in the JSON of a spec.

use easel_keys::{Secret, SecretUrl, serialize_exposed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::spec::secrets::SHOWN;

/// A secret. It can be set, and it is never shown: `…` stands in its place. An update with `…` keeps the
/// secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Secret, value_type = String)]
#[serde(transparent)]
pub(super) struct SecretText(#[serde(serialize_with = "serialize_exposed")] Secret<String>);

impl SecretText {
    pub(super) fn into_secret(self) -> Secret<String> {
        self.0
    }
}

/// Whether the JSON has the secrets.
#[derive(Clone, Copy)]
pub(super) enum SecretTexts {
    Exposed,
    Hidden,
}

impl SecretTexts {
    pub(super) fn text(self, secret: &Secret<String>) -> SecretText {
        match self {
            Self::Exposed => SecretText(secret.clone()),
            Self::Hidden => SecretText(Secret::new(SHOWN.to_owned())),
        }
    }

    pub(super) fn url(self, url: &SecretUrl) -> SecretText {
        SecretText(Secret::new(match self {
            Self::Exposed => url.expose().to_owned(),
            Self::Hidden => url.without_secrets(),
        }))
    }
}
