//! The shape of a change: the columns and related rows of each subject and operation.
//!
//! Templates, schemas and the help for senders use the shapes.

use std::collections::BTreeMap;

use easel_catalog::{Column, Context, EventType, Field, Kind, MetadataField};

use crate::column_reads::{ColumnRead, ColumnType, RowName};
use crate::gate::IDLE_COLUMNS;
use crate::inputs::{ComputedInputs, columns_of_field};
use crate::metadata::{SESSION_COLUMN, related_columns};
use crate::operation::Operation;
use crate::rules;
use crate::triggers::Triggers;

/// The columns and related rows that a change of one subject and operation can have.
#[derive(Clone, Debug)]
pub struct ChangeShape {
    /// The type of the row, or the action.
    pub subject: &'static str,
    /// The operation on the row.
    pub operation: Operation,
    /// The event types that the change can make, in order.
    pub events: Vec<&'static str>,
    /// The columns of the row, or of `with`, that gates and events use.
    pub columns: Vec<ShapeColumn>,
    /// The related rows that gates and events use, and their columns.
    pub related: BTreeMap<String, Vec<ShapeColumn>>,
}

/// A column that a gate or an event uses.
#[derive(Clone, Debug)]
pub struct ShapeColumn {
    /// The name of the column.
    pub name: String,
    /// Whether a change without the column is rejected.
    pub is_required: bool,
    /// The field that comes from the column.
    pub(crate) field: Option<Field>,
    /// The type that a gate or a computed value reads the column as.
    pub(crate) column_type: ColumnType,
}

impl Triggers {
    /// Returns the shape of each subject and operation, in the order of the rules.
    pub fn shapes(&self) -> Vec<ChangeShape> {
        let mut shapes: Vec<ChangeShape> = Vec::new();
        for rule in rules::all() {
            let is_same = |shape: &&ChangeShape| {
                shape.subject == rule.subject && shape.operation == rule.operation
            };
            if shapes.iter().find(is_same).is_none() {
                shapes.push(self.shape(rule.subject, rule.operation));
            }
        }
        shapes
    }

    fn shape(&self, subject: &'static str, operation: Operation) -> ChangeShape {
        let mut shape = ChangeShape {
            subject,
            operation,
            events: Vec::new(),
            columns: Vec::new(),
            related: BTreeMap::new(),
        };
        for (rule, inputs) in self.inputs().rules(subject, operation) {
            if !shape.events.contains(&rule.event_type) {
                shape.events.push(rule.event_type);
            }
            if let Some(event_type) = self.catalog().get(rule.event_type) {
                shape.add_event_type(event_type, self.catalog().metadata());
            }
            for read in inputs.gates.iter().flatten().chain(&inputs.computed) {
                shape.add_read(read);
            }
            if let Some(event_type) = self.catalog().get(rule.event_type) {
                shape.add_computed(event_type, self.inputs().computed());
            }
            for column in rule.all_gates().filter_map(|gate| gate.needs?.column()) {
                shape.column(&RowName::Own, column).is_required = true;
            }
        }
        if operation == Operation::Update {
            for column in IDLE_COLUMNS {
                shape.column(&RowName::Own, column);
            }
        }
        // Most readers look for the id first.
        shape.columns.sort_by_key(|column| column.name != "id");
        shape
    }
}

impl ChangeShape {
    fn add_event_type(&mut self, event_type: &EventType, metadata: &[MetadataField]) {
        let field_of = |name: &str| {
            let known = metadata.iter().find(|known| known.field.name == name);
            known.map(|known| known.field)
        };
        for field in event_type.body {
            let has_one_column = field.from.len() <= 1;
            for (row, name) in columns_of_field(event_type, field) {
                let is_required = has_one_column && field.is_required() && row == RowName::Own;
                let column = self.column(&row, name);
                column.field.get_or_insert(*field);
                column.is_required |= is_required;
            }
        }
        if event_type.context == Context::Login {
            self.column(&RowName::Own, SESSION_COLUMN).field = field_of(SESSION_COLUMN);
        }
        // If the context is a course, its related row is called `course`, unless a field uses the related row
        // `context`.
        let unused_row = if self.related.contains_key("context") {
            "course"
        } else {
            "context"
        };
        for (related, name, field) in related_columns(event_type) {
            if related != unused_row {
                let column = self.column(&RowName::Related(related.to_owned()), name);
                column.field = column.field.or_else(|| field_of(field));
                column.is_required |= name == "id" && ["course", "context"].contains(&related);
            }
        }
    }

    /// Sets the field of the columns that a computed value copies. A computed value copies the column
    /// of its own name, or the only column that it reads.
    ///
    /// The columns that the computation of a required field always needs become required.
    fn add_computed(&mut self, event_type: &EventType, computed: &[ComputedInputs]) {
        for field in event_type.body {
            let Some(Column::ComputedBy(computed_name)) = field.from.first() else {
                continue;
            };
            let Some(inputs) = computed.iter().find(|known| known.name == *computed_name) else {
                continue;
            };
            if field.from.len() == 1 && field.is_required() {
                for column in &inputs.needed {
                    self.column(&RowName::Own, column).is_required = true;
                }
            }
            let mut names: Vec<_> = inputs
                .reads
                .iter()
                .filter(|read| read.row == RowName::Own)
                .map(|read| read.column.as_str())
                .collect();
            names.dedup();
            let names = match names.as_slice() {
                [only] => [field.name, only],
                _ => [field.name, field.name],
            };
            for column in &mut self.columns {
                let is_copied = names.contains(&column.name.as_str()) && column.field.is_none();
                let is_text = matches!(field.kind, Kind::Text);
                let fits = match column.column_type {
                    ColumnType::Any => true,
                    ColumnType::Text | ColumnType::Word(_) => is_text,
                    ColumnType::Time => matches!(field.kind, Kind::Timestamp(_)),
                    ColumnType::Object => matches!(field.kind, Kind::Object(_)),
                    ColumnType::Boolean | ColumnType::List => false,
                };
                if is_copied && fits {
                    column.field = Some(*field);
                }
            }
        }
    }

    fn add_read(&mut self, read: &ColumnRead) {
        if read.column.is_empty() {
            if let RowName::Related(name) = &read.row {
                self.related.entry(name.clone()).or_default();
            }
            return;
        }
        let column = self.column(&read.row, &read.column);
        if column.column_type == ColumnType::Any {
            column.column_type = read.column_type.clone();
        }
    }

    /// Returns the column of this name. Adds it if it is missing.
    fn column(&mut self, row: &RowName, name: &str) -> &mut ShapeColumn {
        let columns = match row {
            // Both rows of an update have the same columns.
            RowName::Own | RowName::Before => &mut self.columns,
            RowName::Related(related) => self.related.entry(related.clone()).or_default(),
        };
        let index = columns.iter().position(|column| column.name == name);
        let index = index.unwrap_or_else(|| {
            columns.push(ShapeColumn {
                name: name.to_owned(),
                is_required: false,
                field: None,
                column_type: ColumnType::Any,
            });
            columns.len() - 1
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "the column was found or added above"
        )]
        &mut columns[index]
    }
}
