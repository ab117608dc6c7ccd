//! The shape of a source.
//!
//! Which keys belong together is decided when the table is parsed.

use easel_server::SourceName;

use super::{SettingKey, ValueShape, not_blank, optional, parses_as, required};

/// A source of `[[sources]]`.
pub(crate) const SOURCE: &[SettingKey] = &[
    required("name", ValueShape::Text(name)),
    required("kind", ValueShape::Text(kind)),
    optional("root_accounts", ValueShape::Texts(not_blank)),
    optional("signed", ValueShape::Boolean),
    optional("jwks_url", ValueShape::Text(not_blank)),
    optional("issuer", ValueShape::Text(not_blank)),
    optional("secret", ValueShape::Text(not_blank)),
    optional("queue_url", ValueShape::Text(not_blank)),
    optional("region", ValueShape::Text(not_blank)),
    optional("endpoint_url", ValueShape::Text(not_blank)),
    optional("profile", ValueShape::Text(not_blank)),
    optional("access_key_id", ValueShape::Text(not_blank)),
    optional("secret_access_key", ValueShape::Text(secret)),
    optional("session_token", ValueShape::Text(secret)),
    optional("pollers", ValueShape::Number(pollers)),
];

fn name(text: &str) -> Result<(), String> {
    parses_as::<SourceName>(text)
}

fn kind(text: &str) -> Result<(), String> {
    match text {
        "https" | "sqs" => Ok(()),
        _ => Err(format!("`kind` must be \"https\" or \"sqs\", not {text:?}")),
    }
}

/// Rejects a blank secret. The error does not repeat the text.
fn secret(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("a secret must not be empty".to_owned());
    }
    Ok(())
}

fn pollers(text: &str) -> Result<(), String> {
    match text.parse() {
        Ok(1..=16_u8) => Ok(()),
        Ok(_) | Err(_) => Err(format!("`pollers` must be 1 to 16, not {text}")),
    }
}
