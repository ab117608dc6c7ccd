//! A column of a table.

use easel_catalog::{Field, IdScope, Kind, Privacy};

use crate::sql_type::SqlType;
use crate::sql_value::FieldShape;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlColumn {
    /// The name.
    pub name: String,
    /// The type.
    pub sql_type: SqlType,
    /// Where its values come from.
    pub source: ColumnSource,
    /// What its values mean.
    pub comment: String,
    /// How closely its values relate to a person.
    pub privacy: Privacy,
}

/// Where the values of a column come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSource {
    /// The offset of the event in the log.
    Offset,
    /// The id of the event.
    EventId,
    /// The event type.
    EventName,
    /// When the event happened.
    EventTime,
    /// When Easel received the event.
    ReceivedAt,
    /// When the event happened, on the clock of a time zone.
    LocalEventTime,
    /// When Easel received the event, on the clock of a time zone.
    LocalReceivedAt,
    /// The database: a number that rises with every row.
    RowNumber,
    /// The metadata field with this name.
    Metadata(String),
    /// The body field with this name.
    Body(String),
    /// The whole body.
    WholeBody,
    /// The database: the local id of the global id in the column with this name.
    LocalIdOf(String),
    /// Everything that no other column holds.
    Extra,
}

/// A field that has a column, or that must not have one.
#[derive(Clone, Debug)]
pub(crate) struct KnownField {
    /// The key in the event.
    pub(crate) name: String,
    /// What its values are expected to be.
    pub(crate) shape: FieldShape,
    /// Where its values go.
    pub(crate) place: FieldPlace,
}

/// Where the values of a field go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldPlace {
    /// To the column with this index.
    Column(usize),
    /// To the column `extra`, because the target's column cannot be filled.
    Extra,
    /// Nowhere, because fields of its privacy class are excluded.
    Excluded,
    /// The metadata field `event_time`.
    EventTime,
    /// The metadata field `event_name`.
    EventName,
}

impl SqlColumn {
    /// Returns true if Easel writes the values of the column. Otherwise the database computes them.
    pub const fn is_written(&self) -> bool {
        !matches!(
            self.source,
            ColumnSource::LocalIdOf(_) | ColumnSource::RowNumber
        )
    }

    /// Returns true if no row can lack a value.
    pub const fn is_key(&self) -> bool {
        matches!(self.source, ColumnSource::Offset)
    }
}

/// Returns true if a field, or a field within, is in one of these classes.
pub(crate) fn has_privacy(field: &Field, classes: &[Privacy]) -> bool {
    classes.contains(&field.privacy)
        || field
            .kind
            .fields()
            .iter()
            .any(|inner| has_privacy(inner, classes))
}

/// Returns true if the values of a field are global ids.
pub(crate) const fn is_global_id(field: &Field) -> bool {
    matches!(&field.kind, Kind::Id(id) if matches!(id.scope, IdScope::Global))
}
