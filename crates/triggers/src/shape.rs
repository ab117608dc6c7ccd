//! What a change of each subject and operation can have, for those who write changes.

use std::collections::BTreeMap;

use easel_catalog::{Column, Context, EventType, Field, Kind, MetadataField};

use crate::gate::IDLE_COLUMNS;
use crate::inputs::{WorkedInputs, places};
use crate::metadata::{SESSION_COLUMN, related_columns};
use crate::questions::{ColumnType, Question, RowName};
use crate::rule::Operation;
use crate::rules;
use crate::triggers::Triggers;

/// What a change of one subject and operation can have.
#[derive(Clone, Debug)]
pub struct ChangeShape {
    /// The type of the record, or the action.
    pub subject: &'static str,
    /// What becomes of the record.
    pub operation: Operation,
    /// The event types that such a change can mean, in order.
    pub events: Vec<&'static str>,
    /// The columns of the record, or of `with`, that events are made of.
    pub columns: Vec<ShapeColumn>,
    /// The related rows that events are made of, and their columns.
    pub related: BTreeMap<String, Vec<ShapeColumn>>,
}

/// A column that events are made of, or that decides whether there is one.
#[derive(Clone, Debug)]
pub struct ShapeColumn {
    /// Its name.
    pub name: String,
    /// Whether a change without it is refused.
    pub is_required: bool,
    /// The field that is made of it, where one is.
    pub(crate) field: Option<Field>,
    /// What a gate or a worked-out value reads it as.
    pub(crate) form: ColumnType,
}

impl Triggers {
    /// What changes can have: a shape for each subject and operation, in the order of the rules.
    pub fn shapes(&self) -> Vec<ChangeShape> {
        let mut shapes: Vec<ChangeShape> = Vec::new();
        for rule in rules::all() {
            let is_known = |shape: &&ChangeShape| {
                shape.subject == rule.subject && shape.operation == rule.operation
            };
            if shapes.iter().find(is_known).is_none() {
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
            if !shape.events.contains(&rule.event) {
                shape.events.push(rule.event);
            }
            if let Some(event_type) = self.catalog().get(rule.event) {
                shape.add_event_type(event_type, self.catalog().metadata());
            }
            for question in inputs.gates.iter().flatten().chain(&inputs.worked) {
                shape.add_question(question);
            }
            if let Some(event_type) = self.catalog().get(rule.event) {
                shape.add_worked(event_type, self.inputs().worked());
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
        // A field that is made of a row's id is what most people look for first.
        shape.columns.sort_by_key(|column| column.name != "id");
        shape
    }
}

impl ChangeShape {
    fn add_event_type(&mut self, event_type: &EventType, metadata: &[MetadataField]) {
        let field_of = |name: &str| {
            let field = metadata.iter().find(|it| it.field.name == name);
            field.map(|it| it.field)
        };
        for field in event_type.body {
            let is_alone = field.from.len() <= 1;
            for (row, name) in places(event_type, field) {
                let is_required = is_alone && field.is_always_there() && row == RowName::Own;
                let column = self.column(&row, name);
                column.field.get_or_insert(*field);
                column.is_required |= is_required;
            }
        }
        if event_type.context == Context::Login {
            self.column(&RowName::Own, SESSION_COLUMN).field = field_of(SESSION_COLUMN);
        }
        // A context that is a course is called `course`, unless a field is made of any context.
        let other = if self.related.contains_key("context") {
            "course"
        } else {
            "context"
        };
        for (related, name, field) in related_columns(event_type) {
            if related != other {
                let column = self.column(&RowName::Related(related.to_owned()), name);
                column.field = column.field.or_else(|| field_of(field));
                column.is_required |= name == "id" && ["course", "context"].contains(&related);
            }
        }
    }

    /// Types the columns that a worked-out value is a copy of: those that have its name, or that
    /// its rule alone asks for.
    /// What the rule of a required field never does without is required.
    fn add_worked(&mut self, event_type: &EventType, worked: &[WorkedInputs]) {
        for field in event_type.body {
            let Some(Column::ComputedBy(rule)) = field.from.first() else {
                continue;
            };
            let Some(of_rule) = worked.iter().find(|known| known.rule == *rule) else {
                continue;
            };
            if field.from.len() == 1 && field.is_always_there() {
                for column in &of_rule.needed {
                    self.column(&RowName::Own, column).is_required = true;
                }
            }
            let mut names: Vec<_> = of_rule
                .questions
                .iter()
                .filter(|question| question.row == RowName::Own)
                .map(|question| question.column.as_str())
                .collect();
            names.dedup();
            let names = match names.as_slice() {
                [alone] => [field.name, alone],
                _ => [field.name, field.name],
            };
            for column in &mut self.columns {
                let is_copied = names.contains(&column.name.as_str()) && column.field.is_none();
                let is_text = matches!(field.kind, Kind::Text);
                let fits = match column.form {
                    ColumnType::Any => true,
                    ColumnType::Text | ColumnType::Word(_) => is_text,
                    ColumnType::Time => matches!(field.kind, Kind::Timestamp(_)),
                    ColumnType::Object => matches!(field.kind, Kind::Object(_)),
                    ColumnType::Truth | ColumnType::List => false,
                };
                if is_copied && fits {
                    column.field = Some(*field);
                }
            }
        }
    }

    fn add_question(&mut self, question: &Question) {
        if question.column.is_empty() {
            if let RowName::Related(name) = &question.row {
                self.related.entry(name.clone()).or_default();
            }
            return;
        }
        let column = self.column(&question.row, &question.column);
        if column.form == ColumnType::Any {
            column.form = question.form.clone();
        }
    }

    /// The column of this name, added where it is not yet known.
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
                form: ColumnType::Any,
            });
            columns.len() - 1
        });
        // The index is in range: the column was found or added.
        #[expect(
            clippy::indexing_slicing,
            reason = "the column was found or added above"
        )]
        &mut columns[index]
    }
}
