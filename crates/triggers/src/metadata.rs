//! The metadata of an event: of the request or job, of the record, and of the login.

use std::borrow::Cow;

use easel_catalog::{Catalog, Context, EventOrigin, EventType, Field, MetadataField, event_time};
use jiff::Timestamp;
use serde_json::Value;

use crate::change_context::{ChangeContext, RelatedRow};
use crate::change_path::ChangePath;
use crate::fault::Notes;
use crate::json::ObjectWriter;
use crate::nearest::did_you_mean;
use crate::value::{convert, null_text};

/// What `producer` is unless the request or job says otherwise.
const PRODUCER: &str = "canvas";

const NO_CONTEXT: &str = "this is missing; the context of the event is made of it";

/// The kinds of contexts that have an id in a student information system.
const KINDS_IN_SIS: [&str; 4] = ["Course", "Account", "CourseSection", "Group"];

/// What a record tells of its context, by the columns of that.
const OF_CONTEXT: [(&str, &str); 4] = [
    ("context_type", "type"),
    ("context_id", "id"),
    ("context_account_id", "account_id"),
    ("context_sis_source_id", "sis_source_id"),
];

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

/// The column of what a login is about that has the session.
pub(crate) const SESSION_COLUMN: &str = "session_id";

/// The values of the metadata's fields, in the order of the catalogue.
struct MetadataWriter<'a, 'n> {
    fields: &'a [MetadataField],
    values: Vec<Option<Cow<'a, Value>>>,
    scene: ChangeContext<'a>,
    notes: &'n mut Notes,
}

/// Writes the members of the metadata of an event of this type, sent at `event_at`: the fields in
/// the order of the catalogue.
pub(crate) fn metadata(
    catalog: &Catalog,
    event_type: &EventType,
    (scene, event_at): (ChangeContext<'_>, Timestamp),
    json: &mut ObjectWriter,
    notes: &mut Notes,
) {
    let fields = catalog.metadata();
    let mut metadata = MetadataWriter {
        fields,
        values: vec![None; fields.len()],
        scene,
        notes,
    };
    metadata.put_ambient();
    match event_type.context {
        Context::Ambient => (),
        Context::Record => metadata.put_record(event_type),
        Context::Login => metadata.put_login(),
    }
    metadata.set("event_name", event_type.name.into());
    metadata.set("event_time", event_time(event_at).into());
    for (it, value) in metadata.fields.iter().zip(&metadata.values) {
        if let Some(value) = value {
            json.member(it.field.name, value);
        }
    }
}

/// The related rows that the metadata of an event of this type is made of: row, column, and the name
/// of the field.
pub(crate) fn related_columns(
    event_type: &EventType,
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let named = |related| move |(field, column)| (related, column, field);
    // A course has no `type`: what is called `course` is one.
    let of_course = OF_CONTEXT
        .into_iter()
        .filter(|(_, column)| *column != "type");
    let of_record = OF_CONTEXT.into_iter().map(named("context"));
    let of_record = of_record.chain(of_course.map(named("course")));
    let of_record = of_record.chain(OF_ROOT_ACCOUNT.into_iter().map(named("root_account")));
    let of_login = OF_LOGIN.into_iter().map(named("pseudonym"));
    let (is_record, is_login) = match event_type.context {
        Context::Ambient => (false, false),
        Context::Record => (true, false),
        Context::Login => (false, true),
    };
    let of_record = of_record.filter(move |_| is_record);
    of_record.chain(of_login.filter(move |_| is_login))
}

impl<'a> MetadataWriter<'a, '_> {
    /// Puts in what the request or job tells of itself.
    fn put_ambient(&mut self) {
        let origin = self.scene.change.origin;
        let place = match origin {
            EventOrigin::Request => "/context/request",
            EventOrigin::Job => "/context/job",
            EventOrigin::Neither => return,
        };
        self.set("producer", PRODUCER.into());
        let mut next = 0;
        let (mut given, mut valued): (u128, u128) = (0, 0);
        for (name, value) in &self.scene.change.context.0 {
            let at = ChangePath::Member(place, name);
            // Mostly they come in the order of the catalogue.
            let Some(index) = self.find(name, next) else {
                if !self.notes.have_room() {
                    continue;
                }
                let names = self.fields.iter().map(|it| it.field.name);
                let near = did_you_mean(name, names);
                let what = format!("the metadata has no field {name:?}, so this is left out{near}");
                self.notes.warn(at, what);
                continue;
            };
            next = index + 1;
            if ["event_name", "event_time"].contains(&name.as_str()) {
                let what = "Easel writes this; give `occurred_at` beside `context` for the time";
                self.notes.fault(at, what);
            } else if self.fields.get(index).is_some_and(|it| it.is_sent(origin)) {
                given |= 1 << index;
                valued |= u128::from(!value.is_null()) << index;
                self.put(index, value, at);
            } else {
                let made_in = made_in(origin);
                let what = format!("an event made in {made_in} does not have this; it is left out");
                self.notes.warn(at, what);
            }
        }
        self.check_ambient(place, origin, (given, valued));
    }

    /// Warns of the fields that the request or job should have given: those that always are there,
    /// and those that come together with one that is given, since they have the same condition.
    fn check_ambient(&mut self, place: &str, origin: EventOrigin, (given, valued): (u128, u128)) {
        let is_given = |index: usize| given & (1 << index) != 0;
        let needed_with = |field: &Field| {
            let mut others = self.fields.iter().enumerate();
            others
                .find(|(index, it)| {
                    valued & (1 << index) != 0 && it.field.when == field.when && it.is_sent(origin)
                })
                .map(|(_, it)| it.field.name)
        };
        for (index, it) in self.fields.iter().enumerate() {
            let field = &it.field;
            let is_written = self.values.get(index).is_some_and(Option::is_some);
            let is_own = ["event_name", "event_time"].contains(&field.name);
            if is_given(index) || is_written || is_own || !it.is_sent(origin) {
                continue;
            }
            let what = match field.when {
                None if field.is_always_there() => {
                    let made_in = made_in(origin);
                    format!("this is missing; an event made in {made_in} has it")
                }
                Some(_) if field.published => match needed_with(field) {
                    Some(other) => format!("this is missing; it comes together with `{other}`"),
                    None => continue,
                },
                None | Some(_) => continue,
            };
            self.notes.warn(ChangePath::Member(place, field.name), what);
        }
    }

    /// Puts in what the record tells: the context it belongs to, and the root account of that. It is
    /// merged over what the request or job tells: what this context has no part in, such as the SIS
    /// id of a user, stays.
    fn put_record(&mut self, event_type: &EventType) {
        let scene = self.scene;
        let (record, context) = match (scene.related("context"), scene.related("course")) {
            (Some(context), _) => ("context", context),
            (None, Some(course)) => ("course", course),
            // An asset can be opened outside of any context.
            (None, None) if event_type.name == "asset_accessed" => return,
            (None, None) => {
                return self.notes.fault("/related/course", NO_CONTEXT);
            }
        };
        // What the request tells of its own context is not of this one.
        self.clear(&["context_type", "context_id", "context_account_id"]);
        if context.value("id").is_none() {
            return self
                .notes
                .fault(ChangePath::Related(record, "id"), NO_CONTEXT);
        }
        let kind = match record {
            "context" => context.text("type").or_else(|| scene.text("context_type")),
            _ => None,
        };
        let kind = kind.unwrap_or("Course");
        self.set("context_type", kind.into());
        self.put_column("context_id", context, (record, "id"), true);
        match self.account_of(kind, record, context) {
            Ok((account, place)) => {
                if let Some(index) = self.find("context_account_id", 0) {
                    self.put(index, account, place);
                }
            }
            Err(place) => {
                let what = "this is missing; `context_account_id` of the metadata needs it";
                self.notes.warn(place, what);
            }
        }
        if KINDS_IN_SIS.contains(&kind) {
            self.clear(&["context_sis_source_id"]);
            let place = (record, "sis_source_id");
            self.put_column("context_sis_source_id", context, place, false);
        }
        if let Some(root) = scene.related("root_account") {
            for (name, column) in OF_ROOT_ACCOUNT {
                self.put_column(name, root, ("root_account", column), true);
            }
        }
    }

    /// The account of a context, and where it is found: of a root account itself, of another
    /// account its parent, of a section that of its course. A kind of context without an account
    /// has null. The error is the place of the column that is missing.
    fn account_of(
        &self,
        kind: &str,
        record: &'static str,
        context: RelatedRow<'a>,
    ) -> Result<(&'a Value, ChangePath<'a>), ChangePath<'a>> {
        let column = |record: &'static str, row: RelatedRow<'a>, name: &'static str| {
            let place = ChangePath::Related(record, name);
            row.get(name).map(|value| (value, place)).ok_or(place)
        };
        column(record, context, "account_id").or_else(|missing| match kind {
            "Account" => match column(record, context, "parent_account_id")? {
                (Value::Null, _) => column(record, context, "id"),
                parent => Ok(parent),
            },
            "CourseSection" => match self.scene.related("course") {
                Some(course) => column("course", course, "account_id"),
                None => Err(missing),
            },
            "Course" | "Group" => Err(missing),
            _ => Ok((&NO_ACCOUNT, ChangePath::Member("/related", record))),
        })
    }

    /// Puts in what the login tells that was just made.
    fn put_login(&mut self) {
        let Some(login) = self.scene.related("pseudonym") else {
            let what = "this is missing; it says who logged in";
            return self.notes.fault("/related/pseudonym", what);
        };
        // Who acted until then may be somebody else.
        self.clear(&OF_LOGIN.map(|(name, _)| name));
        self.clear(&["session_id"]);
        for (name, column) in OF_LOGIN {
            let is_expected = column != "sis_user_id";
            self.put_column(name, login, ("pseudonym", column), is_expected);
        }
        if let (Some(index), Some(session)) =
            (self.find("session_id", 0), self.scene.value(SESSION_COLUMN))
        {
            self.put(index, session, ChangePath::Member("/with", SESSION_COLUMN));
        }
    }

    /// Puts in the value of a column of a related row; warns if it is missing but expected.
    fn put_column(
        &mut self,
        name: &str,
        row: RelatedRow<'a>,
        (related, column): (&str, &str),
        is_expected: bool,
    ) {
        let place = ChangePath::Related(related, column);
        match (self.find(name, 0), row.get(column)) {
            (Some(index), Some(value)) => self.put(index, value, place),
            (Some(_), None) if is_expected => {
                let what = format!("this is missing; `{name}` of the metadata needs it");
                self.notes.warn(place, what);
            }
            (Some(_) | None, _) => (),
        }
    }

    /// Puts a value in, over what was there; nulls stay in metadata, where the field can be null.
    fn put(&mut self, index: usize, value: &'a Value, place: ChangePath<'_>) {
        let Some(it) = self.fields.get(index) else {
            return;
        };
        let value = match value {
            Value::Null if it.field.null => Some(Cow::Borrowed(value)),
            Value::Null => {
                if it.field.is_always_there() {
                    self.notes.warn(place, null_text(&it.field));
                }
                None
            }
            value => convert(&it.field, value, place, self.scene.options, self.notes),
        };
        if let Some(place) = self.values.get_mut(index) {
            *place = value;
        }
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
const fn made_in(origin: EventOrigin) -> &'static str {
    match origin {
        EventOrigin::Request => "a request",
        EventOrigin::Job => "a job",
        EventOrigin::Neither => "neither a request nor a job",
    }
}
