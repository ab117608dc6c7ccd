//! Templates: for each subject and operation, a change with placeholder values.

use std::collections::BTreeMap;

use easel_catalog::{EventOrigin, Kind};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::change::{Change, Subject};
use crate::change_context::ChangeContext;
use crate::column_reads::ColumnRead;
use crate::gate::Gate;
use crate::operation::Operation;
use crate::placeholder::{candidates, placeholder, placeholder_for_type};
use crate::row::Row;
use crate::shape::{ChangeShape, ShapeColumn};
use crate::triggers::Triggers;

impl Triggers {
    /// Returns a valid change of this shape, with a value of the right type in every column.
    ///
    /// The change makes each event of the shape whose gates this function can open. It makes a deletion
    /// event only if no earlier rule made an event.
    pub fn template(&self, shape: &ChangeShape) -> Change {
        let mut change = self.draft(shape);
        let mut open_gates: Vec<&Gate> = Vec::new();
        let (mut has_fired, mut has_event) = (false, false);
        for (rule, inputs) in self.inputs().rules(shape.subject, shape.operation) {
            let is_deletion = rule.event_type.ends_with("_deleted");
            if rule.otherwise && has_fired || is_deletion && has_event {
                continue;
            }
            let (mut opened, mut gates) = (change.clone(), open_gates.clone());
            has_fired = rule.all_gates().zip(&inputs.gates).all(|(gate, reads)| {
                gates.push(gate);
                self.open(&gates, reads, shape, &mut opened)
            });
            if has_fired {
                has_event = true;
                (change, open_gates) = (opened, gates);
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

    /// Returns the metadata fields of a request.
    fn context(&self) -> Row {
        let is_written_by_easel = |name| ["event_name", "event_time"].contains(&name);
        let present = self.catalog().metadata().iter();
        let present = present.filter(|metadata| metadata.is_in_events_of(EventOrigin::Request));
        let fields = present.map(|metadata| &metadata.field);
        let fields =
            fields.filter(|field| field.example.is_some() && !is_written_by_easel(field.name));
        let members = fields.map(|field| (field.name.to_owned(), placeholder(field)));
        Row(members.collect::<Map<_, _>>())
    }

    /// Changes one or two columns of a valid change so that all `gates` are open. Before the call,
    /// all gates except the last are open. If it finds no values, returns false and leaves `change` as it
    /// is.
    fn open(
        &self,
        gates: &[&Gate],
        reads: &[ColumnRead],
        shape: &ChangeShape,
        change: &mut Change,
    ) -> bool {
        let is_open = |change: &Change| {
            let ctx = ChangeContext::new(change, self.options());
            gates.iter().all(|gate| {
                gate.needs.is_none_or(|need| need.missing(ctx).is_none()) && (gate.is_open)(ctx)
            })
        };
        let text = gates.last().map_or("", |gate| gate.condition);
        let is_accepted = |change: &Change| {
            let outcome = self.events(change, Timestamp::UNIX_EPOCH);
            outcome.is_ok_and(|outcome| outcome.warnings.is_empty())
        };
        if is_open(change) {
            return true;
        }
        let mut edits: Vec<(ColumnRead, Value)> = Vec::new();
        for read in reads.iter().filter(|known| !known.column.is_empty()) {
            let listed = listed_values(read, shape);
            let values = candidates(read, text).into_iter().chain(listed);
            edits.extend(values.map(|value| (read.clone(), value)));
        }
        if reads.is_empty() {
            edits.extend(values_before(shape));
        }
        for (first, value) in &edits {
            let mut edited = change.clone();
            first.put(&mut edited, value.clone());
            if is_open(&edited) && is_accepted(&edited) {
                *change = edited;
                return true;
            }
            for (second, value) in &edits {
                let mut edited_twice = edited.clone();
                second.put(&mut edited_twice, value.clone());
                if second.column != first.column
                    && is_open(&edited_twice)
                    && is_accepted(&edited_twice)
                {
                    *change = edited_twice;
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
            None => placeholder_for_type(&column.name, &column.column_type),
        };
        (column.name.clone(), value)
    });
    Row(members.collect::<Map<_, _>>())
}

/// Returns the values that the catalogue lists for the field of a column.
fn listed_values(read: &ColumnRead, shape: &ChangeShape) -> Vec<Value> {
    let mut columns = shape.columns.iter();
    let column = columns.find(|column| column.name == read.column);
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

/// Returns values for the row before the change: first another string for each string column without a
/// list of values, then null for each column.
fn values_before(shape: &ChangeShape) -> impl Iterator<Item = (ColumnRead, Value)> {
    use crate::column_reads::{ColumnType, RowName};
    let is_free = |column: &&ShapeColumn| {
        let field = column.field.as_ref();
        field.is_some_and(|field| matches!(field.kind, Kind::Text) && field.values.is_none())
    };
    let columns = shape.columns.iter().filter(is_free);
    let before = columns.map(|column| (column, Value::from("before")));
    // If there is no string column, a null in any column before the change makes a difference.
    let others = shape.columns.iter().filter(|column| column.name != "id");
    let nulls = others.map(|column| (column, Value::Null));
    before.chain(nulls).map(|(column, value)| {
        let read = ColumnRead {
            row: RowName::Before,
            column: column.name.clone(),
            column_type: ColumnType::Any,
        };
        (read, value)
    })
}
