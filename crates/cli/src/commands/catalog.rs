//! `easel catalog`

mod page;

use anyhow::anyhow;
use easel_catalog::{CaliperForm, Catalog, EventType};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::args::GlobalArgs;
use crate::catalog;
use crate::exit_code::{Code, Failure};
use crate::output;

const EXAMPLES: &str = "\
Needs no server. Event types of your own come from the folder that `catalog.folder` names in the
settings.

Examples:
  easel catalog
  easel catalog 'grade_*'
  easel catalog grade_change
  easel catalog grade_change --caliper
  easel catalog grade_change --schema > grade_change.schema.json
  easel catalog --asyncapi > live-events.json";

/// Look up event types: what they say, what triggers them, their fields
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CatalogArgs {
    /// Event type, or a glob: * is any run of characters, ? is one
    #[arg(value_name = "EVENT", default_value = "*")]
    event: String,
    /// Print the JSON Schema of the event type
    #[arg(long)]
    schema: bool,
    /// Print the Caliper form of the event type, or with --schema its schema
    #[arg(long, conflicts_with = "asyncapi")]
    caliper: bool,
    /// With --caliper and --schema: that of the form that keeps to the standard
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
        if let Some(it) = catalog.get(&self.event) {
            if self.caliper && it.caliper.is_none() {
                let told = anyhow!("{} has no Caliper form", it.name);
                return Err(Failure::new(Code::BadInput, told));
            }
            return match it.caliper.filter(|_| self.caliper) {
                _ if self.schema => output::pretty(&self.schema_of(&catalog, it)),
                Some(form) if global.json => output::pretty(&describe_caliper(&catalog, it, &form)),
                Some(form) => output::styled(page::render_caliper(it, &form)),
                None if global.json => output::pretty(&catalog.describe(it, Timestamp::now())),
                None => output::styled(page::render(&catalog, it)),
            };
        }
        let has_form = |it: &&EventType| !self.caliper || it.caliper.is_some();
        let matching: Vec<_> = catalog.matching(&self.event).filter(has_form).collect();
        if matching.is_empty() {
            let told = catalog::unknown(&catalog, &self.event);
            return Err(Failure::new(Code::BadInput, anyhow!(told)));
        }
        if self.schema {
            let schemas = matching.iter().map(|it| self.schema_of(&catalog, it));
            return output::pretty(&schemas.collect());
        }
        list(&catalog, &matching, global)
    }

    /// The schema that was asked for.
    fn schema_of(&self, catalog: &Catalog, it: &EventType) -> Value {
        match it.caliper.filter(|_| self.caliper) {
            Some(form) if self.strict => catalog.caliper_schema(it, "caliper-strict", &form.strict),
            Some(form) => catalog.caliper_schema(it, "caliper", &form.compatible),
            None => catalog.json_schema(it),
        }
    }
}

/// Both Caliper forms of an event type, by their schemas.
fn describe_caliper(catalog: &Catalog, it: &EventType, form: &CaliperForm) -> Value {
    json!({
        "event_type": it.name,
        "caliper": catalog.caliper_schema(it, "caliper", &form.compatible),
        "caliper-strict": catalog.caliper_schema(it, "caliper-strict", &form.strict),
    })
}

fn list(catalog: &Catalog, matching: &[&EventType], global: &GlobalArgs) -> Result<(), Failure> {
    if global.json {
        let types: Vec<_> = matching.iter().map(|it| it.summary()).collect();
        let metadata = catalog.describe_metadata();
        let version = catalog.version();
        return output::pretty(
            &json!({ "version": version, "event_types": types, "metadata": metadata }),
        );
    }
    let rows: Vec<_> = matching
        .iter()
        .map(|it| [it.category, it.name, it.meaning].map(str::to_owned))
        .collect();
    output::table(["CATEGORY", "EVENT TYPE", "SAYS"], &rows)?;
    let (count, version) = (matching.len(), catalog.version());
    let types = if count == 1 {
        "event type"
    } else {
        "event types"
    };
    output::talk(format_args!(
        "{count} {types}, catalogue {version}; `easel catalog NAME` tells more"
    ));
    Ok(())
}
