//! Changes as they come in, JSON.
//!
//! A change of a record has `record`, `operation`, and the record `before` and `after`; an action
//! has `action`, and what it is about in `with`. Both can have `related` records, by name, a
//! `context`, which is `{"request": {…}}`, `{"job": {…}}` or nothing, the time they `occurred_at`,
//! and further members of a `body` that is not known whole.

use std::collections::BTreeMap;

use easel_catalog::{Origin, parse_timestamp};
use serde_json::{Map, Value};

use crate::change::{Change, Subject};
use crate::fault::ChangeFault;
use crate::place::Place;
use crate::row::Row;
use crate::rule::Operation;
use crate::tree;

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
    /// Reads the JSON of a change.
    pub fn read(json: &[u8]) -> Result<Self, ChangeFault> {
        let json = tree::read(json)
            .map_err(|error| ChangeFault::new("", format!("this cannot be read: {error}")))?;
        Self::from_json(json)
    }

    /// Reads a change; a fault names the place of what is wrong.
    pub fn from_json(json: Value) -> Result<Self, ChangeFault> {
        let Value::Object(mut members) = json else {
            return Err(ChangeFault::new("", "a change is an object"));
        };
        if let Some(name) = members.keys().find(|it| !MEMBERS.contains(&it.as_str())) {
            let at = Place::Member("", name);
            let what = format!("a change has no such member; it has {}", MEMBERS.join(", "));
            return Err(ChangeFault::new(at, what));
        }
        let subject = subject(&mut members)?;
        let before = row(&mut members, "before")?;
        let after = row(&mut members, "after")?;
        let with = row(&mut members, "with")?;
        let after = match &subject {
            Subject::Record { operation, .. } => {
                let rows = [("before", before.is_some()), ("after", after.is_some())];
                operation.check_rows(rows)?;
                refuse(
                    with.is_some(),
                    "/with",
                    "an action has this; a record has `after`",
                )?;
                after
            }
            Subject::Action { .. } => {
                let what = "a record has this; an action has `with`";
                refuse(before.is_some(), "/before", what)?;
                refuse(after.is_some(), "/after", what)?;
                with.or_else(|| Some(Row::default()))
            }
        };
        let mut related = BTreeMap::new();
        for (name, value) in row(&mut members, "related")?.unwrap_or_default().0 {
            match value {
                Value::Object(columns) => drop(related.insert(name, Row(columns))),
                Value::Null => (),
                _ => {
                    let at = Place::Member("/related", &name);
                    return Err(ChangeFault::new(at, "a record is an object"));
                }
            }
        }
        let (origin, context) = context(&mut members)?;
        Ok(Self {
            subject,
            before,
            after,
            related,
            origin,
            context,
            body: row(&mut members, "body")?.unwrap_or_default(),
            occurred_at: match members.remove("occurred_at") {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(parse_timestamp(&text).ok_or_else(|| {
                    ChangeFault::new("/occurred_at", "a time is like 2026-02-11T08:15:42.067Z")
                })?),
                Some(_) => {
                    let what = "a time is a text";
                    return Err(ChangeFault::new("/occurred_at", what));
                }
            },
        })
    }

    /// The same as it would come in.
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
                .map(|(name, it)| (name.clone(), row(it)));
            put("related", Value::Object(related.collect()));
        }
        let mut context = Map::new();
        match self.origin {
            Origin::Request => drop(context.insert("request".to_owned(), row(&self.context))),
            Origin::Job => drop(context.insert("job".to_owned(), row(&self.context))),
            Origin::Neither => (),
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

fn subject(members: &mut Map<String, Value>) -> Result<Subject, ChangeFault> {
    let record = text(members, "record")?;
    let action = text(members, "action")?;
    let operation = text(members, "operation")?;
    match (record, action) {
        (Some(kind), None) => {
            let known = [Operation::Insert, Operation::Update, Operation::Delete];
            let operation = operation
                .and_then(|name| known.into_iter().find(|it| it.name() == name))
                .ok_or_else(|| {
                    ChangeFault::new("/operation", "this is `insert`, `update` or `delete`")
                })?;
            Ok(Subject::Record { kind, operation })
        }
        (None, Some(name)) => {
            refuse(operation.is_some(), "/operation", "an action has none")?;
            Ok(Subject::Action { name })
        }
        (Some(_), Some(_)) => {
            let what = "a change has a `record` or an `action`, not both";
            Err(ChangeFault::new("/action", what))
        }
        (None, None) => {
            let what = "a change has a `record` or an `action`";
            Err(ChangeFault::new("", what))
        }
    }
}

fn context(members: &mut Map<String, Value>) -> Result<(Origin, Row), ChangeFault> {
    let mut context = row(members, "context")?.unwrap_or_default().0;
    let request = context.remove("request");
    let job = context.remove("job");
    if let Some(name) = context.keys().next() {
        let what = "a context is {\"request\": {…}} or {\"job\": {…}}, or nothing";
        return Err(ChangeFault::new(Place::Member("/context", name), what));
    }
    match (request, job) {
        (None, None) => Ok((Origin::Neither, Row::default())),
        (Some(Value::Object(fields)), None) => Ok((Origin::Request, Row(fields))),
        (None, Some(Value::Object(fields))) => Ok((Origin::Job, Row(fields))),
        (Some(_), Some(_)) => {
            let what = "it happened in a request or in a job, not in both";
            Err(ChangeFault::new("/context/job", what))
        }
        (Some(_), None) => Err(ChangeFault::new("/context/request", "this is an object")),
        (None, Some(_)) => Err(ChangeFault::new("/context/job", "this is an object")),
    }
}

fn row(members: &mut Map<String, Value>, name: &str) -> Result<Option<Row>, ChangeFault> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(columns)) => Ok(Some(Row(columns))),
        Some(_) => Err(ChangeFault::new(format!("/{name}"), "this is an object")),
    }
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ChangeFault> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ChangeFault::new(format!("/{name}"), "this is a text")),
    }
}

fn refuse(is_there: bool, at: &str, what: &str) -> Result<(), ChangeFault> {
    if is_there {
        return Err(ChangeFault::new(at, what));
    }
    Ok(())
}

impl Operation {
    /// Whether the rows are there that the operation has, and no others.
    fn check_rows(self, rows: [(&str, bool); 2]) -> Result<(), ChangeFault> {
        let wanted = match self {
            Self::Insert => [false, true],
            Self::Update => [true, true],
            Self::Delete => [true, false],
            Self::Act => [false, false],
        };
        for ((name, is_there), wanted) in rows.into_iter().zip(wanted) {
            let at = format!("/{name}");
            match (is_there, wanted) {
                (false, true) => {
                    let what = format!("this is missing; an operation `{}` has it", self.name());
                    return Err(ChangeFault::new(at, what));
                }
                (true, false) => {
                    let what = format!("an operation `{}` does not have it", self.name());
                    return Err(ChangeFault::new(at, what));
                }
                (true, true) | (false, false) => (),
            }
        }
        Ok(())
    }
}
