//! Parses the JSON of a change, and writes it.
//!
//! A change of a row has `record`, `operation`, and the row in `before`, in `after` or in both. An action
//! has `action`, and its row in `with`. Every change can have:
//! - `related`: related rows by name;
//! - `context`: `{"request": {…}}` or `{"job": {…}}`;
//! - `occurred_at`: the time of the event;
//! - `body`: extra members, for event types whose body is only partly known.

use std::collections::BTreeMap;

use easel_catalog::{EventOrigin, parse_timestamp, read_value};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::change::{Change, Subject};
use crate::change_path::ChangePath;
use crate::fault::{ChangeFault, ChangeFaults, Notes};
use crate::nearest::did_you_mean;
use crate::operation::Operation;
use crate::row::Row;
use crate::value::A_TIME;

/// The maximum nesting of objects and arrays in a change.
const MAX_DEPTH: usize = 127;
/// The maximum number of values in a change. Parsed values need many times the memory of their JSON.
const MAX_VALUES: usize = 100_000;

const AN_OBJECT: &str = "this must be an object";
const NO_SUBJECT: &str = "a change must have a `record` or an `action`";

/// The members a change can have.
const MEMBERS: [&str; 10] = [
    "record",
    "operation",
    "action",
    "before",
    "after",
    "with",
    "related",
    "context",
    "occurred_at",
    "body",
];

impl Change {
    /// Parses the JSON of a change. Rejects it like [`from_json`](Self::from_json).
    pub fn read(json: &[u8]) -> Result<Self, ChangeFaults> {
        let json = read_value(json, MAX_DEPTH, MAX_VALUES)
            .map_err(|fault| ChangeFault::new("", format!("this cannot be read: {fault}")))?;
        Self::from_json(json)
    }

    /// Parses a change. Each fault names the JSON pointer of the invalid value.
    pub fn from_json(json: Value) -> Result<Self, ChangeFaults> {
        let Value::Object(members) = json else {
            return Err(ChangeFault::new("", "a change must be an object").into());
        };
        let mut notes = Notes::default();
        let mut members = UnreadMembers {
            members,
            notes: &mut notes,
        };
        members.reject_unknown();
        let before = members.row("before");
        let after = members.row("after");
        let with = members.row("with");
        let rows = [("before", &before), ("after", &after), ("with", &with)];
        let subject = members.subject(rows.map(|(name, row)| (name, row.is_some())));
        let related = members.related();
        let (origin, context) = members.context();
        let body = members.row("body").unwrap_or_default();
        let occurred_at = members.occurred_at();
        notes.check()?;
        let Some(subject) = subject else {
            return Err(ChangeFault::new("", NO_SUBJECT).into());
        };
        let after = match subject {
            Subject::Record { .. } => after,
            Subject::Action { .. } => with.or_else(|| Some(Row::default())),
        };
        Ok(Self {
            subject,
            before,
            after,
            related,
            origin,
            context,
            body,
            occurred_at,
        })
    }

    /// Returns the JSON that parses to this change.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| drop(json.insert(name.to_owned(), value));
        let row = |row: &Row| Value::Object(row.0.clone());
        match &self.subject {
            Subject::Record { kind, operation } => {
                put("record", kind.as_str().into());
                put("operation", operation.name().into());
                if let Some(before) = &self.before {
                    put("before", row(before));
                }
                if let Some(after) = &self.after {
                    put("after", row(after));
                }
            }
            Subject::Action { name } => {
                put("action", name.as_str().into());
                if let Some(with) = &self.after {
                    put("with", row(with));
                }
            }
        }
        if !self.related.is_empty() {
            let related = self
                .related
                .iter()
                .map(|(name, columns)| (name.clone(), row(columns)));
            put("related", Value::Object(related.collect()));
        }
        let mut context = Map::new();
        match self.origin {
            EventOrigin::Request => drop(context.insert("request".to_owned(), row(&self.context))),
            EventOrigin::Job => drop(context.insert("job".to_owned(), row(&self.context))),
            EventOrigin::Neither => (),
        }
        if !context.is_empty() {
            put("context", context.into());
        }
        if !self.body.0.is_empty() {
            put("body", row(&self.body));
        }
        if let Some(time) = self.occurred_at {
            put("occurred_at", easel_catalog::event_time(time).into());
        }
        json.into()
    }
}

/// The members of a change that are not parsed yet.
struct UnreadMembers<'n> {
    members: Map<String, Value>,
    notes: &'n mut Notes,
}

impl UnreadMembers<'_> {
    fn reject_unknown(&mut self) {
        for name in self.members.keys() {
            if !MEMBERS.contains(&name.as_str()) && self.notes.have_room() {
                let near = did_you_mean(name, MEMBERS);
                let what = format!("{name:?} is not a known member of a change{near}");
                self.notes.fault(ChangePath::Member("", name), what);
            }
        }
    }

    /// Parses the subject. `rows` has the name of each row and whether it is present.
    fn subject(&mut self, rows: [(&str, bool); 3]) -> Option<Subject> {
        let has = |name: &str| !matches!(self.members.get(name), None | Some(Value::Null));
        let (has_record, has_action) = (has("record"), has("action"));
        let has_operation = has("operation");
        let record = self.text("record");
        let action = self.text("action");
        let operation = self.text("operation");
        match (has_record, has_action) {
            (true, true) => {
                let what = "a change must have a `record` or an `action`, not both";
                self.notes.fault("/action", what);
                None
            }
            (false, false) => {
                self.notes.fault("", NO_SUBJECT);
                None
            }
            (true, false) => {
                let known = [Operation::Insert, Operation::Update, Operation::Delete];
                let name = operation.as_deref();
                let operation = known.into_iter().find(|known| Some(known.name()) == name);
                if operation.is_none() {
                    let what = "this must be `insert`, `update` or `delete`";
                    self.notes.fault("/operation", what);
                }
                if let Some(operation) = operation {
                    self.check_rows(operation, rows);
                }
                Some(Subject::Record {
                    kind: record?,
                    operation: operation?,
                })
            }
            (false, true) => {
                if has_operation {
                    self.notes.fault("/operation", "an action has no operation");
                }
                self.check_rows(Operation::Act, rows);
                Some(Subject::Action { name: action? })
            }
        }
    }

    /// Notes a fault for each row that the operation requires or forbids.
    fn check_rows(&mut self, operation: Operation, rows: [(&str, bool); 3]) {
        let name = operation.name();
        for (row, is_present) in rows {
            let is_expected = operation.rows().contains(&row);
            let place = ChangePath::Member("", row);
            match (is_present, is_expected) {
                // `with` is optional.
                (false, true) if operation == Operation::Act => (),
                (false, true) => {
                    let what = format!("this is missing; the operation `{name}` needs it");
                    self.notes.fault(place, what);
                }
                (true, false) if operation == Operation::Act => {
                    let what = "an action has `with` instead of this";
                    self.notes.fault(place, what);
                }
                (true, false) => {
                    let what = format!("this must not be given for the operation `{name}`");
                    self.notes.fault(place, what);
                }
                (true, true) | (false, false) => (),
            }
        }
    }

    fn related(&mut self) -> BTreeMap<String, Row> {
        let mut related = BTreeMap::new();
        for (name, value) in self.row("related").unwrap_or_default().0 {
            match value {
                Value::Object(columns) => drop(related.insert(name, Row(columns))),
                Value::Null => (),
                _ => {
                    let place = ChangePath::Member("/related", &name);
                    self.notes.fault(place, AN_OBJECT);
                }
            }
        }
        related
    }

    fn context(&mut self) -> (EventOrigin, Row) {
        let mut context = self.row("context").unwrap_or_default().0;
        let request = context.shift_remove("request");
        let job = context.shift_remove("job");
        for name in context.keys() {
            let what = "a context must be {\"request\": {…}} or {\"job\": {…}}, or left out";
            self.notes.fault(ChangePath::Member("/context", name), what);
        }
        if request.is_some() && job.is_some() {
            let what = "a change happened in a request or in a job, not in both";
            self.notes.fault("/context/job", what);
        }
        let (origin, place, fields) = match (request, job) {
            (Some(request), _) => (EventOrigin::Request, "/context/request", request),
            (None, Some(job)) => (EventOrigin::Job, "/context/job", job),
            (None, None) => return (EventOrigin::Neither, Row::default()),
        };
        match fields {
            Value::Object(fields) => (origin, Row(fields)),
            _ => {
                self.notes.fault(place, AN_OBJECT);
                (origin, Row::default())
            }
        }
    }

    fn occurred_at(&mut self) -> Option<Timestamp> {
        let text = self.text("occurred_at")?;
        let time = parse_timestamp(&text);
        if time.is_none() {
            self.notes
                .fault("/occurred_at", format!("this must be {A_TIME}"));
        }
        time
    }

    fn row(&mut self, name: &str) -> Option<Row> {
        match self.members.shift_remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::Object(columns)) => Some(Row(columns)),
            Some(_) => {
                self.notes.fault(ChangePath::Member("", name), AN_OBJECT);
                // The row counts as present, so that no second fault says that it is missing.
                Some(Row::default())
            }
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.members.shift_remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.notes
                    .fault(ChangePath::Member("", name), "this must be a string");
                None
            }
        }
    }
}

impl Operation {
    /// Returns the names of the rows that a change with this operation has.
    pub(crate) const fn rows(self) -> &'static [&'static str] {
        match self {
            Self::Insert => &["after"],
            Self::Update => &["before", "after"],
            Self::Delete => &["before"],
            Self::Act => &["with"],
        }
    }
}
