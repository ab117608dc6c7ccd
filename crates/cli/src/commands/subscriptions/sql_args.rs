//! The flags of `add` and `edit` for tables.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::fields::object;
use crate::exit_code::{Code, Failure};
use crate::secret_arg::{SecretArg, SecretReader};
use crate::settings::read_text_file;

/// Stands for no privacy class.
const NO_CLASS: &str = "none";

/// The tables of a subscription. Without a flag, `add` uses the default, and `edit` changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct SqlArgs {
    /// URL of the `PostgreSQL` database whose tables receive the events. Its password is a secret
    #[arg(long, value_name = "URL", conflicts_with = "webhook")]
    sql: Option<SecretArg>,
    /// File with the certificate authorities of the database, in PEM [default: those of this system]
    #[arg(long, value_name = "FILE", conflicts_with = "webhook")]
    sql_ca: Option<PathBuf>,
    /// Schema of the tables [default: live]
    #[arg(long, value_name = "NAME", conflicts_with = "webhook")]
    schema: Option<String>,
    /// Layout of the tables: `typed` (a table per event type), `wide` (one table) or `ledbelly` (the
    /// tables of that loader) [default: typed]
    #[arg(long, conflicts_with = "webhook", value_parser = PossibleValuesParser::new(["typed", "wide", "ledbelly"]), hide_possible_values = true)]
    layout: Option<String>,
    /// When a new field becomes a column: `manual` (with `easel tables promote`) or `auto` [default: manual]
    #[arg(long, value_name = "WHEN", conflicts_with = "webhook", value_parser = PossibleValuesParser::new(["manual", "auto"]), hide_possible_values = true)]
    promote: Option<String>,
    /// Privacy class whose fields are not stored: content, quasi or direct; can be repeated. `none`
    /// stands for no class [default: none]
    #[arg(long = "exclude", value_name = "CLASS", conflicts_with = "webhook", value_parser = PossibleValuesParser::new(["content", "quasi", "direct", NO_CLASS]), hide_possible_values = true)]
    excluded: Vec<String>,
}

impl SqlArgs {
    /// Returns the excluded classes.
    fn classes(&self) -> Vec<&str> {
        let classes = self.excluded.iter().map(String::as_str);
        classes.filter(|class| *class != NO_CLASS).collect()
    }

    /// Adds the member `sql` with the values of the flags to `spec`.
    pub(super) fn add_to(
        &self,
        spec: &mut Value,
        reader: &mut SecretReader,
    ) -> Result<(), Failure> {
        let url = self.sql.as_ref().map(|url| reader.read("--sql", url));
        let ca = self.sql_ca.as_deref().map(|path| {
            let text = read_text_file(path);
            text.map_err(|fault| Failure::new(Code::BadInput, anyhow!("--sql-ca: {fault}")))
        });
        let (url, ca) = (url.transpose()?, ca.transpose()?);
        let sql = object([
            ("url", url.map(|url| url.expose().as_str().into())),
            ("ca", ca.map(|ca| ca.expose().as_str().into())),
            ("schema", self.schema.as_deref().map(Value::from)),
            ("layout", self.layout.as_deref().map(Value::from)),
            ("promote", self.promote.as_deref().map(Value::from)),
            (
                "columns",
                (!self.excluded.is_empty()).then(|| json!({ "exclude": self.classes() })),
            ),
        ]);
        if let Some(members) = spec.as_object_mut()
            && !sql.is_empty()
        {
            members.insert("sql".to_owned(), sql.into());
        }
        Ok(())
    }
}
