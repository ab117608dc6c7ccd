//! A change to fill in, for each subject and operation.

use std::collections::BTreeMap;

use easel_catalog::{EventOrigin, Kind};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::change::{Change, Subject};
use crate::change_context::ChangeContext;
use crate::gate::Gate;
use crate::placeholder::{candidates, placeholder, placeholder_of_form};
use crate::questions::Question;
use crate::row::Row;
use crate::rule::Operation;
use crate::shape::{ChangeShape, ShapeColumn};
use crate::triggers::Triggers;

impl Triggers {
    /// A change of this shape with a value of the right type in every column. As far as values can
    /// be found that open the gates, it means its events; in any case it is accepted. It deletes
    /// nothing if it can mean something else.
    pub fn template(&self, shape: &ChangeShape) -> Change {
        let mut change = self.draft(shape);
        let mut kept: Vec<&Gate> = Vec::new();
        let (mut has_fired, mut has_event) = (false, false);
        for (rule, inputs) in self.inputs().rules(shape.subject, shape.operation) {
            let is_deletion = rule.event.ends_with("_deleted");
            if rule.otherwise && has_fired || is_deletion && has_event {
                continue;
            }
            let (mut opened, mut gates) = (change.clone(), kept.clone());
            has_fired = rule
                .all_gates()
                .zip(&inputs.gates)
                .all(|(gate, questions)| {
                    gates.push(gate);
                    self.open(&gates, questions, shape, &mut opened)
                });
            if has_fired {
                has_event = true;
                (change, kept) = (opened, gates);
            }
        }
        change
    }

    fn draft(&self, shape: &ChangeShape) -> Change {
        let row = row(&shape.columns);
        let (subject, operation) = match shape.operation {
            Operation::Act => {
                let name = shape.subject.to_owned();
                (Subject::Action { name }, Operation::Act)
            }
            operation => {
                let kind = shape.subject.to_owned();
                (Subject::Record { kind, operation }, operation)
            }
        };
        let has = |name: &str| operation.rows().contains(&name);
        let has_after = has("after") || has("with");
        let related = shape.related.iter();
        Change {
            subject,
            before: has("before").then(|| row.clone()),
            after: has_after.then_some(row),
            related: related
                .map(|(name, columns)| (name.clone(), self::row(columns)))
                .collect::<BTreeMap<_, _>>(),
            origin: EventOrigin::Request,
            context: self.context(),
            body: Row::default(),
            occurred_at: None,
        }
    }

    /// What a request tells of itself.
    fn context(&self) -> Row {
        let fields = self.catalog().metadata().iter();
        let fields = fields.filter(|it| {
            let is_written_by_easel = ["event_name", "event_time"].contains(&it.field.name);
            it.is_sent(EventOrigin::Request) && it.field.example.is_some() && !is_written_by_easel
        });
        let members = fields.map(|it| (it.field.name.to_owned(), placeholder(&it.field)));
        Row(members.collect::<Map<_, _>>())
    }

    /// Opens the last of these gates, and keeps the others open, by changing one column or two of a
    /// change that is accepted; false where no values are found, which leaves the change as it was.
    fn open(
        &self,
        gates: &[&Gate],
        questions: &[Question],
        shape: &ChangeShape,
        change: &mut Change,
    ) -> bool {
        let is_open = |change: &Change| {
            let scene = ChangeContext::new(change, self.options());
            gates.iter().all(|gate| {
                gate.needs.is_none_or(|need| need.missing(scene).is_none()) && (gate.is_open)(scene)
            })
        };
        let text = gates.last().map_or("", |gate| gate.opens);
        let is_accepted = |change: &Change| {
            let outcome = self.events(change, Timestamp::UNIX_EPOCH);
            outcome.is_ok_and(|outcome| outcome.warnings.is_empty())
        };
        if is_open(change) {
            return true;
        }
        let mut tries: Vec<(Question, Value)> = Vec::new();
        for question in questions.iter().filter(|it| !it.column.is_empty()) {
            let listed = listed(question, shape);
            let values = candidates(question, text).into_iter().chain(listed);
            tries.extend(values.map(|value| (question.clone(), value)));
        }
        if questions.is_empty() {
            tries.extend(other_texts(shape));
        }
        for (first, value) in &tries {
            let mut one = change.clone();
            first.put(&mut one, value.clone());
            if is_open(&one) && is_accepted(&one) {
                *change = one;
                return true;
            }
            for (second, value) in &tries {
                let mut two = one.clone();
                second.put(&mut two, value.clone());
                if second.column != first.column && is_open(&two) && is_accepted(&two) {
                    *change = two;
                    return true;
                }
            }
        }
        false
    }
}

fn row(columns: &[ShapeColumn]) -> Row {
    let members = columns.iter().map(|column| {
        let value = match &column.field {
            Some(field) => placeholder(field),
            None => placeholder_of_form(&column.name, &column.form),
        };
        (column.name.clone(), value)
    });
    Row(members.collect::<Map<_, _>>())
}

/// The values that the catalogue lists for the field that is made of a column.
fn listed(question: &Question, shape: &ChangeShape) -> Vec<Value> {
    let mut columns = shape.columns.iter();
    let column = columns.find(|column| column.name == question.column);
    let values = column.and_then(|column| column.field?.values);
    let Some(values) = values else {
        return Vec::new();
    };
    values
        .listed
        .iter()
        .map(|text| Value::from(*text))
        .collect()
}

/// Another text for each column of text, as it was before.
fn other_texts(shape: &ChangeShape) -> impl Iterator<Item = (Question, Value)> {
    use crate::questions::{ColumnType, RowName};
    let is_free = |column: &&ShapeColumn| {
        let field = column.field.as_ref();
        field.is_some_and(|field| matches!(field.kind, Kind::Text) && field.values.is_none())
    };
    let columns = shape.columns.iter().filter(is_free);
    let before = columns.map(|column| (column, Value::from("before")));
    // Where there is no text, any column that was null does.
    let others = shape.columns.iter().filter(|column| column.name != "id");
    let nulls = others.map(|column| (column, Value::Null));
    before.chain(nulls).map(|(column, value)| {
        let question = Question {
            row: RowName::Before,
            column: column.name.clone(),
            form: ColumnType::Any,
        };
        (question, value)
    })
}
