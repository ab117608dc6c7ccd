//! Which table an event belongs to, and the rows of that table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use easel_catalog::{Catalog, Privacy};
use jiff::tz::TimeZone;

use crate::actual_schema::ActualSchema;
use crate::dialect::SqlDialect;
use crate::json_text::NotJson;
use crate::observed::ObservedFields;
use crate::sql_column::has_privacy;
use crate::sql_name::{STREAM_TABLE, WIDE_TABLE, ledbelly_table_name, table_name};
use crate::sql_row::{EventFacts, RowRules, SqlRow};
use crate::sql_table::SqlTable;

/// How events are spread over tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableLayout {
    /// A table per event type, with a column per field.
    #[default]
    Typed,
    /// One table for all events, with the whole body in one column.
    Wide,
    /// A table per event type, with the names and columns of `LEDbelly`. Tables that exist stay as they are.
    Ledbelly,
}

/// The tables for the events of a catalogue.
#[derive(Clone, Debug)]
pub struct EventTables {
    catalog: Arc<Catalog>,
    layout: TableLayout,
    excluded: Vec<Privacy>,
    /// The body fields that the wide layout leaves out, by event type.
    excluded_body: HashMap<&'static str, HashSet<&'static str>>,
    nothing_excluded: HashSet<&'static str>,
    /// The time zone of columns with local times.
    time_zone: TimeZone,
}

impl EventTables {
    /// Returns the tables of a layout. Fields of the privacy classes `excluded` are not stored.
    ///
    /// Fields that the catalogue does not know have no privacy class, so they are always stored.
    pub fn new(catalog: Arc<Catalog>, layout: TableLayout, excluded: Vec<Privacy>) -> Self {
        let excluded_body = catalog.types().iter().map(|event_type| {
            let fields = event_type.body.iter();
            let fields = fields.filter(|field| has_privacy(field, &excluded));
            (event_type.name, fields.map(|field| field.name).collect())
        });
        Self {
            excluded_body: excluded_body.collect(),
            nothing_excluded: HashSet::new(),
            catalog,
            layout,
            excluded,
            time_zone: TimeZone::system(),
        }
    }

    /// Sets the time zone of the columns with local times, which the layout `ledbelly` has. Without a call,
    /// it is the time zone of the system.
    #[must_use]
    pub fn with_time_zone(self, time_zone: TimeZone) -> Self {
        Self { time_zone, ..self }
    }

    /// Returns the layout.
    pub const fn layout(&self) -> TableLayout {
        self.layout
    }

    /// Returns the catalogue.
    pub const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Returns true if the columns of the event type's table are known without looking at events.
    pub fn knows(&self, event_type: &str) -> bool {
        self.layout == TableLayout::Wide || self.catalog.get(event_type).is_some()
    }

    /// Returns the table of an event type. If the catalogue does not know the event type, the table has the
    /// columns of the fields `observed`.
    pub fn table_of(&self, event_type: &str, observed: &ObservedFields) -> SqlTable {
        let metadata = self.catalog.metadata();
        match (self.layout, self.catalog.get(event_type)) {
            (TableLayout::Wide, _) => SqlTable::wide(metadata, &self.excluded),
            (TableLayout::Typed, Some(event_type)) => {
                SqlTable::of_event_type(event_type, metadata, &self.excluded)
            }
            (TableLayout::Typed, None) => {
                SqlTable::of_observed(event_type, observed, metadata, &self.excluded)
            }
            (TableLayout::Ledbelly, Some(event_type)) => {
                SqlTable::of_ledbelly(event_type, metadata, &self.excluded)
            }
            (TableLayout::Ledbelly, None) => {
                SqlTable::of_ledbelly_observed(event_type, observed, metadata, &self.excluded)
            }
        }
    }

    /// Returns the name of the table of an event type.
    pub fn name_of_table(&self, event_type: &str) -> String {
        match self.layout {
            TableLayout::Typed => table_name(event_type),
            TableLayout::Wide => WIDE_TABLE.to_owned(),
            TableLayout::Ledbelly => ledbelly_table_name(event_type),
        }
    }

    /// Returns the table with one row per event. `None` if the tables of events hold everything themselves.
    pub(crate) fn register(&self) -> Option<SqlTable> {
        (self.layout == TableLayout::Ledbelly).then(SqlTable::register)
    }

    /// Returns the table that has the events of all event types a second time, if the layout has such a table
    /// and the database has it.
    pub(crate) fn stream(
        &self,
        dialect: &impl SqlDialect,
        actual: &ActualSchema,
    ) -> Result<Option<SqlTable>, String> {
        let existing = actual.relations.get(STREAM_TABLE);
        let existing =
            existing.filter(|stream| self.layout == TableLayout::Ledbelly && !stream.is_view);
        existing
            .map(|existing| {
                let metadata = self.catalog.metadata();
                SqlTable::ledbelly_stream(dialect, existing, metadata, &self.excluded)
            })
            .transpose()
    }

    /// Returns every table of events that the catalogue alone defines.
    pub fn catalog_tables(&self) -> Vec<SqlTable> {
        let observed = ObservedFields::default();
        match self.layout {
            TableLayout::Wide => vec![self.table_of("", &observed)],
            TableLayout::Typed | TableLayout::Ledbelly => {
                let event_types = self.catalog.types().iter();
                event_types
                    .map(|event_type| self.table_of(event_type.name, &observed))
                    .collect()
            }
        }
    }

    /// Returns the row of an event in its table.
    pub fn row<'a>(
        &self,
        table: &SqlTable,
        facts: EventFacts<'_>,
        event: &'a [u8],
    ) -> Result<SqlRow<'a>, NotJson> {
        let excluded = self.excluded_body.get(facts.event_type);
        let excluded = excluded.unwrap_or(&self.nothing_excluded);
        let rules = RowRules {
            excluded_body: excluded,
            time_zone: &self.time_zone,
        };
        SqlRow::from_event(table, facts, event, rules)
    }
}
