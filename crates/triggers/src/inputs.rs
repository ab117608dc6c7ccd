//! The columns and related rows that a change of each subject can have.
//!
//! They are derived, not listed. The catalogue names the columns of the fields. The columns of gates
//! and computed values are found by running them on rows with different values, and by recording
//! which columns they read.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use easel_catalog::{Catalog, Column, Context, EventOrigin, EventType, Field};

use crate::body::column_of;
use crate::change::{Change, Subject};
use crate::change_context::ChangeContext;
use crate::computed;
use crate::gate::{Gate, IDLE_COLUMNS};
use crate::metadata::{SESSION_COLUMN, related_columns};
use crate::operation::Operation;
use crate::options::{SubmissionRule, TriggerOptions};
use crate::placeholder::{candidates, placeholder_for_type};
use crate::questions::{ColumnType, Question, Questions, RowName};
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
    /// The columns of each type of row, by the names that related rows of the type have.
    types: BTreeMap<String, HashSet<String>>,
}

/// The inputs of one computed value.
#[derive(Debug)]
pub(crate) struct ComputedInputs {
    pub(crate) rule: &'static str,
    pub(crate) questions: Vec<Question>,
    /// The columns of the row that the computation always requires.
    pub(crate) needed: Vec<String>,
}

/// The inputs of one rule.
#[derive(Debug)]
pub(crate) struct RuleInputs {
    /// The inputs of each gate, in order.
    pub(crate) gates: Vec<Vec<Question>>,
    /// The inputs of the computed values of the rule's event.
    pub(crate) computed: Vec<Question>,
}

/// The names of columns and related rows that a change of a subject can have.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    /// Whether any column name is valid, because an event uses all columns.
    pub(crate) is_open: bool,
    pub(crate) columns: HashSet<String>,
    pub(crate) related: BTreeMap<String, HashSet<String>>,
}

impl Inputs {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let computed: Vec<_> = computed::descriptions()
            .filter_map(|(name, text)| {
                let compute = computed::rule(name)?;
                let questions = explore(text, |ctx| compute(ctx).is_some());
                Some(ComputedInputs {
                    rule: name,
                    needed: needed(text, &questions, |ctx| compute(ctx).is_some()),
                    questions,
                })
            })
            .collect();
        let rules: Vec<_> = rules::all()
            .map(|rule| {
                let mut computed_questions = Vec::new();
                if let Some(event_type) = catalog.get(rule.event) {
                    for name in computed_rules(event_type) {
                        let inputs = computed.iter().filter(|inputs| inputs.rule == name);
                        let questions = inputs.flat_map(|inputs| &inputs.questions);
                        add(&mut computed_questions, questions.cloned());
                    }
                }
                let gates = rule.all_gates().map(gate_questions);
                let inputs = RuleInputs {
                    gates: gates.collect(),
                    computed: computed_questions,
                };
                (rule, inputs)
            })
            .collect();
        let (subjects, types) = subjects(catalog, &rules);
        Self {
            rules,
            subjects,
            computed,
            types,
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
        self.types.get(name)
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
fn computed_rules(event_type: &EventType) -> impl Iterator<Item = &'static str> {
    let columns = event_type.body.iter().flat_map(|field| field.from.iter());
    columns
        .chain(&event_type.further)
        .filter_map(|column| match column {
            Column::ComputedBy(rule) => Some(*rule),
            _ => None,
        })
}

fn gate_questions(gate: &'static Gate) -> Vec<Question> {
    explore(gate.opens, |ctx| {
        let lacks = gate.needs.is_some_and(|need| need.missing(ctx).is_some());
        (gate.is_open)(ctx) && !lacks
    })
}

/// Returns the columns that `read` reads, for any values. `text` describes `read` in words.
fn explore(text: &str, read: impl Fn(ChangeContext<'_>) -> bool) -> Vec<Question> {
    /// A new value can make `read` read more columns. No rule takes more rounds than this.
    const MAX_ROUNDS: usize = 6;
    let mut questions = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let count = questions.len();
        let mut changes = vec![draft(&[]), draft(&questions)];
        for question in &questions {
            for value in candidates(question, text) {
                let mut change = draft(&questions);
                question.put(&mut change, value);
                changes.push(change);
            }
        }
        for change in &changes {
            for submission_rule in [SubmissionRule::Newest, SubmissionRule::Published] {
                let recorder = Questions::default();
                let options = TriggerOptions {
                    submission_rule,
                    ..TriggerOptions::default()
                };
                let _answer: bool = read(ChangeContext {
                    change,
                    options,
                    recorder: Some(&recorder),
                });
                add(&mut questions, recorder.into_questions());
            }
        }
        if questions.len() == count {
            break;
        }
    }
    questions
}

/// Returns the columns of the row without which `has_value` is always false.
fn needed(
    text: &str,
    questions: &[Question],
    has_value: impl Fn(ChangeContext<'_>) -> bool,
) -> Vec<String> {
    let has_value_without = |column: &str, mut change: Change| {
        if let Some(row) = &mut change.after {
            row.0.remove(column);
        }
        has_value(ChangeContext::new(&change, TriggerOptions::default()))
    };
    let is_needed = |column: &str| {
        let mut others = questions.iter().filter(|other| other.column != column);
        let has_other_value = others.any(|question| {
            let mut values = candidates(question, text).into_iter();
            values.any(|value| {
                let mut change = draft(questions);
                question.put(&mut change, value);
                has_value_without(column, change)
            })
        });
        has_value(ChangeContext::new(
            &draft(questions),
            TriggerOptions::default(),
        )) && !has_other_value
            && !has_value_without(column, draft(questions))
    };
    let own = questions
        .iter()
        .filter(|question| question.row == RowName::Own);
    let columns: BTreeSet<_> = own.map(|question| question.column.as_str()).collect();
    let columns = columns.into_iter().filter(|column| is_needed(column));
    columns.map(str::to_owned).collect()
}

/// Returns a change with a placeholder in every column of `questions`.
fn draft(questions: &[Question]) -> Change {
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
    for question in questions {
        question.put(
            &mut change,
            placeholder_for_type(&question.column, &question.column_type),
        );
    }
    change
}

impl Question {
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

fn add(all: &mut Vec<Question>, more: impl IntoIterator<Item = Question>) {
    for question in more {
        if !all.contains(&question) {
            all.push(question);
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
        if let Some(event_type) = catalog.get(rule.event) {
            known.add_fields(event_type);
        }
        for question in inputs.gates.iter().flatten().chain(&inputs.computed) {
            known.add(&question.row, &question.column);
        }
        if rule.operation == Operation::Update {
            known.columns.extend(IDLE_COLUMNS.map(str::to_owned));
        }
    }
    // A related row can have every column that any rule knows for rows of its type.
    let mut types: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for (subject, known) in &mut subjects {
        let name = table(subject);
        known
            .columns
            .extend(unused_columns(&name).map(str::to_owned));
        types
            .entry(name)
            .or_default()
            .extend(known.columns.iter().cloned());
        for (related, columns) in &known.related {
            for name in types_of(related) {
                let type_columns = types.entry(name.to_owned()).or_default();
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
                columns.extend(types.get(name).into_iter().flatten().cloned());
                columns.extend(unused_columns(name).map(str::to_owned));
            }
        }
    }
    (subjects, types)
}

/// Returns the name of a related row of this type, such as `wiki_page` for `WikiPage`.
pub(crate) fn table(subject: &str) -> String {
    let name = subject.rsplit("::").next().unwrap_or(subject);
    let mut table = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !table.is_empty() {
            table.push('_');
        }
        table.push(letter.to_ascii_lowercase());
    }
    table
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
    let ends = name.match_indices('_');
    let ends = ends.filter_map(move |(index, _)| name.get(index + 1..));
    [related, name].into_iter().chain(ends)
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
            self.is_open = true;
        }
    }

    fn add_fields(&mut self, event_type: &EventType) {
        for field in event_type.body {
            for (row, column) in places(event_type, field) {
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
pub(crate) fn places<'a>(
    event_type: &EventType,
    field: &'a Field,
) -> impl Iterator<Item = (RowName, &'a str)> {
    let implied = match field.old {
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
    implied.into_iter().chain(from)
}

impl Question {
    /// Returns the expected type if the value of the column has another type and is not null. Reads
    /// after "must be".
    pub(crate) fn type_mismatch(&self, change: &Change) -> Option<&'static str> {
        let value = self.value(change).filter(|value| !value.is_null())?;
        let (is_readable, wanted) = match &self.column_type {
            // The field validates a list.
            ColumnType::Any | ColumnType::List => return None,
            ColumnType::Text | ColumnType::Word(_) => (value.is_string(), "a string"),
            ColumnType::Truth => (value.is_boolean(), "true or false"),
            ColumnType::Object => (value.is_object(), "an object"),
            ColumnType::Time => {
                let time = value.as_str().and_then(easel_catalog::parse_timestamp);
                (time.is_some(), crate::value::A_TIME)
            }
        };
        (!is_readable).then_some(wanted)
    }
}
