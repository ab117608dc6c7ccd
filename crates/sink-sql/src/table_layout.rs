//! Which table an event belongs to, and the rows of that table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use easel_catalog::{Catalog, Privacy};

use crate::json_text::NotJson;
use crate::observed::ObservedFields;
use crate::sql_column::has_privacy;
use crate::sql_row::{EventFacts, SqlRow};
use crate::sql_table::SqlTable;

/// How events are spread over tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableLayout {
    /// A table per event type, with a column per field.
    #[default]
    Typed,
    /// One table for all events, with the whole body in one column.
    Wide,
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
        }
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
        }
    }

    /// Returns every table that the catalogue alone defines.
    pub fn catalog_tables(&self) -> Vec<SqlTable> {
        let observed = ObservedFields::default();
        match self.layout {
            TableLayout::Wide => vec![self.table_of("", &observed)],
            TableLayout::Typed => {
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
        SqlRow::from_event(table, facts, event, excluded)
    }
}
