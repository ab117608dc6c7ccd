//! The shape of the queue of a subscription.

use easel_server::{SecretReference, SqsSpec};

use super::{SettingKey, ValueShape, not_blank, optional, required};

pub(super) const SQS: &[SettingKey] = &[
    required("queue_url", ValueShape::Text(not_blank)),
    optional("region", ValueShape::Text(not_blank)),
    optional("endpoint_url", ValueShape::Text(not_blank)),
    optional("profile", ValueShape::Text(profile)),
    optional("access_key_id", ValueShape::Text(access_key_id)),
    optional("secret_access_key", ValueShape::Text(secret)),
];

fn profile(text: &str) -> Result<(), String> {
    SqsSpec::check_profile(text)
}

fn access_key_id(text: &str) -> Result<(), String> {
    match SecretReference::parse(text) {
        Some(_reference) => Ok(()),
        None => SqsSpec::check_access_key_id(text),
    }
}

/// Rejects an empty secret without repeating it.
fn secret(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("a secret must not be empty".to_owned());
    }
    Ok(())
}
