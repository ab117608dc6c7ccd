//! `easel catalog`

mod page;

use anyhow::anyhow;
use easel_catalog::{CaliperTemplate, Catalog, EventType};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::catalog;
use crate::exit_code::{Code, Failure};
use crate::global_args::GlobalArgs;
use crate::output;

const AFTER_HELP: &str = "\
This command needs no server. Your own event types are loaded from the folder
that the setting `catalog.folder` names.

Examples:
  easel catalog
  easel catalog 'grade_*'
  easel catalog grade_change
  easel catalog grade_change --caliper
  easel catalog grade_change --schema > grade_change.schema.json
  easel catalog --asyncapi > live-events.json";

/// Look up event types: their meaning, triggers and fields
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CatalogArgs {
    /// Event type or glob: * matches any characters, ? matches one
    #[arg(value_name = "EVENT", default_value = "*")]
    event: String,
    /// Print the JSON Schema of the event type
    #[arg(long)]
    schema: bool,
    /// Print the Caliper form of the event type; with --schema, the schema of that form
    #[arg(long, conflicts_with = "asyncapi")]
    caliper: bool,
    /// With --caliper and --schema: print the schema of the strict form
    #[arg(long, requires = "caliper", requires = "schema")]
    strict: bool,
    /// Print the AsyncAPI document of all event types
    #[arg(long, conflicts_with_all = ["schema", "event"])]
    asyncapi: bool,
}

impl CatalogArgs {
    pub(super) fn run(self, global: &GlobalArgs) -> Result<(), Failure> {
        let catalog = catalog::load(global)?;
        if self.asyncapi {
            return output::pretty(&catalog.async_api());
        }
        if let Some(event_type) = catalog.get(&self.event) {
            if self.caliper && event_type.caliper.is_none() {
                let error = anyhow!("{} has no Caliper form", event_type.name);
                return Err(Failure::new(Code::BadInput, error));
            }
            return match event_type.caliper.filter(|_| self.caliper) {
                _ if self.schema => output::pretty(&self.schema_of(&catalog, event_type)),
                Some(form) if global.json => {
                    output::pretty(&describe_caliper(&catalog, event_type, &form))
                }
                Some(form) => output::styled(page::render_caliper(event_type, &form)),
                None if global.json => {
                    output::pretty(&catalog.describe(event_type, Timestamp::now()))
                }
                None => output::styled(page::render(&catalog, event_type)),
            };
        }
        let has_form = |event_type: &&EventType| !self.caliper || event_type.caliper.is_some();
        let matching: Vec<_> = catalog.matching(&self.event).filter(has_form).collect();
        if matching.is_empty() {
            let message = catalog::unknown_type_message(&catalog, &self.event);
            return Err(Failure::new(Code::BadInput, anyhow!(message)));
        }
        if self.schema {
            let schemas = matching
                .iter()
                .map(|event_type| self.schema_of(&catalog, event_type));
            return output::pretty(&schemas.collect());
        }
        list(&catalog, &matching, global)
    }

    /// Returns the requested schema of an event type.
    fn schema_of(&self, catalog: &Catalog, event_type: &EventType) -> Value {
        match event_type.caliper.filter(|_| self.caliper) {
            Some(form) if self.strict => {
                catalog.caliper_schema(event_type, "caliper-strict", &form.strict)
            }
            Some(form) => catalog.caliper_schema(event_type, "caliper", &form.compatible),
            None => catalog.json_schema(event_type),
        }
    }
}

/// Returns the schemas of both Caliper forms of an event type.
fn describe_caliper(catalog: &Catalog, event_type: &EventType, form: &CaliperTemplate) -> Value {
    json!({
        "event_type": event_type.name,
        "caliper": catalog.caliper_schema(event_type, "caliper", &form.compatible),
        "caliper-strict": catalog.caliper_schema(event_type, "caliper-strict", &form.strict),
    })
}

fn list(catalog: &Catalog, matching: &[&EventType], global: &GlobalArgs) -> Result<(), Failure> {
    if global.json {
        let types: Vec<_> = matching
            .iter()
            .map(|event_type| event_type.summary())
            .collect();
        let metadata = catalog.describe_metadata();
        let version = catalog.version();
        return output::pretty(
            &json!({ "version": version, "event_types": types, "metadata": metadata }),
        );
    }
    let rows: Vec<_> = matching
        .iter()
        .map(|event_type| {
            [event_type.category, event_type.name, event_type.meaning].map(str::to_owned)
        })
        .collect();
    output::table(["CATEGORY", "EVENT TYPE", "MEANING"], &rows)?;
    let (count, version) = (matching.len(), catalog.version());
    let types = if count == 1 {
        "event type"
    } else {
        "event types"
    };
    output::notice(format_args!(
        "{count} {types}, catalogue {version}; for details run `easel catalog NAME`"
    ));
    Ok(())
}
