//! The tables of a subscription.

use easel_catalog::Privacy;
use easel_keys::SecretUrl;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest name of a schema in PostgreSQL, in bytes.
const MAX_SCHEMA_BYTES: usize = 63;

/// The tables of a subscription: events become rows of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlSpec {
    /// The URL of the database, such as `postgresql://easel:secret@db.example.edu/warehouse`.
    pub url: SecretUrl,
    /// The certificate authorities of the database, in PEM. `None` means those of the operating system.
    pub ca: Option<String>,
    /// The schema of the tables.
    pub schema: String,
    /// How events are spread over tables.
    pub layout: SqlLayout,
    /// When a field that the catalogue does not know becomes a column.
    pub promote: Promote,
    /// The privacy classes whose fields are not stored.
    pub excluded: Vec<Privacy>,
}

/// How events are spread over tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SqlLayout {
    /// A table per event type, with a column per field.
    #[default]
    Typed,
    /// One table for all events, with the whole body in one column.
    Wide,
    /// The tables and columns of the loader `LEDbelly`.
    Ledbelly,
}

/// When a field that the catalogue does not know becomes a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Promote {
    /// When an operator promotes the field. Until then, its values are in the column `extra`.
    #[default]
    Manual,
    /// When the field arrives.
    Auto,
}

impl SqlSpec {
    /// The schema of the tables, if a spec names none.
    pub const DEFAULT_SCHEMA: &str = "live";

    /// Validates the name of a schema: 1 to 63 of `a-z`, `0-9` and `_`, not beginning with a digit. The
    /// names of PostgreSQL itself are reserved.
    pub fn check_schema(name: &str) -> Result<(), String> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        if !begins_well || name.len() > MAX_SCHEMA_BYTES || !name.chars().all(is_allowed) {
            return Err(format!(
                "the schema must be 1 to {MAX_SCHEMA_BYTES} of a-z, 0-9 and `_`, and must not begin with \
                 a digit, not {name:?}"
            ));
        }
        if name.starts_with("pg_") || name == "information_schema" {
            return Err(format!(
                "the schema {name:?} belongs to the database itself"
            ));
        }
        Ok(())
    }
}
