//! Secrets: never printed, and sealed on the disk.
//!
//! Only [`Secret::expose`] returns the value of a [`Secret`], so the value cannot reach a log line, a
//! panic message or a `Debug` output by accident. A [`SecretUrl`] also has a public part. A
//! [`Sealer`] encrypts secrets for the disk with data keys, and a [`MasterKey`] outside the data folder
//! encrypts the data keys. A [`SigningKey`] signs AWS requests.
//!
//! ```
//! use easel_keys::{Secret, SecretUrl};
//!
//! let secret = Secret::new("hunter2".to_owned());
//! assert_eq!(format!("{secret:?}"), "…");
//! assert_eq!(secret.expose(), "hunter2");
//!
//! let url = SecretUrl::new("https://ida:hunter2@a.example/hook?key=1");
//! assert_eq!(url.without_secrets(), "https://…@a.example/hook?…");
//! assert!(!format!("{url:?}").contains("hunter2"));
//! ```

mod algorithm;
#[cfg(feature = "signing")]
mod jwk;
#[cfg(feature = "signing")]
mod jwk_set;
#[cfg(feature = "signing")]
mod jwt;
#[cfg(feature = "signing")]
mod jwt_json;
#[cfg(feature = "signing")]
mod jwt_verifier;
#[cfg(feature = "store")]
mod key_store;
#[cfg(all(feature = "store", feature = "signing"))]
mod keys;
mod master_key;
#[cfg(feature = "store")]
mod master_key_file;
#[cfg(feature = "signing")]
mod private_key;
mod sealer;
mod secret;
mod secret_reference;
mod secret_url;
#[cfg(feature = "signing")]
mod services_jwt;
#[cfg(feature = "signing")]
mod signing_keys;
mod sigv4;
#[cfg(test)]
#[cfg(feature = "signing")]
mod standard_keys;
#[cfg(feature = "signing")]
mod webhook_secret;
#[cfg(feature = "signing")]
mod webhook_verifier;

pub use algorithm::{SigningAlgorithm, UnknownAlgorithm};
#[cfg(feature = "signing")]
pub use jwk::{Jwk, JwkError};
#[cfg(feature = "signing")]
pub use jwk_set::{JwkSet, JwkSetError};
#[cfg(feature = "signing")]
pub use jwt::{event_claims, sign_jwt};
#[cfg(feature = "signing")]
pub use jwt_verifier::{JwtError, JwtOptions, JwtVerifier, VerifiedJwt};
#[cfg(feature = "store")]
pub use key_store::{
    KEYS_LAYOUT, KeyStore, KeyStoreError, MasterKeySource, sealer_at_rest, stored_data_keys,
};
#[cfg(all(feature = "store", feature = "signing"))]
pub use keys::{Keys, Reseal};
pub use master_key::{MasterKey, MasterKeyError};
#[cfg(feature = "store")]
pub use master_key_file::{MasterKeyFile, MasterKeyFileError};
#[cfg(feature = "signing")]
pub use private_key::{PrivateKey, PrivateKeyError};
pub use sealer::{SealError, SealedPlace, Sealer};
pub use secret::{Secret, serialize_exposed};
pub use secret_reference::SecretReference;
pub use secret_url::SecretUrl;
#[cfg(feature = "signing")]
pub use services_jwt::{ServicesJwtError, ServicesJwtSecrets, ServicesJwtVerifier};
#[cfg(feature = "signing")]
pub use signing_keys::{SigningKeySet, SigningKeys};
pub use sigv4::SigningKey;
#[cfg(feature = "signing")]
pub use webhook_secret::{WebhookSecret, WebhookSecretError, WebhookSignError};
#[cfg(feature = "signing")]
pub use webhook_verifier::{WebhookHeaders, WebhookKey, WebhookVerifier, WebhookVerifyError};
