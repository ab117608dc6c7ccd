//! Which columns and related rows a change of each subject can have.
//!
//! This is derived: the columns of fields from the catalogue, those of gates and of worked-out
//! values by asking these with rows of different values and noting what they ask for.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use easel_catalog::{Catalog, Column, Context, EventOrigin, EventType, Field};

use crate::body::column_of;
use crate::change::{Change, Subject};
use crate::change_context::ChangeContext;
use crate::computed;
use crate::gate::{Gate, IDLE_COLUMNS};
use crate::metadata::{SESSION_COLUMN, related_columns};
use crate::options::{SubmissionRule, TriggerOptions};
use crate::placeholder::{candidates, placeholder_of_form};
use crate::questions::{ColumnType, Question, Questions, RowName};
use crate::row::Row;
use crate::rule::{Operation, TriggerRule};
use crate::rules;
use crate::unused_columns::unused_columns;

/// What all rules read, and what changes of each subject can have.
#[derive(Debug)]
pub(crate) struct Inputs {
    rules: Vec<(&'static TriggerRule, RuleInputs)>,
    subjects: BTreeMap<&'static str, Known>,
    worked: Vec<WorkedInputs>,
    /// The columns of the rows of each type, by the names that related rows have.
    types: BTreeMap<String, HashSet<String>>,
}

/// What the rule of one worked-out value reads.
#[derive(Debug)]
pub(crate) struct WorkedInputs {
    pub(crate) rule: &'static str,
    pub(crate) questions: Vec<Question>,
    /// The columns of the record without which there never is a value.
    pub(crate) needed: Vec<String>,
}

/// What one rule reads.
#[derive(Debug)]
pub(crate) struct RuleInputs {
    /// For each of its gates, in order.
    pub(crate) gates: Vec<Vec<Question>>,
    /// For the worked-out values of its event.
    pub(crate) worked: Vec<Question>,
}

/// The names that a change of a subject can have.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Whether the row can have any columns: an event is made of all of them.
    pub(crate) is_open: bool,
    pub(crate) columns: HashSet<String>,
    pub(crate) related: BTreeMap<String, HashSet<String>>,
}

impl Inputs {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let worked: Vec<_> = computed::explained()
            .filter_map(|(name, takes)| {
                let work = computed::rule(name)?;
                let questions = explore(takes, |scene| work(scene).is_some());
                Some(WorkedInputs {
                    rule: name,
                    needed: needed(takes, &questions, |scene| work(scene).is_some()),
                    questions,
                })
            })
            .collect();
        let rules: Vec<_> = rules::all()
            .map(|rule| {
                let mut of_event = Vec::new();
                if let Some(event_type) = catalog.get(rule.event) {
                    for name in worked_rules(event_type) {
                        let asked = worked.iter().filter(|known| known.rule == name);
                        let asked = asked.flat_map(|known| &known.questions);
                        add(&mut of_event, asked.cloned());
                    }
                }
                let gates = rule.all_gates().map(of_gate);
                let inputs = RuleInputs {
                    gates: gates.collect(),
                    worked: of_event,
                };
                (rule, inputs)
            })
            .collect();
        let (subjects, types) = subjects(catalog, &rules);
        Self {
            rules,
            subjects,
            worked,
            types,
        }
    }

    /// The rules of one subject and operation, in order, and what they read.
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

    /// The columns that rows of a type can have, by the name that a related row has anywhere.
    pub(crate) fn columns_of_type(&self, name: &str) -> Option<&HashSet<String>> {
        self.types.get(name)
    }

    /// What each rule of a worked-out value reads.
    pub(crate) fn worked(&self) -> &[WorkedInputs] {
        &self.worked
    }

    /// The names that a change of this subject can have.
    pub(crate) fn known(&self, subject: &str) -> Option<&Known> {
        self.subjects.get(subject)
    }
}

/// The worked-out values of the body of an event.
fn worked_rules(event_type: &EventType) -> impl Iterator<Item = &'static str> {
    let columns = event_type.body.iter().flat_map(|field| field.from.iter());
    columns
        .chain(&event_type.further)
        .filter_map(|column| match column {
            Column::ComputedBy(rule) => Some(*rule),
            _ => None,
        })
}

fn of_gate(gate: &'static Gate) -> Vec<Question> {
    explore(gate.opens, |scene| {
        let lacks = gate.needs.is_some_and(|need| need.missing(scene).is_some());
        (gate.is_open)(scene) && !lacks
    })
}

/// What `read` asks of scenes of all kinds, whatever it answers. `text` says in words what is read.
fn explore(text: &str, read: impl Fn(ChangeContext<'_>) -> bool) -> Vec<Question> {
    /// Every answer can lead to other questions, which never took more rounds than this.
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
                let asked = Questions::default();
                let options = TriggerOptions {
                    submission_rule,
                    ..TriggerOptions::default()
                };
                let _answer: bool = read(ChangeContext {
                    change,
                    options,
                    asked: Some(&asked),
                });
                add(&mut questions, asked.into_questions());
            }
        }
        if questions.len() == count {
            break;
        }
    }
    questions
}

/// The columns of the record without which `has_value` is false whatever the other columns hold.
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
        let mut others = questions.iter().filter(|it| it.column != column);
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
    let own = questions.iter().filter(|it| it.row == RowName::Own);
    let columns: BTreeSet<_> = own.map(|it| it.column.as_str()).collect();
    let columns = columns.into_iter().filter(|column| is_needed(column));
    columns.map(str::to_owned).collect()
}

/// A change that has something in every column that is asked for.
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
            placeholder_of_form(&question.column, &question.form),
        );
    }
    change
}

impl Question {
    /// Puts a value into the column of a change.
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

/// The names that changes of each subject can have.
fn subjects(
    catalog: &Catalog,
    rules: &[(&'static TriggerRule, RuleInputs)],
) -> (
    BTreeMap<&'static str, Known>,
    BTreeMap<String, HashSet<String>>,
) {
    let mut subjects: BTreeMap<&'static str, Known> = BTreeMap::new();
    for (rule, inputs) in rules {
        let known = subjects.entry(rule.subject).or_default();
        if let Some(event_type) = catalog.get(rule.event) {
            known.add_fields(event_type);
        }
        for question in inputs.gates.iter().flatten().chain(&inputs.worked) {
            known.add(&question.row, &question.column);
        }
        if rule.operation == Operation::Update {
            known.columns.extend(IDLE_COLUMNS.map(str::to_owned));
        }
    }
    // A related row can have all columns that are known of rows of its type anywhere.
    let mut of_type: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for (subject, known) in &mut subjects {
        let name = table(subject);
        known
            .columns
            .extend(unused_columns(&name).map(str::to_owned));
        of_type
            .entry(name)
            .or_default()
            .extend(known.columns.iter().cloned());
        for (related, columns) in &known.related {
            for name in types_of(related) {
                let of_name = of_type.entry(name.to_owned()).or_default();
                of_name.extend(columns.iter().cloned());
            }
        }
    }
    for known in subjects.values_mut() {
        for (related, columns) in &mut known.related {
            let several = OF_SEVERAL_TYPES.iter();
            let several = several.filter(|(name, _)| types_of(related).any(|it| it == *name));
            let several = several.flat_map(|(_, types)| types.iter().copied());
            for name in types_of(related).chain(several) {
                columns.extend(of_type.get(name).into_iter().flatten().cloned());
                columns.extend(unused_columns(name).map(str::to_owned));
            }
        }
    }
    (subjects, of_type)
}

/// The name of the type of a record as related rows have it: `wiki_page` of `WikiPage`.
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

/// The related rows that can be of several types, and these.
const OF_SEVERAL_TYPES: [(&str, &[&str]); 3] = [
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

/// The types that a related row can be of by its name: `source_course` and `course`.
fn types_of(related: &str) -> impl Iterator<Item = &str> {
    let name = related.strip_suffix("_before").unwrap_or(related);
    let ends = name.match_indices('_');
    let ends = ends.filter_map(move |(index, _)| name.get(index + 1..));
    [related, name].into_iter().chain(ends)
}

impl Known {
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

/// The columns that a field is made of, without those of worked-out values.
pub(crate) fn places<'a>(
    event_type: &EventType,
    field: &'a Field,
) -> impl Iterator<Item = (RowName, &'a str)> {
    let alone = match field.old {
        _ if !field.from.is_empty() => None,
        Some(current) => Some((RowName::Before, column_of(event_type, current))),
        None => Some((RowName::Own, field.name)),
    };
    let from = field.from.iter().filter_map(|column| match *column {
        Column::Own(column) => Some((RowName::Own, column)),
        Column::Earlier(column) => Some((RowName::Before, column)),
        Column::Beside(related, column) => Some((RowName::Related(related.to_owned()), column)),
        Column::ComputedBy(_) | Column::Word(_) | Column::Flag(_) => None,
    });
    alone.into_iter().chain(from)
}

impl Question {
    /// What is wrong with the value of the column, which is not null, as what it is asked for; to
    /// be read after "must be".
    pub(crate) fn unreadable(&self, change: &Change) -> Option<&'static str> {
        let value = self.value(change).filter(|value| !value.is_null())?;
        let (is_readable, wanted) = match &self.form {
            // Of a list, the field says what is wrong.
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
