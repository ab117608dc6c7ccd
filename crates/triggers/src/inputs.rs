//! The columns and related rows that a change of each subject can have.
//!
//! There is no list of them: they are derived. The catalogue names the columns of the fields. The columns
//! of gates and computed values are found by running them on rows with different values, and by
//! recording which columns they read.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use easel_catalog::{Catalog, Column, Context, EventOrigin, EventType, Field};

use crate::body::column_of;
use crate::change::{Change, Subject};
use crate::change_context::ChangeContext;
use crate::column_reads::{ColumnRead, ColumnReads, ColumnType, RowName};
use crate::computed;
use crate::gate::{Gate, IDLE_COLUMNS};
use crate::metadata::{SESSION_COLUMN, related_columns};
use crate::operation::Operation;
use crate::options::{SubmissionRule, TriggerOptions};
use crate::placeholder::{candidates, placeholder_for_type};
use crate::row::Row;
use crate::rule::TriggerRule;
use crate::rules;
use crate::unused_columns::unused_columns;

/// The inputs of all rules, and the names that changes of each subject can have.
#[derive(Debug)]
pub(crate) struct Inputs {
    rules: Vec<(&'static TriggerRule, RuleInputs)>,
    subjects: BTreeMap<&'static str, KnownNames>,
    computed: Vec<ComputedInputs>,
    /// The columns that a row can have, by the name that related rows of its type have.
    columns_by_type: BTreeMap<String, HashSet<String>>,
}

/// The inputs of one computed value.
#[derive(Debug)]
pub(crate) struct ComputedInputs {
    pub(crate) name: &'static str,
    pub(crate) reads: Vec<ColumnRead>,
    /// The columns of the row that the computation always requires.
    pub(crate) needed: Vec<String>,
}

/// The inputs of one rule.
#[derive(Debug)]
pub(crate) struct RuleInputs {
    /// The inputs of each gate, in order.
    pub(crate) gates: Vec<Vec<ColumnRead>>,
    /// The inputs of the computed values of the rule's event.
    pub(crate) computed: Vec<ColumnRead>,
}

/// The names of columns and related rows that a change of a subject can have.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    /// Whether any column name is valid, because an event uses all columns.
    pub(crate) accepts_any_column: bool,
    pub(crate) columns: HashSet<String>,
    pub(crate) related: BTreeMap<String, HashSet<String>>,
}

impl Inputs {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let computed: Vec<_> = computed::descriptions()
            .filter_map(|(name, text)| {
                let compute = computed::computation(name)?;
                let reads = find_reads(text, |ctx| compute(ctx).is_some());
                Some(ComputedInputs {
                    name,
                    needed: needed(text, &reads, |ctx| compute(ctx).is_some()),
                    reads,
                })
            })
            .collect();
        let rules: Vec<_> = rules::all()
            .map(|rule| {
                let mut computed_reads = Vec::new();
                if let Some(event_type) = catalog.get(rule.event_type) {
                    for name in computed_names(event_type) {
                        let inputs = computed.iter().filter(|inputs| inputs.name == name);
                        let reads = inputs.flat_map(|inputs| &inputs.reads);
                        add(&mut computed_reads, reads.cloned());
                    }
                }
                let gates = rule.all_gates().map(gate_reads);
                let inputs = RuleInputs {
                    gates: gates.collect(),
                    computed: computed_reads,
                };
                (rule, inputs)
            })
            .collect();
        let (subjects, columns_by_type) = subjects(catalog, &rules);
        Self {
            rules,
            subjects,
            computed,
            columns_by_type,
        }
    }

    /// Returns the rules of one subject and operation, in order, with their inputs.
    pub(crate) fn rules(
        &self,
        subject: &str,
        operation: Operation,
    ) -> impl Iterator<Item = (&'static TriggerRule, &RuleInputs)> {
        let rules = self.rules.iter();
        rules
            .filter(move |(rule, _)| rule.subject == subject && rule.operation == operation)
            .map(|(rule, inputs)| (*rule, inputs))
    }

    /// Returns the columns that a row can have, by the name of a related row of its type.
    pub(crate) fn columns_of_type(&self, name: &str) -> Option<&HashSet<String>> {
        self.columns_by_type.get(name)
    }

    /// Returns the inputs of each computed value.
    pub(crate) fn computed(&self) -> &[ComputedInputs] {
        &self.computed
    }

    /// Returns the names that a change of this subject can have.
    pub(crate) fn known(&self, subject: &str) -> Option<&KnownNames> {
        self.subjects.get(subject)
    }
}

/// Returns the names of the computed values in the body of an event.
fn computed_names(event_type: &EventType) -> impl Iterator<Item = &'static str> {
    let columns = event_type.body.iter().flat_map(|field| field.from.iter());
    columns
        .chain(&event_type.further)
        .filter_map(|column| match column {
            Column::ComputedBy(name) => Some(*name),
            _ => None,
        })
}

fn gate_reads(gate: &'static Gate) -> Vec<ColumnRead> {
    find_reads(gate.condition, |ctx| {
        let lacks_input = gate.needs.is_some_and(|need| need.missing(ctx).is_some());
        (gate.is_open)(ctx) && !lacks_input
    })
}

/// Returns the columns that `compute` can read, depending on their values. `text` describes `compute` in
/// words.
fn find_reads(text: &str, compute: impl Fn(ChangeContext<'_>) -> bool) -> Vec<ColumnRead> {
    /// A new value can make `compute` read more columns. No gate and no computed value needs more rounds
    /// than this.
    const MAX_ROUNDS: usize = 6;
    let mut reads = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let count = reads.len();
        let mut changes = vec![draft(&[]), draft(&reads)];
        for read in &reads {
            for value in candidates(read, text) {
                let mut change = draft(&reads);
                read.put(&mut change, value);
                changes.push(change);
            }
        }
        for change in &changes {
            for submission_rule in [SubmissionRule::Newest, SubmissionRule::Published] {
                let recorder = ColumnReads::default();
                let options = TriggerOptions {
                    submission_rule,
                    ..TriggerOptions::default()
                };
                let _result: bool = compute(ChangeContext {
                    change,
                    options,
                    recorder: Some(&recorder),
                });
                add(&mut reads, recorder.into_vec());
            }
        }
        if reads.len() == count {
            break;
        }
    }
    reads
}

/// Returns the columns of the row that are always required: without one of them, `has_value` is always
/// false.
fn needed(
    text: &str,
    reads: &[ColumnRead],
    has_value: impl Fn(ChangeContext<'_>) -> bool,
) -> Vec<String> {
    let has_value_without = |column: &str, mut change: Change| {
        if let Some(row) = &mut change.after {
            row.0.remove(column);
        }
        has_value(ChangeContext::new(&change, TriggerOptions::default()))
    };
    let is_needed = |column: &str| {
        let mut others = reads.iter().filter(|other| other.column != column);
        let has_other_value = others.any(|read| {
            let mut values = candidates(read, text).into_iter();
            values.any(|value| {
                let mut change = draft(reads);
                read.put(&mut change, value);
                has_value_without(column, change)
            })
        });
        has_value(ChangeContext::new(&draft(reads), TriggerOptions::default()))
            && !has_other_value
            && !has_value_without(column, draft(reads))
    };
    let own = reads.iter().filter(|read| read.row == RowName::Own);
    let columns: BTreeSet<_> = own.map(|read| read.column.as_str()).collect();
    let columns = columns.into_iter().filter(|column| is_needed(column));
    columns.map(str::to_owned).collect()
}

/// Returns a change with a placeholder in every column of `reads`.
fn draft(reads: &[ColumnRead]) -> Change {
    let mut change = Change {
        subject: Subject::Action {
            name: String::new(),
        },
        before: Some(Row::default()),
        after: Some(Row::default()),
        related: BTreeMap::new(),
        origin: EventOrigin::Neither,
        context: Row::default(),
        body: Row::default(),
        occurred_at: None,
    };
    for read in reads {
        read.put(
            &mut change,
            placeholder_for_type(&read.column, &read.column_type),
        );
    }
    change
}

impl ColumnRead {
    /// Sets the column of a change to `value`.
    pub(crate) fn put(&self, change: &mut Change, value: serde_json::Value) {
        let row = match &self.row {
            RowName::Own => change.after.as_mut().or(change.before.as_mut()),
            RowName::Before => change.before.as_mut(),
            RowName::Related(name) => Some(change.related.entry(name.clone()).or_default()),
        };
        if let Some(row) = row.filter(|_| !self.column.is_empty()) {
            row.0.insert(self.column.clone(), value);
        }
    }
}

fn add(all: &mut Vec<ColumnRead>, more: impl IntoIterator<Item = ColumnRead>) {
    for read in more {
        if !all.contains(&read) {
            all.push(read);
        }
    }
}

/// Returns the names that changes of each subject can have, and the columns of each type of row.
fn subjects(
    catalog: &Catalog,
    rules: &[(&'static TriggerRule, RuleInputs)],
) -> (
    BTreeMap<&'static str, KnownNames>,
    BTreeMap<String, HashSet<String>>,
) {
    let mut subjects: BTreeMap<&'static str, KnownNames> = BTreeMap::new();
    for (rule, inputs) in rules {
        let known = subjects.entry(rule.subject).or_default();
        if let Some(event_type) = catalog.get(rule.event_type) {
            known.add_fields(event_type);
        }
        for read in inputs.gates.iter().flatten().chain(&inputs.computed) {
            known.add(&read.row, &read.column);
        }
        if rule.operation == Operation::Update {
            known.columns.extend(IDLE_COLUMNS.map(str::to_owned));
        }
    }
    // A related row can have every column that any rule knows for rows of its type.
    let mut columns_by_type: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for (subject, known) in &mut subjects {
        let name = related_name(subject);
        known
            .columns
            .extend(unused_columns(&name).map(str::to_owned));
        columns_by_type
            .entry(name)
            .or_default()
            .extend(known.columns.iter().cloned());
        for (related, columns) in &known.related {
            for name in types_of(related) {
                let type_columns = columns_by_type.entry(name.to_owned()).or_default();
                type_columns.extend(columns.iter().cloned());
            }
        }
    }
    for known in subjects.values_mut() {
        for (related, columns) in &mut known.related {
            let polymorphic = POLYMORPHIC_ROWS.iter();
            let polymorphic =
                polymorphic.filter(|(name, _)| types_of(related).any(|known| known == *name));
            let type_names = polymorphic.flat_map(|(_, names)| names.iter().copied());
            for name in types_of(related).chain(type_names) {
                columns.extend(columns_by_type.get(name).into_iter().flatten().cloned());
                columns.extend(unused_columns(name).map(str::to_owned));
            }
        }
    }
    (subjects, columns_by_type)
}

/// Returns the name that a related row of this type has, such as `wiki_page` for `WikiPage`.
fn related_name(subject: &str) -> String {
    let name = subject.rsplit("::").next().unwrap_or(subject);
    let mut related_name = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !related_name.is_empty() {
            related_name.push('_');
        }
        related_name.push(letter.to_ascii_lowercase());
    }
    related_name
}

/// The related rows that can have several types, with the names of the types.
const POLYMORPHIC_ROWS: [(&str, &[&str]); 3] = [
    (
        "context",
        &["course", "account", "user", "group", "root_account"],
    ),
    (
        "content",
        &[
            "assignment",
            "attachment",
            "discussion_topic",
            "quiz",
            "wiki_page",
        ],
    ),
    ("artifact", &["submission"]),
];

/// Returns the types that a related row can have by its name: for `source_course`, also `course`.
fn types_of(related: &str) -> impl Iterator<Item = &str> {
    let name = related.strip_suffix("_before").unwrap_or(related);
    let underscores = name.match_indices('_');
    let suffixes = underscores.filter_map(move |(index, _)| name.get(index + 1..));
    [related, name].into_iter().chain(suffixes)
}

impl KnownNames {
    fn add(&mut self, row: &RowName, column: &str) {
        let columns = match row {
            RowName::Own | RowName::Before => &mut self.columns,
            RowName::Related(name) => self.related.entry(name.clone()).or_default(),
        };
        if !column.is_empty() {
            columns.insert(column.to_owned());
        } else if *row == RowName::Own {
            self.accepts_any_column = true;
        }
    }

    fn add_fields(&mut self, event_type: &EventType) {
        for field in event_type.body {
            for (row, column) in columns_of_field(event_type, field) {
                self.add(&row, column);
                if let RowName::Related(name) = row {
                    let name = name.strip_suffix("_before").unwrap_or(&name).to_owned();
                    self.columns.insert(format!("{name}_id"));
                }
            }
        }
        if event_type.context == Context::Login {
            self.columns.insert(SESSION_COLUMN.to_owned());
        }
        for (related, column, _field) in related_columns(event_type) {
            self.add(&RowName::Related(related.to_owned()), column);
            self.columns.insert(format!("{related}_id"));
        }
    }
}

/// Returns the columns that a field comes from, without the columns of computed values.
pub(crate) fn columns_of_field<'a>(
    event_type: &EventType,
    field: &'a Field,
) -> impl Iterator<Item = (RowName, &'a str)> {
    let default_column = match field.old_value_of {
        _ if !field.from.is_empty() => None,
        Some(current) => Some((RowName::Before, column_of(event_type, current))),
        None => Some((RowName::Own, field.name)),
    };
    let from = field.from.iter().filter_map(|column| match *column {
        Column::Own(column) => Some((RowName::Own, column)),
        Column::Before(column) => Some((RowName::Before, column)),
        Column::Related(related, column) => Some((RowName::Related(related.to_owned()), column)),
        Column::ComputedBy(_) | Column::Word(_) | Column::Flag(_) => None,
    });
    default_column.into_iter().chain(from)
}

impl ColumnRead {
    /// Returns the expected type if the value of the column has another type and is not null. The text
    /// follows "must be".
    pub(crate) fn type_mismatch(&self, change: &Change) -> Option<&'static str> {
        let value = self.value(change).filter(|value| !value.is_null())?;
        let (is_readable, wanted) = match &self.column_type {
            // A list is validated as the value of its field.
            ColumnType::Any | ColumnType::List => return None,
            ColumnType::Text | ColumnType::Word(_) => (value.is_string(), "a string"),
            ColumnType::Boolean => (value.is_boolean(), "true or false"),
            ColumnType::Object => (value.is_object(), "an object"),
            ColumnType::Time => {
                let time = value.as_str().and_then(easel_catalog::parse_timestamp);
                (time.is_some(), crate::value::A_TIME)
            }
        };
        (!is_readable).then_some(wanted)
    }
}
