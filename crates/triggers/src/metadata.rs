//! The metadata of an event: of the request or job, of the record, and of the login.

use std::borrow::Cow;

use easel_catalog::{Catalog, Context, EventType, MetadataField, Origin, event_time};
use jiff::Timestamp;
use serde_json::Value;

use crate::fault::ChangeFault;
use crate::json::Json;
use crate::place::Place;
use crate::row::Row;
use crate::scene::Scene;
use crate::value::convert;

/// What `producer` is unless the request or job says otherwise.
const PRODUCER: &str = "canvas";

/// The kinds of contexts that have an id in a student information system.
const KINDS_IN_SIS: [&str; 4] = ["Course", "Account", "CourseSection", "Group"];

/// What every record tells of its context, instead of the request or job.
const OF_CONTEXT: [&str; 3] = ["context_type", "context_id", "context_account_id"];

/// The account of a context that has none.
static NO_ACCOUNT: Value = Value::Null;

/// What a record tells of its root account, by the columns of that.
const OF_ROOT_ACCOUNT: [(&str, &str); 3] = [
    ("root_account_id", "id"),
    ("root_account_uuid", "uuid"),
    ("root_account_lti_guid", "lti_guid"),
];

/// What a login tells of its user, by its columns.
const OF_LOGIN: [(&str, &str); 4] = [
    ("user_id", "user_id"),
    ("user_login", "unique_id"),
    ("user_account_id", "account_id"),
    ("user_sis_id", "sis_user_id"),
];

/// The values of the metadata's fields, in the order of the catalogue.
struct Given<'a> {
    fields: &'a [MetadataField],
    values: Vec<Option<Cow<'a, Value>>>,
    scene: Scene<'a>,
}

/// Writes the members of the metadata of an event of this type, sent at `at`: the fields in the
/// order of the catalogue.
pub(crate) fn metadata(
    catalog: &Catalog,
    of: &EventType,
    scene: Scene<'_>,
    at: Timestamp,
    json: &mut Json,
) -> Result<(), ChangeFault> {
    let fields = catalog.metadata();
    let mut given = Given {
        fields,
        values: vec![None; fields.len()],
        scene,
    };
    given.ambient()?;
    match of.context {
        Context::Ambient => (),
        Context::Record => given.of_record(of)?,
        Context::Login => given.of_login()?,
    }
    given.set("event_name", of.name.into());
    given.set("event_time", event_time(at).into());
    for (it, value) in given.fields.iter().zip(&given.values) {
        if let Some(value) = value {
            json.member(it.field.name, value);
        }
    }
    Ok(())
}

impl<'a> Given<'a> {
    /// What the request or job tells of itself.
    fn ambient(&mut self) -> Result<(), ChangeFault> {
        let origin = self.scene.change.origin;
        let place = match origin {
            Origin::Request => "/context/request",
            Origin::Job => "/context/job",
            Origin::Neither => "/context",
        };
        if origin != Origin::Neither {
            self.set("producer", PRODUCER.into());
        }
        let mut next = 0;
        for (name, value) in &self.scene.change.context.0 {
            let at = Place::Member(place, name);
            let refused = |what: &str| Err(ChangeFault::new(at, what));
            // Mostly they come in the order of the catalogue.
            let Some(index) = self.find(name, next) else {
                return refused("no field of the metadata is called so");
            };
            next = index + 1;
            if ["event_name", "event_time"].contains(&name.as_str()) {
                return refused("this is written last, and cannot be given");
            }
            if !self.fields.get(index).is_some_and(|it| it.is_sent(origin)) {
                let what = format!("an event made in {} does not have it", made_in(origin));
                return refused(&what);
            }
            self.put(index, value, at)?;
        }
        // By these two it is known where an event was made, and so what else it has to have.
        let key = match origin {
            Origin::Request => "request_id",
            Origin::Job => "job_id",
            Origin::Neither => return Ok(()),
        };
        let index = self.find(key, 0);
        if index
            .and_then(|it| self.values.get(it))
            .is_none_or(Option::is_none)
        {
            let what = format!(
                "this is missing; an event made in {} has it",
                made_in(origin)
            );
            return Err(ChangeFault::new(Place::Member(place, key), what));
        }
        Ok(())
    }

    /// What the record tells: the context it belongs to, and the root account of that. It is merged
    /// over what the request or job tells: what this context has no part in, such as the SIS id of a
    /// user, stays.
    fn of_record(&mut self, of: &EventType) -> Result<(), ChangeFault> {
        let scene = self.scene;
        let (record, context) = match (scene.related("context"), scene.related("course")) {
            (Some(context), _) => ("context", context),
            (None, Some(course)) => ("course", course),
            // An asset can be opened outside of any context.
            (None, None) if of.name == "asset_accessed" => return Ok(()),
            (None, None) => {
                let what = format!("this is missing; the context of {} is made of it", of.name);
                return Err(ChangeFault::new("/related/course", what));
            }
        };
        // What the request tells of its own context is not of this one.
        self.clear(&OF_CONTEXT);
        if context.value("id").is_none() {
            let what = format!("this is missing; the context of {} is made of it", of.name);
            return Err(ChangeFault::new(Place::Related(record, "id"), what));
        }
        let kind = match record {
            "context" => context.text("type").or_else(|| scene.text("context_type")),
            _ => None,
        };
        let kind = kind.unwrap_or("Course");
        self.set("context_type", kind.into());
        self.put_column("context_id", context, Place::Related(record, "id"))?;
        if let Some((account, at)) = self.account_of(kind, record, context)
            && let Some(index) = self.find("context_account_id", 0)
        {
            self.put(index, account, at)?;
        }
        if KINDS_IN_SIS.contains(&kind) {
            self.clear(&["context_sis_source_id"]);
            let at = Place::Related(record, "sis_source_id");
            self.put_column("context_sis_source_id", context, at)?;
        }
        if let Some(root) = scene.related("root_account") {
            for (name, column) in OF_ROOT_ACCOUNT {
                self.put_column(name, root, Place::Related("root_account", column))?;
            }
        }
        Ok(())
    }

    /// The account of a context, and where it is found: of a root account itself, of another
    /// account its parent, of a section that of its course. A kind of context without an account
    /// has null. None if the row does not tell.
    fn account_of(
        &self,
        kind: &str,
        record: &'static str,
        context: &'a Row,
    ) -> Option<(&'a Value, Place<'a>)> {
        let column = |name: &'static str| Some((context.get(name)?, Place::Related(record, name)));
        column("account_id").or_else(|| match kind {
            "Account" => match column("parent_account_id")? {
                (Value::Null, _) => column("id"),
                parent => Some(parent),
            },
            "CourseSection" => {
                let course = self.scene.related("course")?;
                let at = Place::Related("course", "account_id");
                Some((course.get("account_id")?, at))
            }
            "Course" | "Group" => None,
            _ => Some((&NO_ACCOUNT, Place::At(record))),
        })
    }

    /// What the login tells that was just made.
    fn of_login(&mut self) -> Result<(), ChangeFault> {
        let Some(login) = self.scene.related("pseudonym") else {
            let what = "this is missing; who logged in is told by it";
            return Err(ChangeFault::new("/related/pseudonym", what));
        };
        // Who acted until then may be somebody else.
        self.clear(&OF_LOGIN.map(|(name, _)| name));
        self.clear(&["session_id"]);
        for (name, column) in OF_LOGIN {
            self.put_column(name, login, Place::Related("pseudonym", column))?;
        }
        match (self.find("session_id", 0), self.scene.value("session_id")) {
            (Some(index), Some(session)) => self.put(index, session, Place::At("/with/session_id")),
            _ => Ok(()),
        }
    }

    /// Puts a column's value in, if the row has the column that the place names.
    fn put_column(&mut self, name: &str, row: &'a Row, at: Place<'_>) -> Result<(), ChangeFault> {
        let column = match at {
            Place::Related(_, column) => column,
            _ => name,
        };
        match (self.find(name, 0), row.get(column)) {
            (Some(index), Some(value)) => self.put(index, value, at),
            _ => Ok(()),
        }
    }

    /// Puts a value in, over what was there; nulls stay in metadata, where the field can be null.
    fn put(&mut self, index: usize, value: &'a Value, at: Place<'_>) -> Result<(), ChangeFault> {
        let (Some(it), Some(place)) = (self.fields.get(index), self.values.get_mut(index)) else {
            return Ok(());
        };
        *place = match value {
            Value::Null => it.field.null.then_some(Cow::Borrowed(value)),
            value => Some(convert(&it.field, value, at, self.scene.options)?),
        };
        Ok(())
    }

    /// Takes these fields out.
    fn clear(&mut self, names: &[&str]) {
        for name in names {
            if let Some(value) = self.find(name, 0).and_then(|it| self.values.get_mut(it)) {
                *value = None;
            }
        }
    }

    /// Puts in what needs no looking at.
    fn set(&mut self, name: &str, value: Value) {
        let index = self.find(name, 0);
        if let Some(place) = index.and_then(|it| self.values.get_mut(it)) {
            *place = Some(Cow::Owned(value));
        }
    }

    /// Where a field is; looked for from `next` on, then before.
    fn find(&self, name: &str, next: usize) -> Option<usize> {
        let mut places = (next..self.fields.len()).chain(0..next);
        places.find(|index| {
            self.fields
                .get(*index)
                .is_some_and(|it| it.field.name == name)
        })
    }
}

/// What an event was made in, in words.
const fn made_in(origin: Origin) -> &'static str {
    match origin {
        Origin::Request => "a request",
        Origin::Job => "a job",
        Origin::Neither => "neither a request nor a job",
    }
}
