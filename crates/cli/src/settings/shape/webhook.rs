//! The shape of the webhook of a subscription.
//!
//! A secret may be a reference, which is resolved after the validation. No error contains a secret.

use easel_keys::{SigningAlgorithm, WebhookSecret};
use easel_server::{BatchSize, SecretReference, WebhookSpec, check_webhook_url};

use super::{SettingKey, ValueShape, not_blank, optional, parses_as, required};

pub(super) const WEBHOOK: &[SettingKey] = &[
    required("url", ValueShape::Text(url)),
    optional("timeout", ValueShape::Text(timeout)),
    optional("batch", ValueShape::Number(batch)),
    optional("signing", ValueShape::OneOf(SIGNING)),
    optional("authentication", ValueShape::OneOf(AUTHENTICATION)),
    optional("headers", ValueShape::TextTable(secret)),
    optional("client_certificate", ValueShape::Table(CLIENT_CERTIFICATE)),
];

const SIGNING: &[SettingKey] = &[
    optional("jwt", ValueShape::Table(JWT)),
    optional("standard", ValueShape::Table(STANDARD)),
];

const JWT: &[SettingKey] = &[optional("algorithm", ValueShape::Text(algorithm))];

const STANDARD: &[SettingKey] = &[required("secrets", ValueShape::Texts(webhook_secret))];

const AUTHENTICATION: &[SettingKey] = &[
    optional("basic", ValueShape::Table(BASIC)),
    optional("bearer", ValueShape::Text(secret)),
];

const BASIC: &[SettingKey] = &[
    required("user", ValueShape::Text(not_blank)),
    required("password", ValueShape::Text(secret)),
];

const CLIENT_CERTIFICATE: &[SettingKey] = &[
    required("certificate", ValueShape::Text(secret)),
    required("key", ValueShape::Text(secret)),
];

fn url(text: &str) -> Result<(), String> {
    match SecretReference::parse(text) {
        Some(_reference) => Ok(()),
        None => check_webhook_url(text),
    }
}

fn timeout(text: &str) -> Result<(), String> {
    WebhookSpec::parse_timeout(text).map(drop)
}

fn batch(text: &str) -> Result<(), String> {
    let parsed = text.parse::<u16>().ok().map(BatchSize::try_from);
    match parsed {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err(format!("`batch` must be 1 to 100, not {text}")),
    }
}

fn algorithm(text: &str) -> Result<(), String> {
    parses_as::<SigningAlgorithm>(text)
}

/// Rejects a blank secret.
fn secret(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("a secret must not be empty".to_owned());
    }
    Ok(())
}

fn webhook_secret(text: &str) -> Result<(), String> {
    if SecretReference::parse(text).is_some() {
        return Ok(());
    }
    let parsed = WebhookSecret::parse(text);
    parsed
        .map(drop)
        .map_err(|error| format!("failed to {error}"))
}
