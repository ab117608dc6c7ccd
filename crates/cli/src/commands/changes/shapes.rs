//! `easel changes template` and `easel changes records`

use anyhow::anyhow;
use clap::ValueEnum;
use easel_triggers::{ChangeShape, Operation, ShapeColumn, Triggers};
use serde_json::{Value, json};

use crate::exit_code::{Code, Failure};
use crate::output;
use crate::settings::nearest;

pub(super) const TEMPLATE_HELP: &str = "\
The template has every column, related row and context field that the events
use, each with a value of the right type. It is a valid change.

Examples:
  easel changes template WikiPage
  easel changes template Submission --operation insert | easel changes explain
  easel changes template logged_in";

pub(super) const ROW_TYPES_HELP: &str = "\
The types of rows that a change can have, with their columns, and the actions.
A column with * is required: a change without it is rejected. A row may have
more columns; a change of any column counts as a change of the row.

Examples:
  easel changes records
  easel changes records WikiPage
  easel changes records --json";

#[derive(Debug, clap::Args)]
pub(super) struct TemplateArgs {
    /// Row type such as `WikiPage`, or action such as `logged_in` [default: all, one on each line]
    subject: Option<String>,
    /// Operation on the row [default: the first one that produces an event]
    #[arg(long, value_enum, requires = "subject")]
    operation: Option<OperationArg>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RowTypesArgs {
    /// Row type such as `WikiPage`, or action such as `logged_in` [default: all]
    subject: Option<String>,
}

/// An operation on a row.
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
        let Some(subject) = self.subject else {
            return shapes
                .iter()
                .try_for_each(|shape| output::line(template(shape)));
        };
        let shapes = shapes_for(&shapes, &subject)?;
        let operation = self.operation.map(Operation::from);
        let mut candidates = shapes.iter();
        let shape =
            candidates.find(|shape| operation.is_none_or(|operation| shape.operation == operation));
        let operations = shapes.iter().map(|shape| shape.operation.name());
        let operations = operations.collect::<Vec<_>>().join(", ");
        let Some(shape) = shape else {
            let error = anyhow!("{subject} has events only for: {operations}");
            return Err(Failure::new(Code::Usage, error));
        };
        output::pretty(&template(shape))?;
        if operation.is_none() && shapes.len() > 1 {
            output::notice(format_args!(
                "operations of {subject}: {operations}; see --operation"
            ));
        }
        Ok(())
    }
}

impl RowTypesArgs {
    pub(super) fn run(self, triggers: &Triggers, is_json: bool) -> Result<(), Failure> {
        let shapes = triggers.shapes();
        let shapes = match &self.subject {
            Some(subject) => shapes_for(&shapes, subject)?,
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

/// Returns the shapes of a record type or an action. Fails if it is unknown.
fn shapes_for<'a>(
    shapes: &'a [ChangeShape],
    subject: &str,
) -> Result<Vec<&'a ChangeShape>, Failure> {
    let found: Vec<_> = shapes
        .iter()
        .filter(|shape| shape.subject == subject)
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let near = nearest(subject, shapes.iter().map(|shape| shape.subject));
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let error = anyhow!("{subject:?} is an unknown record type or action{near}");
    Err(Failure::new(Code::Usage, error))
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
    for (prefix, columns) in rows {
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
            &format!("{prefix}{names}"),
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
