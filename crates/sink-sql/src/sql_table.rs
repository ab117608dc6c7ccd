//! A table: its columns, and which field of an event belongs to which column.

use easel_catalog::{EventType, Field, MetadataField, Privacy};

use crate::conventions::Conventions;
use crate::observed::ObservedFields;
use crate::sql_column::{
    ColumnSource, FieldPlace, KnownField, SqlColumn, has_privacy, is_global_id,
};
use crate::sql_name::{
    ColumnNames, REGISTER_TABLE, WIDE_TABLE, is_system_column, is_too_long, table_name,
};
use crate::sql_type::SqlType;
use crate::sql_value::FieldShape;

/// The suffixes of a metadata column, a body column and a computed column whose plain name is taken.
pub(crate) const META_SUFFIX: &str = "_meta";
pub(crate) const BODY_SUFFIX: &str = "_body";
const LOCAL_SUFFIX: &str = "_local";

/// The metadata fields that every table has as columns of its own.
pub(crate) const EVENT_NAME: &str = "event_name";
pub(crate) const EVENT_TIME: &str = "event_time";

/// The columns that are not named after a field.
pub(crate) const OFFSET_COLUMN: &str = "easel_offset";
pub(crate) const EVENT_ID_COLUMN: &str = "event_id";
pub(crate) const EXTRA_COLUMN: &str = "extra";
const RECEIVED_COLUMN: &str = "received_at";
const BODY_COLUMN: &str = "body";

/// The names of the columns that are not named after a field, in a table of one event type.
const OWN_COLUMNS: [&str; 5] = [
    OFFSET_COLUMN,
    EVENT_ID_COLUMN,
    EVENT_TIME,
    RECEIVED_COLUMN,
    EXTRA_COLUMN,
];

/// A table for events.
#[derive(Clone, Debug)]
pub struct SqlTable {
    /// The name.
    pub name: String,
    /// The event type of all its rows. `None` if it has rows of every event type.
    pub event_type: Option<String>,
    /// What its rows mean.
    pub comment: String,
    /// The columns, in order.
    pub columns: Vec<SqlColumn>,
    /// Whose names and values it has.
    pub(crate) conventions: Conventions,
    /// The fields that a row can have.
    pub(crate) metadata_fields: Vec<KnownField>,
    pub(crate) body_fields: Vec<KnownField>,
}

impl SqlTable {
    /// Returns the table of an event type of the catalogue. Fields of the privacy classes `excluded` have no
    /// column, and their values are not stored.
    pub fn of_event_type(
        event_type: &EventType,
        metadata: &[MetadataField],
        excluded: &[Privacy],
    ) -> Self {
        let is_in_body = |name: &str| event_type.body.iter().any(|field| field.name == name);
        let comment = format!("{} {}", event_type.meaning, event_type.trigger);
        let mut draft = Draft::new(event_type.name, comment.trim().to_owned());
        draft.add_own_columns();
        draft.names.add(EXTRA_COLUMN, "");
        draft.reserve(event_type.body.iter().map(|field| field.name));
        for field in metadata {
            draft.add_metadata(&field.field, is_in_body(field.field.name), excluded);
        }
        for field in event_type.body {
            draft.add_body(field, excluded);
        }
        draft.finish()
    }

    /// Returns the table of an event type that the catalogue does not know, with a column for each field
    /// that was observed. A field has no column if the name of its column could be that of another field.
    pub fn of_observed(
        event_type: &str,
        observed: &ObservedFields,
        metadata: &[MetadataField],
        excluded: &[Privacy],
    ) -> Self {
        let comment = format!(
            "The catalogue does not know the event type {}. The columns are those of the first events.",
            // No comment can have this character.
            event_type.replace('\0', "�")
        );
        let mut draft = Draft::new(event_type, comment);
        draft.add_own_columns();
        draft.names.add(EXTRA_COLUMN, "");
        let has_column = |name: &str| !is_ambiguous(name, metadata);
        let fields: Vec<_> = observed
            .iter()
            .filter(|(name, _type)| has_column(name))
            .collect();
        draft.reserve(fields.iter().map(|(name, _type)| *name));
        for field in metadata {
            let is_in_body = observed.contains(field.field.name);
            draft.add_metadata(&field.field, is_in_body, excluded);
        }
        for (name, sql_type) in fields {
            draft.add_observed(name, sql_type);
        }
        draft.finish()
    }

    /// Returns the table of the wide layout. Fields of the metadata in the classes `excluded` have no column.
    pub fn wide(metadata: &[MetadataField], excluded: &[Privacy]) -> Self {
        let comment = "All events. The column `body` has the whole body of an event.".to_owned();
        let mut draft = Draft::new(WIDE_TABLE, comment);
        draft.add_own_columns();
        draft.add_own(
            EVENT_NAME,
            SqlType::Text,
            ColumnSource::EventName,
            "Event type.",
        );
        draft.names.add(BODY_COLUMN, "");
        draft.names.add(EXTRA_COLUMN, "");
        for field in metadata {
            draft.add_metadata(&field.field, false, excluded);
        }
        draft.push(SqlColumn {
            name: BODY_COLUMN.to_owned(),
            sql_type: SqlType::Json,
            source: ColumnSource::WholeBody,
            comment: "Body of the event.".to_owned(),
            privacy: Privacy::DirectIdentifier,
        });
        let mut table = draft.finish();
        WIDE_TABLE.clone_into(&mut table.name);
        table.event_type = None;
        table
    }

    /// Returns the table with one row per event, for the layout `ledbelly`: what its other tables do not hold.
    pub(crate) fn register() -> Self {
        let comment = "One row for each event that Easel wrote into the tables of this schema, with what \
                       those tables do not hold.";
        let mut draft = Draft::new(REGISTER_TABLE, comment.to_owned());
        draft.add_own_columns();
        draft.add_own(
            EVENT_NAME,
            SqlType::Text,
            ColumnSource::EventName,
            "Event type.",
        );
        let mut table = draft.finish();
        REGISTER_TABLE.clone_into(&mut table.name);
        table.event_type = None;
        table
    }

    /// Returns the columns that Easel writes, in order.
    pub fn written_columns(&self) -> impl Iterator<Item = &SqlColumn> {
        self.columns.iter().filter(|column| column.is_written())
    }

    /// Returns the column with this source.
    pub fn column_of(&self, source: &ColumnSource) -> Option<&SqlColumn> {
        self.columns.iter().find(|column| column.source == *source)
    }

    /// Returns the column of a body field.
    pub fn body_column(&self, field: &str) -> Option<&SqlColumn> {
        self.column_of(&ColumnSource::Body(field.to_owned()))
    }

    /// Sets the type that a column has in the database. `None` if Easel cannot write values of that type, or
    /// if the database lacks the column: the values of its field then go to the column `extra`.
    pub(crate) fn set_actual_type(&mut self, column_name: &str, actual: Option<SqlType>) {
        let Some(index) = self
            .columns
            .iter()
            .position(|column| column.name == column_name)
        else {
            return;
        };
        if let Some(actual) = actual {
            if let Some(column) = self.columns.get_mut(index) {
                column.sql_type = actual;
            }
            return;
        }
        self.columns.remove(index);
        let fields = self.metadata_fields.iter_mut().chain(&mut self.body_fields);
        for field in fields {
            match &mut field.place {
                FieldPlace::Column(at) if *at == index => field.place = FieldPlace::Extra,
                FieldPlace::Column(at) if *at > index => *at -= 1,
                _ => (),
            }
        }
    }

    /// Adds a column that the database has and that the catalogue does not know. It is filled from the body
    /// field with its name.
    pub(crate) fn add_actual_column(&mut self, name: &str, sql_type: SqlType) {
        let field_name = self.field_of_column(name);
        if self
            .body_fields
            .iter()
            .any(|field| field.name == field_name)
        {
            return;
        }
        self.body_fields.push(KnownField {
            name: field_name.to_owned(),
            shape: FieldShape::of_column(field_name, sql_type),
            place: FieldPlace::Column(self.columns.len()),
        });
        self.columns.push(SqlColumn {
            name: name.to_owned(),
            sql_type,
            source: ColumnSource::Body(field_name.to_owned()),
            comment: String::new(),
            privacy: Privacy::Nothing,
        });
    }

    /// Returns the name of the column that a body field has or can get. `None` if the name is too long, or if it
    /// would be the column of another field: a sink knows the field only from the name of the column.
    pub(crate) fn column_for_field(&self, field: &str) -> Option<String> {
        let column = self.column_name_of_field(field);
        let mut metadata = self.metadata_fields.iter();
        let is_of_metadata = metadata.any(|known| moved_metadata_name(&known.name) == column);
        let is_recognized = self.field_of_column(&column) == field && !is_of_metadata;
        (is_recognized && !is_too_long(&column)).then_some(column)
    }

    /// Returns the body field of a column that the catalogue does not know.
    fn field_of_column<'c>(&self, column: &'c str) -> &'c str {
        match column.strip_suffix(BODY_SUFFIX) {
            Some(plain) if self.column_name_of_field(plain) == column => plain,
            _ => column,
        }
    }

    /// Returns the name of the column of a body field that the catalogue does not know.
    pub(crate) fn column_name_of_field(&self, field: &str) -> String {
        let mut others = self.columns.iter().filter(|column| column.name == field);
        let is_taken = others
            .any(|column| !matches!(&column.source, ColumnSource::Body(name) if name == field));
        if is_taken || is_system_column(field) {
            return format!("{field}{BODY_SUFFIX}");
        }
        field.to_owned()
    }

    /// Gives a metadata field the column with the suffix, because the body has a field with its name too.
    pub(crate) fn move_metadata_column(&mut self, name: &str) {
        let source = ColumnSource::Metadata(name.to_owned());
        let moved = format!("{name}{META_SUFFIX}");
        let local = ColumnSource::LocalIdOf(name.to_owned());
        for column in &mut self.columns {
            if column.source == source {
                column.name.clone_from(&moved);
            } else if column.source == local {
                column.name = format!("{moved}{LOCAL_SUFFIX}");
                column.comment = local_id_comment(&moved);
                column.source = ColumnSource::LocalIdOf(moved.clone());
            }
        }
    }
}

/// Returns the name of the metadata column of a field whose plain name belongs to the body.
pub(crate) fn moved_metadata_name(name: &str) -> String {
    format!("{name}{META_SUFFIX}")
}

/// Returns true for a name such as `user_id_meta`: a name that Easel gives to the column of another field.
fn is_ambiguous(name: &str, metadata: &[MetadataField]) -> bool {
    let is_taken = |name: &str| {
        OWN_COLUMNS.contains(&name)
            || is_system_column(name)
            || metadata.iter().any(|field| field.field.name == name)
    };
    std::iter::successors(without_suffix(name), |name| without_suffix(name)).any(is_taken)
}

fn without_suffix(name: &str) -> Option<&str> {
    let mut suffixes = [META_SUFFIX, BODY_SUFFIX, LOCAL_SUFFIX].into_iter();
    suffixes.find_map(|suffix| name.strip_suffix(suffix))
}

fn local_id_comment(column: &str) -> String {
    format!("The id in {column} without its shard, as in Canvas Data 2.")
}

/// Builds a table.
struct Draft {
    table: SqlTable,
    names: ColumnNames,
    /// The names of body fields. They are not free for other columns.
    body_names: Vec<String>,
}

impl Draft {
    fn new(event_type: &str, comment: String) -> Self {
        Self {
            table: SqlTable {
                name: table_name(event_type),
                event_type: Some(event_type.to_owned()),
                comment,
                columns: Vec::new(),
                conventions: Conventions::Easel,
                metadata_fields: Vec::new(),
                body_fields: Vec::new(),
            },
            names: ColumnNames::default(),
            body_names: Vec::new(),
        }
    }

    fn push(&mut self, column: SqlColumn) {
        self.table.columns.push(column);
    }

    fn add_own(&mut self, name: &str, sql_type: SqlType, source: ColumnSource, comment: &str) {
        let name = self.names.add(name, "");
        self.push(SqlColumn {
            name,
            sql_type,
            source,
            comment: comment.to_owned(),
            privacy: Privacy::Nothing,
        });
    }

    fn add_own_columns(&mut self) {
        let offset = "Offset of the event in Easel's log. It rises by one with every event.";
        self.add_own(OFFSET_COLUMN, SqlType::BigInt, ColumnSource::Offset, offset);
        let id = "Id of the event. It is the same at every destination.";
        self.add_own(EVENT_ID_COLUMN, SqlType::Uuid, ColumnSource::EventId, id);
        let time = "When Canvas sent the event.";
        self.add_own(
            EVENT_TIME,
            SqlType::Timestamp,
            ColumnSource::EventTime,
            time,
        );
        let received = "When Easel received the event.";
        self.add_own(
            RECEIVED_COLUMN,
            SqlType::Timestamp,
            ColumnSource::ReceivedAt,
            received,
        );
    }

    fn reserve<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        self.body_names = names
            .filter(|name| !OWN_COLUMNS.contains(name))
            .map(str::to_owned)
            .collect();
    }

    fn add_metadata(&mut self, field: &Field, is_in_body: bool, excluded: &[Privacy]) {
        let place = match field.name {
            EVENT_NAME => Some(FieldPlace::EventName),
            EVENT_TIME => Some(FieldPlace::EventTime),
            _ if has_privacy(field, excluded) => Some(FieldPlace::Excluded),
            _ => None,
        };
        let shape = FieldShape::of_kind(&field.kind);
        let place = place.unwrap_or_else(|| {
            let plain = if is_in_body {
                moved_metadata_name(field.name)
            } else {
                field.name.to_owned()
            };
            let source = ColumnSource::Metadata(field.name.to_owned());
            let name = self.names.add(&plain, META_SUFFIX);
            self.add_field(&name, shape.sql_type(), source, field)
        });
        self.table.metadata_fields.push(KnownField {
            name: field.name.to_owned(),
            shape,
            place,
        });
    }

    fn add_body(&mut self, field: &Field, excluded: &[Privacy]) {
        let shape = FieldShape::of_kind(&field.kind);
        let place = if has_privacy(field, excluded) {
            FieldPlace::Excluded
        } else {
            let source = ColumnSource::Body(field.name.to_owned());
            let name = self.names.add(field.name, BODY_SUFFIX);
            self.add_field(&name, shape.sql_type(), source, field)
        };
        self.table.body_fields.push(KnownField {
            name: field.name.to_owned(),
            shape,
            place,
        });
    }

    /// Adds the column of a field. `name` is free.
    fn add_field(
        &mut self,
        name: &str,
        sql_type: SqlType,
        source: ColumnSource,
        field: &Field,
    ) -> FieldPlace {
        let place = FieldPlace::Column(self.table.columns.len());
        self.push(SqlColumn {
            name: name.to_owned(),
            sql_type,
            source,
            comment: comment_of(field),
            privacy: field.privacy,
        });
        let local_name = format!("{name}{LOCAL_SUFFIX}");
        if is_global_id(field) && !self.body_names.contains(&local_name) {
            let local = self.names.add(&local_name, LOCAL_SUFFIX);
            self.push(SqlColumn {
                name: local,
                sql_type: SqlType::BigInt,
                source: ColumnSource::LocalIdOf(name.to_owned()),
                comment: local_id_comment(name),
                privacy: field.privacy,
            });
        }
        place
    }

    fn add_observed(&mut self, field_name: &str, sql_type: SqlType) {
        let name = self.names.add(field_name, BODY_SUFFIX);
        self.table.body_fields.push(KnownField {
            name: field_name.to_owned(),
            shape: FieldShape::of_column(field_name, sql_type),
            place: FieldPlace::Column(self.table.columns.len()),
        });
        self.push(SqlColumn {
            name,
            sql_type,
            source: ColumnSource::Body(field_name.to_owned()),
            comment: "The catalogue does not know this field.".to_owned(),
            privacy: Privacy::Nothing,
        });
    }

    fn finish(mut self) -> SqlTable {
        self.push(SqlColumn {
            name: EXTRA_COLUMN.to_owned(),
            sql_type: SqlType::Json,
            source: ColumnSource::Extra,
            comment: "What the other columns do not hold: unknown fields, and under `_mismatch` values that do not fit.".to_owned(),
            privacy: Privacy::DirectIdentifier,
        });
        self.table
    }
}

pub(crate) fn comment_of(field: &Field) -> String {
    match field.when {
        Some(when) => format!("{} Present if {when}.", field.about),
        None => field.about.to_owned(),
    }
}
