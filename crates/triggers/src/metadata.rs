//! Writes the metadata of an event: the fields of the request or job, of the row, and of the login.

use std::borrow::Cow;

use easel_catalog::{
    Catalog, Context, EventOrigin, EventType, Field, JsonWriter, MetadataField, event_time,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::change_context::{ChangeContext, RelatedRow};
use crate::change_path::ChangePath;
use crate::fault::Notes;
use crate::nearest::did_you_mean;
use crate::value::{convert, null_text};

/// The value of `producer`, unless the request or job has another one.
const PRODUCER: &str = "canvas";

const NO_CONTEXT: &str = "this is missing; the context of the event needs it";

/// The types of contexts that have an id in a student information system.
const TYPES_IN_SIS: [&str; 4] = ["Course", "Account", "CourseSection", "Group"];

/// Metadata fields about the context, with the columns of the context's row.
const CONTEXT_FIELDS: [(&str, &str); 4] = [
    ("context_type", "type"),
    ("context_id", "id"),
    ("context_account_id", "account_id"),
    ("context_sis_source_id", "sis_source_id"),
];

/// The value of `context_account_id` for a context without an account.
static NO_ACCOUNT: Value = Value::Null;

/// Metadata fields about the root account, with the columns of its row.
const ROOT_ACCOUNT_FIELDS: [(&str, &str); 3] = [
    ("root_account_id", "id"),
    ("root_account_uuid", "uuid"),
    ("root_account_lti_guid", "lti_guid"),
];

/// Metadata fields about the user of a login, with the columns of the related `pseudonym`.
const LOGIN_FIELDS: [(&str, &str); 4] = [
    ("user_id", "user_id"),
    ("user_login", "unique_id"),
    ("user_account_id", "account_id"),
    ("user_sis_id", "sis_user_id"),
];

/// The column of a login's row that has the session.
pub(crate) const SESSION_COLUMN: &str = "session_id";

/// Collects the values of the metadata's fields, in the order of the catalogue.
struct MetadataWriter<'a, 'n> {
    fields: &'a [MetadataField],
    values: Vec<Option<Cow<'a, Value>>>,
    ctx: ChangeContext<'a>,
    notes: &'n mut Notes,
}

/// Writes the metadata of an event of type `event_type` and with the time `event_at`.
pub(crate) fn metadata(
    catalog: &Catalog,
    event_type: &EventType,
    (ctx, event_at): (ChangeContext<'_>, Timestamp),
    json: &mut JsonWriter,
    notes: &mut Notes,
) {
    let fields = catalog.metadata();
    let mut metadata = MetadataWriter {
        fields,
        values: vec![None; fields.len()],
        ctx,
        notes,
    };
    metadata.put_ambient();
    match event_type.context {
        Context::Ambient => (),
        Context::Row => metadata.put_row_context(event_type),
        Context::Login => metadata.put_login(),
    }
    metadata.set("event_name", event_type.name.into());
    metadata.set("event_time", event_time(event_at).into());
    for (metadata_field, value) in metadata.fields.iter().zip(&metadata.values) {
        if let Some(value) = value {
            json.field(metadata_field.field.name, value);
        }
    }
}

/// Returns the columns of related rows that the metadata of an event needs: the row, the column, and
/// the field.
pub(crate) fn related_columns(
    event_type: &EventType,
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let column_of = |related| move |(field, column)| (related, column, field);
    // A related `course` needs no column `type`.
    let course_fields = CONTEXT_FIELDS
        .into_iter()
        .filter(|(_, column)| *column != "type");
    let root_account = ROOT_ACCOUNT_FIELDS
        .into_iter()
        .map(column_of("root_account"));
    let row_columns = CONTEXT_FIELDS
        .into_iter()
        .map(column_of("context"))
        .chain(course_fields.map(column_of("course")))
        .chain(root_account);
    let login_columns = LOGIN_FIELDS.into_iter().map(column_of("pseudonym"));
    let (is_record, is_login) = match event_type.context {
        Context::Ambient => (false, false),
        Context::Row => (true, false),
        Context::Login => (false, true),
    };
    let row_columns = row_columns.filter(move |_| is_record);
    row_columns.chain(login_columns.filter(move |_| is_login))
}

impl<'a> MetadataWriter<'a, '_> {
    /// Sets the fields of the request or job.
    fn put_ambient(&mut self) {
        let origin = self.ctx.change.origin;
        let place = match origin {
            EventOrigin::Request => "/context/request",
            EventOrigin::Job => "/context/job",
            EventOrigin::Neither => return,
        };
        self.set("producer", PRODUCER.into());
        let mut next = 0;
        let (mut present, mut non_null): (u128, u128) = (0, 0);
        for (name, value) in &self.ctx.change.context.0 {
            let at = ChangePath::Member(place, name);
            // Most senders use the order of the catalogue.
            let Some(index) = self.find(name, next) else {
                if !self.notes.have_room() {
                    continue;
                }
                let names = self.fields.iter().map(|known| known.field.name);
                let suggestion = did_you_mean(name, names);
                let what =
                    format!("the metadata has no field {name:?}, so this is left out{suggestion}");
                self.notes.warn(at, what);
                continue;
            };
            next = index + 1;
            if ["event_name", "event_time"].contains(&name.as_str()) {
                let what = "Easel sets this itself; leave it out. The time of the event comes from `occurred_at` of the change";
                self.notes.fault(at, what);
            } else if self
                .fields
                .get(index)
                .is_some_and(|field| field.is_in_events_of(origin))
            {
                present |= 1 << index;
                non_null |= u128::from(!value.is_null()) << index;
                self.put(index, value, at);
            } else {
                let made_in = made_in(origin);
                let what = format!(
                    "an event made in {made_in} does not have this field; the field is left out"
                );
                self.notes.warn(at, what);
            }
        }
        self.check_ambient(place, origin, (present, non_null));
    }

    /// Warns of the fields that the request or job must have but lacks. These are the required
    /// fields, and the fields with the same condition as a present one. Bit `n` of each mask belongs
    /// to field `n`.
    fn check_ambient(
        &mut self,
        place: &str,
        origin: EventOrigin,
        (present, non_null): (u128, u128),
    ) {
        let is_present = |index: usize| present & (1 << index) != 0;
        let needed_with = |field: &Field| {
            let mut others = self.fields.iter().enumerate();
            others
                .find(|(index, other)| {
                    non_null & (1 << index) != 0
                        && other.field.when == field.when
                        && other.is_in_events_of(origin)
                })
                .map(|(_, other)| other.field.name)
        };
        for (index, metadata_field) in self.fields.iter().enumerate() {
            let field = &metadata_field.field;
            let is_written = self.values.get(index).is_some_and(Option::is_some);
            let is_written_by_easel = ["event_name", "event_time"].contains(&field.name);
            if is_present(index)
                || is_written
                || is_written_by_easel
                || !metadata_field.is_in_events_of(origin)
            {
                continue;
            }
            let what = match field.when {
                None if field.is_required() => {
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

    /// Sets the fields of the row's context and of its root account. They replace the fields of the
    /// request or job. If a context of this type cannot have a field, the field keeps the value of the
    /// request or job. An example is the SIS id of a user.
    fn put_row_context(&mut self, event_type: &EventType) {
        let ctx = self.ctx;
        let (row_name, context) = match (ctx.related("context"), ctx.related("course")) {
            (Some(context), _) => ("context", context),
            (None, Some(course)) => ("course", course),
            // An asset can be opened outside any context.
            (None, None) if event_type.name == "asset_accessed" => return,
            (None, None) => {
                return self.notes.fault("/related/course", NO_CONTEXT);
            }
        };
        // The context of the request can be another one than the context of the row.
        self.clear(&["context_type", "context_id", "context_account_id"]);
        if context.value("id").is_none() {
            return self
                .notes
                .fault(ChangePath::Related(row_name, "id"), NO_CONTEXT);
        }
        let context_type = match row_name {
            "context" => context.text("type").or_else(|| ctx.text("context_type")),
            _ => None,
        };
        let context_type = context_type.unwrap_or("Course");
        self.set("context_type", context_type.into());
        self.put_column("context_id", context, (row_name, "id"), true);
        match self.account_of(context_type, row_name, context) {
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
        if TYPES_IN_SIS.contains(&context_type) {
            self.clear(&["context_sis_source_id"]);
            let place = (row_name, "sis_source_id");
            self.put_column("context_sis_source_id", context, place, false);
        }
        if let Some(root) = ctx.related("root_account") {
            for (name, column) in ROOT_ACCOUNT_FIELDS {
                self.put_column(name, root, ("root_account", column), true);
            }
        }
    }

    /// Returns the account of a context, and its place in the change. A root account is its own account.
    /// The account of another account is its parent. The account of a section is that of its course. For a
    /// type of context without an account, this is null. The error is the place of the missing column.
    fn account_of(
        &self,
        context_type: &str,
        row_name: &'static str,
        context: RelatedRow<'a>,
    ) -> Result<(&'a Value, ChangePath<'a>), ChangePath<'a>> {
        let column = |row_name: &'static str, row: RelatedRow<'a>, name: &'static str| {
            let place = ChangePath::Related(row_name, name);
            row.get(name).map(|value| (value, place)).ok_or(place)
        };
        column(row_name, context, "account_id").or_else(|missing| match context_type {
            "Account" => match column(row_name, context, "parent_account_id")? {
                (Value::Null, _) => column(row_name, context, "id"),
                parent => Ok(parent),
            },
            "CourseSection" => match self.ctx.related("course") {
                Some(course) => column("course", course, "account_id"),
                None => Err(missing),
            },
            "Course" | "Group" => Err(missing),
            _ => Ok((&NO_ACCOUNT, ChangePath::Member("/related", row_name))),
        })
    }

    /// Sets the fields of the new login.
    fn put_login(&mut self) {
        let Some(login) = self.ctx.related("pseudonym") else {
            let what = "this is missing; it says who logged in";
            return self.notes.fault("/related/pseudonym", what);
        };
        // The request may have run as another user before the login.
        self.clear(&LOGIN_FIELDS.map(|(name, _)| name));
        self.clear(&["session_id"]);
        for (name, column) in LOGIN_FIELDS {
            let is_expected = column != "sis_user_id";
            self.put_column(name, login, ("pseudonym", column), is_expected);
        }
        if let (Some(index), Some(session)) =
            (self.find("session_id", 0), self.ctx.value(SESSION_COLUMN))
        {
            self.put(index, session, ChangePath::Member("/with", SESSION_COLUMN));
        }
    }

    /// Sets a field to the value of a column of a related row. Warns if the column is expected but
    /// missing.
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

    /// Validates `value` and sets a field to it. A null stays if the field can be null.
    fn put(&mut self, index: usize, value: &'a Value, place: ChangePath<'_>) {
        let Some(MetadataField { field, .. }) = self.fields.get(index) else {
            return;
        };
        let value = match value {
            Value::Null if field.can_be_null => Some(Cow::Borrowed(value)),
            Value::Null => {
                if field.is_required() {
                    self.notes.warn(place, null_text(field));
                }
                None
            }
            value => convert(field, value, place, self.ctx.options, self.notes),
        };
        if let Some(slot) = self.values.get_mut(index) {
            *slot = value;
        }
    }

    /// Removes these fields.
    fn clear(&mut self, names: &[&str]) {
        for name in names {
            let index = self.find(name, 0);
            if let Some(slot) = index.and_then(|index| self.values.get_mut(index)) {
                *slot = None;
            }
        }
    }

    /// Sets a field to a value that needs no validation.
    fn set(&mut self, name: &str, value: Value) {
        let index = self.find(name, 0);
        if let Some(slot) = index.and_then(|index| self.values.get_mut(index)) {
            *slot = Some(Cow::Owned(value));
        }
    }

    /// Returns the index of a field. Searches from `next` to the end, then from the start.
    fn find(&self, name: &str, next: usize) -> Option<usize> {
        let mut indexes = (next..self.fields.len()).chain(0..next);
        indexes.find(|index| {
            self.fields
                .get(*index)
                .is_some_and(|known| known.field.name == name)
        })
    }
}

/// Returns the origin of an event in words.
const fn made_in(origin: EventOrigin) -> &'static str {
    match origin {
        EventOrigin::Request => "a request",
        EventOrigin::Job => "a job",
        EventOrigin::Neither => "neither a request nor a job",
    }
}
