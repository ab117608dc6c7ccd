//! The shape of the tables of a subscription.

use easel_server::{SecretReference, SqlSpec, check_database_url};

use super::{SettingKey, ValueShape, not_blank, optional, required};

pub(super) const SQL: &[SettingKey] = &[
    required("url", ValueShape::Text(url)),
    optional("ca", ValueShape::Text(not_blank)),
    optional("schema", ValueShape::Text(schema)),
    optional("layout", ValueShape::Text(layout)),
    optional("promote", ValueShape::Text(promote)),
    optional("columns", ValueShape::Table(COLUMNS)),
];

const COLUMNS: &[SettingKey] = &[optional("exclude", ValueShape::Texts(privacy_class))];

fn url(text: &str) -> Result<(), String> {
    match SecretReference::parse(text) {
        Some(_reference) => Ok(()),
        None => check_database_url(text),
    }
}

fn schema(text: &str) -> Result<(), String> {
    SqlSpec::check_schema(text)
}

fn layout(text: &str) -> Result<(), String> {
    match text {
        "typed" | "wide" | "ledbelly" => Ok(()),
        _ => Err(format!(
            "`layout` must be \"typed\", \"wide\" or \"ledbelly\", not {text:?}"
        )),
    }
}

fn promote(text: &str) -> Result<(), String> {
    match text {
        "manual" | "auto" => Ok(()),
        _ => Err(format!(
            "`promote` must be \"manual\" or \"auto\", not {text:?}"
        )),
    }
}

fn privacy_class(text: &str) -> Result<(), String> {
    match text {
        "content" | "quasi" | "direct" => Ok(()),
        _ => Err(format!(
            "a privacy class must be \"content\", \"quasi\" or \"direct\", not {text:?}"
        )),
    }
}
