//! `easel changes template` and `easel changes records`

use anyhow::anyhow;
use clap::ValueEnum;
use easel_triggers::{ChangeShape, Operation, ShapeColumn, Triggers};
use serde_json::{Value, json};

use crate::exit_code::{Code, Failure};
use crate::output;
use crate::settings::nearest;

pub(super) const TEMPLATE_HELP: &str = "\
Every column, related row and field of the context that events are made of is there, with a value of the
right type. The template is a change that is accepted as it stands.

Examples:
  easel changes template WikiPage
  easel changes template Submission --operation insert | easel changes explain
  easel changes template logged_in";

pub(super) const RECORDS_HELP: &str = "\
A column with * is required: a change without it is refused. Rows can have more columns than these; they
count for whether a row changed.

Examples:
  easel changes records
  easel changes records WikiPage
  easel changes records --json";

#[derive(Debug, clap::Args)]
pub(super) struct TemplateArgs {
    /// A type of record, or an action; all of them, a line each, if left out
    record: Option<String>,
    /// What becomes of the record; the first that makes an event if left out
    #[arg(long, value_enum, requires = "record")]
    operation: Option<OperationArg>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RecordsArgs {
    /// A type of record, or an action; all of them if left out
    record: Option<String>,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OperationArg {
    Insert,
    Update,
    Delete,
}

impl TemplateArgs {
    pub(super) fn run(self, triggers: &Triggers) -> Result<(), Failure> {
        let shapes = triggers.shapes();
        let template = |shape: &ChangeShape| triggers.template(shape).to_json();
        let Some(record) = self.record else {
            return shapes
                .iter()
                .try_for_each(|shape| output::line(template(shape)));
        };
        let shapes = of_record(&shapes, &record)?;
        let operation = self.operation.map(Operation::from);
        let mut chosen = shapes.iter();
        let chosen =
            chosen.find(|shape| operation.is_none_or(|operation| shape.operation == operation));
        let names = shapes.iter().map(|shape| shape.operation.name());
        let names = names.collect::<Vec<_>>().join(", ");
        let Some(shape) = chosen else {
            let what = anyhow!("{record} makes events for: {names}");
            return Err(Failure::new(Code::Usage, what));
        };
        output::pretty(&template(shape))?;
        if operation.is_none() && shapes.len() > 1 {
            output::talk(format_args!(
                "operations of {record}: {names}; see --operation"
            ));
        }
        Ok(())
    }
}

impl RecordsArgs {
    pub(super) fn run(self, triggers: &Triggers, is_json: bool) -> Result<(), Failure> {
        let shapes = triggers.shapes();
        let shapes = match &self.record {
            Some(record) => of_record(&shapes, record)?,
            None => shapes.iter().collect(),
        };
        for shape in shapes {
            if is_json {
                output::line(json_of(shape))?;
            } else {
                output::text(&text_of(shape))?;
            }
        }
        Ok(())
    }
}

/// The shapes of a record type or an action, or that there is no such.
fn of_record<'a>(shapes: &'a [ChangeShape], record: &str) -> Result<Vec<&'a ChangeShape>, Failure> {
    let found: Vec<_> = shapes
        .iter()
        .filter(|shape| shape.subject == record)
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let near = nearest(record, shapes.iter().map(|shape| shape.subject));
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let what = anyhow!("{record:?} is an unknown record type or action{near}");
    Err(Failure::new(Code::Usage, what))
}

fn text_of(shape: &ChangeShape) -> String {
    let operation = match shape.operation {
        Operation::Act => "action",
        operation => operation.name(),
    };
    let mut text = format!(
        "{} {operation}: {}\n",
        shape.subject,
        shape.events.join(", ")
    );
    let mut rows = vec![(String::new(), &shape.columns)];
    let related = shape.related.iter();
    rows.extend(related.map(|(name, columns)| (format!("related {name}: "), columns)));
    for (name, columns) in rows {
        let names = columns.iter().map(|column| {
            let mark = if column.is_required { "*" } else { "" };
            format!("{}{mark}", column.name)
        });
        let names = names.collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() {
            "no columns"
        } else {
            &names
        };
        let line = textwrap::fill(
            &format!("{name}{names}"),
            textwrap::Options::new(96)
                .initial_indent("  ")
                .subsequent_indent("    "),
        );
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn json_of(shape: &ChangeShape) -> Value {
    let columns = |columns: &[ShapeColumn]| {
        let columns = columns.iter().map(|column| {
            json!({ "name": column.name, "type": column.type_name(), "required": column.is_required })
        });
        columns.collect::<Value>()
    };
    let related = shape
        .related
        .iter()
        .map(|(name, row)| (name.clone(), columns(row)));
    let is_action = shape.operation == Operation::Act;
    let kind = if is_action { "action" } else { "record" };
    let operation = (!is_action).then(|| shape.operation.name());
    json!({
        kind: shape.subject,
        "operation": operation,
        "events": shape.events,
        "columns": columns(&shape.columns),
        "related": related.collect::<serde_json::Map<_, _>>(),
    })
}

impl From<OperationArg> for Operation {
    fn from(operation: OperationArg) -> Self {
        match operation {
            OperationArg::Insert => Self::Insert,
            OperationArg::Update => Self::Update,
            OperationArg::Delete => Self::Delete,
        }
    }
}
