//! Secrets: values that are never printed.
//!
//! A [`Secret`] has no text unless somebody asks for it by name, so it cannot reach a log line, a
//! panic or a `Debug` output by accident. A [`SecretUrl`] has a part that everybody may see.
//! Not here yet: secrets at rest, and signing keys.

mod secret;
mod secret_url;

pub use secret::Secret;
pub use secret_url::SecretUrl;
