//! The JSON of the tables of a subscription.

use easel_catalog::Privacy;
use easel_keys::SecretUrl;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secret_text::{SecretText, SecretTexts};
use crate::spec::{Promote, SqlLayout, SqlSpec};

/// The tables of a subscription.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SqlSpec)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlJson {
    /// The URL of the PostgreSQL database. Its user name, password and query are secrets and are never
    /// shown.
    #[schema(value_type = String, example = "postgresql://easel:secret@db.example.edu/warehouse")]
    url: SecretText,
    /// The certificate authorities of the database, in PEM. The default is those of the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    /// The schema of the tables.
    #[schema(example = "live")]
    #[serde(default = "default_schema")]
    schema: String,
    /// How events are spread over tables.
    #[serde(default)]
    layout: SqlLayout,
    /// When a field that the catalogue does not know becomes a column.
    #[serde(default)]
    promote: Promote,
    /// Which columns the tables have.
    #[serde(default)]
    columns: ColumnsJson,
}

/// Which columns the tables have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SqlColumns)]
#[serde(deny_unknown_fields, default)]
struct ColumnsJson {
    /// The privacy classes whose fields are not stored. The catalogue says the class of each field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<PrivacyClass>,
}

/// How closely the value of a field relates to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PrivacyClass {
    /// Content that people wrote or made, their grades, and addresses that show where they were.
    Content,
    /// Identifies a person in combination with other fields.
    Quasi,
    /// Identifies a person by itself.
    Direct,
}

impl SqlJson {
    pub(super) fn new(sql: &SqlSpec, secrets: SecretTexts) -> Self {
        let SqlSpec {
            url,
            ca,
            schema,
            layout,
            promote,
            excluded,
        } = sql;
        let exclude = excluded.iter().filter_map(|class| match class {
            Privacy::Nothing => None,
            Privacy::Content => Some(PrivacyClass::Content),
            Privacy::QuasiIdentifier => Some(PrivacyClass::Quasi),
            Privacy::DirectIdentifier => Some(PrivacyClass::Direct),
        });
        Self {
            url: secrets.url(url),
            ca: ca.clone(),
            schema: schema.clone(),
            layout: *layout,
            promote: *promote,
            columns: ColumnsJson {
                exclude: exclude.collect(),
            },
        }
    }
}

impl From<SqlJson> for SqlSpec {
    fn from(json: SqlJson) -> Self {
        let excluded = json.columns.exclude.into_iter().map(|class| match class {
            PrivacyClass::Content => Privacy::Content,
            PrivacyClass::Quasi => Privacy::QuasiIdentifier,
            PrivacyClass::Direct => Privacy::DirectIdentifier,
        });
        Self {
            url: SecretUrl::from_secret(json.url.into_secret()),
            ca: json.ca,
            schema: json.schema,
            layout: json.layout,
            promote: json.promote,
            excluded: excluded.collect(),
        }
    }
}

fn default_schema() -> String {
    SqlSpec::DEFAULT_SCHEMA.to_owned()
}
