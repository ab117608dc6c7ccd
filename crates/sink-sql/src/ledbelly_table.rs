//! The tables of the layout `ledbelly`: the names and columns of `LEDbelly`, an older loader of Canvas events.
//!
//! A school that used `LEDbelly` keeps its tables and its reports. Easel adds rows to the tables as they are,
//! and never changes them.
//!
//! **Names.** The table of an event type is `live_<event type>`, in lower case, with `_` for every other
//! character. Its columns are `<event type>_id`, `processed_at`, `event_time_local`, then the metadata, then
//! the body. A column of the metadata has its plain name, or the suffix `_meta` if it is in
//! [`META_NAMES`]. Older versions of `LEDbelly` used fewer suffixes, so a column without the suffix also gets
//! the value, if the body has no field of that name. A field within an object of the body has the names of
//! both, joined with `_`. But the fields within `progress` have no prefix.
//!
//! **Values.** `event_time_local` and `processed_at` are on the clock of Easel's time zone, all other times
//! are in UTC. `processed_at` is when Easel received the event. The file `ledbelly_value.rs` says how
//! values are cast. `LEDbelly` cuts times to seconds and writes 0 for an empty id. Easel does not.
//!
//! **The number of the row.** The database fills `<event type>_id` from its sequence, as it does for
//! `LEDbelly`. So rows of Easel never collide with older rows, and reports can still order by the number.
//! These tables therefore have no column for the offset, and a row cannot be found by its event.
//!
//! **The register.** The table `easel_events` has one row per event, with the offset as its key. It is
//! written in the same transaction. So Easel knows which rows exist, and a redelivered event is one row. Its
//! column `extra` has what the other tables do not hold: unknown fields, and values that were cut or
//! did not fit. Fields of metadata and body that have no column are there too.
//!
//! **The stream.** If the schema has a table `live_stream`, every event is also a row there. Easel does not
//! create this table, because a school can choose not to have it. Easel looks for it when it connects. Its columns have the suffix `_meta` or
//! `_body` if both parts of an event have the field. The columns in [`STREAM_NAMES`] have other names
//! than their fields.
//!
//! **The change.** Stop `LEDbelly` before Easel starts: both would write every event. The database role of
//! Easel needs the right to use the sequences of the tables. What the columns cannot hold does not stop the
//! rows, but a table whose rows the database does not number is refused.
//!
//! Easel creates the table of an event type if it is missing. Such a table has no limits of length, and
//! `true` and `false` are texts, as in the tables of `LEDbelly`. Tables for Caliper (`ims_…`) do not exist
//! here, because the tables need the format canvas.

use easel_catalog::{EventType, Field, Kind, MetadataField, Privacy};

use crate::actual_schema::{ActualColumn, ActualRelation};
use crate::conventions::Conventions;
use crate::dialect::SqlDialect;
use crate::observed::ObservedFields;
use crate::sql_column::{ColumnSource, FieldPlace, KnownField, SqlColumn, has_privacy};
use crate::sql_name::{ColumnNames, STREAM_TABLE, ledbelly_table_name, row_number_name};
use crate::sql_table::{BODY_SUFFIX, EVENT_NAME, EVENT_TIME, META_SUFFIX, SqlTable, comment_of};
use crate::sql_type::SqlType;
use crate::sql_value::FieldShape;

/// The metadata fields whose columns have the suffix `_meta` in every table.
const META_NAMES: [&str; 8] = [
    "context_id",
    "context_role",
    "context_type",
    "root_account_id",
    "url",
    "user_id",
    "user_login",
    "user_sis_id",
];

/// The columns of the stream with other names than their body fields.
const STREAM_NAMES: [(&str, &str); 3] = [
    ("asset_category", "category"),
    ("asset_level", "level"),
    ("asset_role", "role"),
];

/// The object of the body whose fields have columns without its name.
const NAMELESS_OBJECT: &str = "progress_";

const PROCESSED_COLUMN: &str = "processed_at";
const LOCAL_TIME_COLUMN: &str = "event_time_local";

/// Text columns for `true` and `false`.
const TRUTH: SqlType = SqlType::Varchar(5);

impl SqlTable {
    /// Returns the table of an event type in the layout `ledbelly`. Fields of the privacy classes `excluded`
    /// have no column, and their values are not stored.
    pub(crate) fn of_ledbelly(
        event_type: &EventType,
        metadata: &[MetadataField],
        excluded: &[Privacy],
    ) -> Self {
        let comment = format!("{} {}", event_type.meaning, event_type.trigger);
        let mut draft = Draft::new(event_type.name, comment.trim().to_owned());
        let mut leaves = Vec::new();
        add_leaves("", &event_type.body, &mut leaves);
        for field in metadata {
            let is_in_body = leaves.iter().any(|(name, _field)| name == field.field.name);
            draft.add_metadata(&field.field, is_in_body, excluded);
        }
        for (name, field) in leaves {
            draft.add_body(name, field, excluded);
        }
        draft.table
    }

    /// Returns the table of an event type that the catalogue does not know, with a column for each field that
    /// was observed.
    pub(crate) fn of_ledbelly_observed(
        event_type: &str,
        observed: &ObservedFields,
        metadata: &[MetadataField],
        excluded: &[Privacy],
    ) -> Self {
        let comment = format!("The catalogue does not know the event type {event_type}.");
        let mut draft = Draft::new(event_type, comment);
        for field in metadata {
            let is_in_body = observed.contains(field.field.name);
            draft.add_metadata(&field.field, is_in_body, excluded);
        }
        for (name, sql_type) in observed.iter() {
            let sql_type = match sql_type {
                SqlType::Boolean => TRUTH,
                SqlType::Timestamp => SqlType::LocalTimestamp,
                SqlType::Json | SqlType::Uuid => SqlType::Text,
                other => other,
            };
            let comment = "The catalogue does not know this field.".to_owned();
            draft.add_column(name.to_owned(), sql_type, FieldShape::Json, comment);
        }
        draft.table
    }

    /// Returns the stream, with the columns that the database has.
    pub(crate) fn ledbelly_stream(
        dialect: &impl SqlDialect,
        existing: &ActualRelation,
        metadata: &[MetadataField],
        excluded: &[Privacy],
    ) -> Result<Self, String> {
        let mut draft = Draft::new("", String::new());
        STREAM_TABLE.clone_into(&mut draft.table.name);
        draft.table.event_type = None;
        draft.table.conventions = Conventions::LedbellyStream;
        for field in metadata {
            draft.add_metadata(&field.field, false, excluded);
        }
        draft.table.adapted_as_it_is(dialect, existing)
    }

    /// Returns the table with the columns that the database has, each with its type there. A field without a
    /// column is unknown, so its values go to the register. Returns the reason if Easel cannot write into
    /// the table.
    pub(crate) fn adapted_as_it_is(
        &self,
        dialect: &impl SqlDialect,
        existing: &ActualRelation,
    ) -> Result<Self, String> {
        let is_excluded = |field: &&KnownField| field.place == FieldPlace::Excluded;
        let is_without_column = |field: &&KnownField| {
            matches!(field.place, FieldPlace::EventName | FieldPlace::EventTime)
        };
        let mut table = Self {
            columns: Vec::new(),
            metadata_fields: self
                .metadata_fields
                .iter()
                .filter(|field| is_excluded(field) || is_without_column(field))
                .cloned()
                .collect(),
            body_fields: self
                .body_fields
                .iter()
                .filter(is_excluded)
                .cloned()
                .collect(),
            ..self.clone()
        };
        let columns = existing.columns.iter();
        for actual in columns.filter(|actual| !actual.is_generated && !actual.is_numbered) {
            let source = self.source_of(&actual.name, existing);
            let sql_type = dialect.exact_type(&actual.type_name);
            let filled = sql_type.filter(|sql_type| can_fill(&source, *sql_type));
            match filled {
                Some(sql_type) if !table.excludes(&source) => {
                    table.add_existing(self, actual, source, sql_type);
                }
                _ if actual.is_required => {
                    return Err(format!(
                        "the column {} of the table {} must have a default, because Easel cannot fill it",
                        actual.name, self.name
                    ));
                }
                _ => (),
            }
        }
        Ok(table)
    }

    /// Returns the source of the values of a column that the database has.
    fn source_of(&self, name: &str, existing: &ActualRelation) -> ColumnSource {
        let is_known = |field: &str| {
            let has_name = |known: &KnownField| known.name == field;
            self.metadata_fields.iter().any(has_name)
        };
        let known = self.columns.iter().find(|column| column.name == name);
        if let Some(column) = known {
            return column.source.clone();
        }
        if let Some(field) = name.strip_suffix(META_SUFFIX) {
            return ColumnSource::Metadata(field.to_owned());
        }
        let has_suffixed = existing.column(&format!("{name}{META_SUFFIX}")).is_some();
        if self.body_column(name).is_none() && is_known(name) && !has_suffixed {
            return ColumnSource::Metadata(name.to_owned());
        }
        if self.conventions == Conventions::LedbellyStream {
            let renamed = STREAM_NAMES.iter().find(|(column, _field)| *column == name);
            let field = renamed.map(|(_column, field)| *field);
            let field = field.or_else(|| name.strip_suffix(BODY_SUFFIX));
            return ColumnSource::Body(field.unwrap_or(name).to_owned());
        }
        ColumnSource::Body(name.to_owned())
    }

    /// Returns true if the values of this source are not stored.
    fn excludes(&self, source: &ColumnSource) -> bool {
        let (fields, name) = match source {
            ColumnSource::Metadata(name) => (&self.metadata_fields, name),
            ColumnSource::Body(name) => (&self.body_fields, name),
            _ => return false,
        };
        fields
            .iter()
            .any(|field| field.name == *name && field.place == FieldPlace::Excluded)
    }

    /// Adds a column that the database has. `wanted` is the table as the catalogue has it.
    fn add_existing(
        &mut self,
        wanted: &Self,
        actual: &ActualColumn,
        source: ColumnSource,
        sql_type: SqlType,
    ) {
        let place = FieldPlace::Column(self.columns.len());
        let fields = match &source {
            ColumnSource::Metadata(name) => {
                Some((&mut self.metadata_fields, &wanted.metadata_fields, name))
            }
            ColumnSource::Body(name) => Some((&mut self.body_fields, &wanted.body_fields, name)),
            _ => None,
        };
        if let Some((fields, wanted, name)) = fields {
            if fields.iter().any(|field| field.name == *name) {
                return;
            }
            let known = wanted.iter().find(|field| field.name == *name);
            fields.push(KnownField {
                name: name.clone(),
                shape: known.map_or(FieldShape::Json, |field| field.shape),
                place,
            });
        }
        self.columns.push(SqlColumn {
            name: actual.name.clone(),
            sql_type,
            source,
            comment: String::new(),
            privacy: Privacy::Nothing,
        });
    }
}

/// Returns the name of a column for the field at `path`, the keys of the objects and of the field joined with
/// `_`.
pub(crate) fn name_of_path(path: &str) -> &str {
    path.strip_prefix(NAMELESS_OBJECT).unwrap_or(path)
}

/// Returns true if a column of this type can have the values of a source that is not a field.
fn can_fill(source: &ColumnSource, sql_type: SqlType) -> bool {
    match source {
        ColumnSource::EventTime | ColumnSource::LocalEventTime | ColumnSource::LocalReceivedAt => {
            matches!(sql_type, SqlType::Timestamp | SqlType::LocalTimestamp)
        }
        ColumnSource::RowNumber => false,
        ColumnSource::EventName => matches!(sql_type, SqlType::Text | SqlType::Varchar(_)),
        _ => true,
    }
}

/// Adds the fields of an object, and instead of objects with known fields the fields within.
fn add_leaves<'c>(prefix: &str, fields: &'c [Field], leaves: &mut Vec<(String, &'c Field)>) {
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        match &field.kind {
            Kind::Object(inner) if !inner.is_empty() => {
                add_leaves(&format!("{path}_"), inner, leaves);
            }
            _ => {
                let name = if prefix.is_empty() {
                    path.as_str()
                } else {
                    name_of_path(&path)
                };
                leaves.push((name.to_owned(), field));
            }
        }
    }
}

/// Builds a table.
struct Draft {
    table: SqlTable,
    names: ColumnNames,
}

impl Draft {
    fn new(event_type: &str, comment: String) -> Self {
        let mut draft = Self {
            table: SqlTable {
                name: ledbelly_table_name(event_type),
                event_type: Some(event_type.to_owned()),
                comment,
                columns: Vec::new(),
                conventions: Conventions::Ledbelly,
                metadata_fields: Vec::new(),
                body_fields: Vec::new(),
            },
            names: ColumnNames::default(),
        };
        draft.add_own(
            &row_number_name(event_type),
            SqlType::BigInt,
            ColumnSource::RowNumber,
            "Number of the row. The database fills it.",
        );
        draft.add_own(
            PROCESSED_COLUMN,
            SqlType::LocalTimestamp,
            ColumnSource::LocalReceivedAt,
            "When Easel received the event, in the time zone of Easel.",
        );
        draft.add_own(
            LOCAL_TIME_COLUMN,
            SqlType::LocalTimestamp,
            ColumnSource::LocalEventTime,
            "When Canvas sent the event, in the time zone of Easel.",
        );
        draft
    }

    fn add_own(&mut self, name: &str, sql_type: SqlType, source: ColumnSource, comment: &str) {
        let name = self.names.add(name, "");
        self.table.columns.push(SqlColumn {
            name,
            sql_type,
            source,
            comment: comment.to_owned(),
            privacy: Privacy::Nothing,
        });
    }

    fn add_metadata(&mut self, field: &Field, is_in_body: bool, excluded: &[Privacy]) {
        let shape = FieldShape::of_kind(&field.kind);
        let place = match field.name {
            EVENT_NAME => {
                let source = ColumnSource::EventName;
                self.add_own(EVENT_NAME, SqlType::Text, source, field.about);
                FieldPlace::EventName
            }
            EVENT_TIME => {
                let source = ColumnSource::EventTime;
                self.add_own(EVENT_TIME, SqlType::LocalTimestamp, source, field.about);
                FieldPlace::EventTime
            }
            _ if has_privacy(field, excluded) => FieldPlace::Excluded,
            name => {
                let suffix = if META_NAMES.contains(&name) || is_in_body {
                    META_SUFFIX
                } else {
                    ""
                };
                let name = self.names.add(&format!("{name}{suffix}"), META_SUFFIX);
                let place = FieldPlace::Column(self.table.columns.len());
                self.table.columns.push(SqlColumn {
                    name,
                    sql_type: type_of(shape),
                    source: ColumnSource::Metadata(field.name.to_owned()),
                    comment: comment_of(field),
                    privacy: field.privacy,
                });
                place
            }
        };
        self.table.metadata_fields.push(KnownField {
            name: field.name.to_owned(),
            shape,
            place,
        });
    }

    fn add_body(&mut self, name: String, field: &Field, excluded: &[Privacy]) {
        let shape = FieldShape::of_kind(&field.kind);
        if has_privacy(field, excluded) {
            self.table.body_fields.push(KnownField {
                name,
                shape,
                place: FieldPlace::Excluded,
            });
            return;
        }
        self.add_column(name, type_of(shape), shape, comment_of(field));
        if let Some(column) = self.table.columns.last_mut() {
            column.privacy = field.privacy;
        }
    }

    fn add_column(
        &mut self,
        field_name: String,
        sql_type: SqlType,
        shape: FieldShape,
        comment: String,
    ) {
        let name = self.names.add(&field_name, BODY_SUFFIX);
        self.table.body_fields.push(KnownField {
            name: field_name.clone(),
            shape,
            place: FieldPlace::Column(self.table.columns.len()),
        });
        self.table.columns.push(SqlColumn {
            name,
            sql_type,
            source: ColumnSource::Body(field_name),
            comment,
            privacy: Privacy::Nothing,
        });
    }
}

/// Returns the type of a column that Easel creates.
fn type_of(shape: FieldShape) -> SqlType {
    match shape {
        FieldShape::Id { .. } | FieldShape::Integer => SqlType::BigInt,
        FieldShape::Number => SqlType::Double,
        FieldShape::Boolean => TRUTH,
        FieldShape::Time { .. } => SqlType::LocalTimestamp,
        FieldShape::Text | FieldShape::Uuid | FieldShape::List | FieldShape::Json => SqlType::Text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use easel_catalog::Catalog;

    use super::*;
    use crate::dialect::PostgresDialect;

    fn table(event_type: &str) -> SqlTable {
        let catalog = Catalog::built_in();
        SqlTable::of_ledbelly(catalog.get(event_type).unwrap(), catalog.metadata(), &[])
    }

    fn names(table: &SqlTable) -> Vec<&str> {
        let columns = table.columns.iter();
        columns.map(|column| column.name.as_str()).collect()
    }

    fn actual(name: &str, type_name: &str) -> ActualColumn {
        ActualColumn {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            is_generated: false,
            is_numbered: false,
            is_required: false,
            comment: None,
        }
    }

    #[test]
    fn every_event_type_of_the_catalogue_has_a_table_of_its_own() {
        let catalog = Catalog::built_in();
        let tables: HashSet<_> = catalog
            .types()
            .iter()
            .map(|event_type| table(event_type.name).name)
            .collect();
        assert_eq!(tables.len(), catalog.types().len());
    }

    #[test]
    fn metadata_columns_have_the_suffix_whether_or_not_the_body_has_the_field() {
        for event_type in ["logged_in", "submission_created"] {
            let table = table(event_type);
            let names = names(&table);
            for field in META_NAMES {
                let name = format!("{field}{META_SUFFIX}");
                assert!(names.contains(&name.as_str()), "{event_type}: {name}");
            }
            assert!(names.contains(&"hostname") && names.contains(&"event_time"));
        }
        assert!(!names(&table("logged_in")).contains(&"user_id"));
        assert!(names(&table("submission_created")).contains(&"user_id"));
    }

    #[test]
    fn fields_within_objects_have_the_names_of_both_except_within_progress() {
        let completed = table("course_completed");
        for name in [
            "requirement_count",
            "completed_at",
            "error_message",
            "user_id",
            "user_email",
            "course_id",
            "course_name",
        ] {
            assert!(names(&completed).contains(&name), "{name}");
        }
        let outcome = table("learning_outcome_created");
        for name in ["rubric_criterion_description", "rubric_criterion_ratings"] {
            assert!(names(&outcome).contains(&name), "{name}");
        }
    }

    #[test]
    fn a_column_without_the_suffix_has_the_metadata_if_the_body_lacks_the_field() {
        let sources = |event_type: &str, columns: &[&str]| {
            let existing = ActualRelation {
                columns: columns.iter().map(|name| actual(name, "bigint")).collect(),
                ..ActualRelation::default()
            };
            let adapted = table(event_type).adapted_as_it_is(&PostgresDialect, &existing);
            let columns = adapted.unwrap().columns.into_iter();
            columns.map(|column| column.source).collect::<Vec<_>>()
        };
        let metadata = |name: &str| ColumnSource::Metadata(name.to_owned());
        let body = |name: &str| ColumnSource::Body(name.to_owned());
        let check = |event_type, columns: &[&str], wanted: &[ColumnSource]| {
            assert_eq!(sources(event_type, columns), wanted);
        };
        check(
            "logged_in",
            &["root_account_id"],
            &[metadata("root_account_id")],
        );
        check(
            "logged_in",
            &["user_id", "user_id_meta"],
            &[body("user_id"), metadata("user_id")],
        );
        check("submission_created", &["user_id"], &[body("user_id")]);
        check(
            "submission_created",
            &["new_meta", "new"],
            &[metadata("new"), body("new")],
        );
    }

    #[test]
    fn a_column_that_cannot_be_filled_is_left_alone_unless_it_is_required() {
        let mut existing = ActualRelation {
            columns: vec![
                actual("event_time", "money"),
                actual("redirect_url", "text"),
            ],
            ..ActualRelation::default()
        };
        let table = table("logged_in");
        let adapted = table.adapted_as_it_is(&PostgresDialect, &existing).unwrap();
        assert_eq!(names(&adapted), ["redirect_url"]);
        existing
            .columns
            .iter_mut()
            .for_each(|column| column.is_required = true);
        let reason = table
            .adapted_as_it_is(&PostgresDialect, &existing)
            .unwrap_err();
        assert!(
            reason.contains("the column event_time of the table live_logged_in"),
            "{reason}"
        );
    }
}
