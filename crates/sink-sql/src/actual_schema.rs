//! The tables that a database has.

use std::collections::BTreeMap;

/// The tables and views of a schema. It is empty if the schema does not exist.
#[derive(Clone, Debug, Default)]
pub struct ActualSchema {
    /// True if the schema exists.
    pub exists: bool,
    /// The tables and views, by name.
    pub relations: BTreeMap<String, ActualRelation>,
}

/// A table or a view.
#[derive(Clone, Debug, Default)]
pub struct ActualRelation {
    /// True for a view.
    pub is_view: bool,
    /// The comment.
    pub comment: Option<String>,
    /// The columns, in order.
    pub columns: Vec<ActualColumn>,
}

/// A column of a table or a view.
#[derive(Clone, Debug)]
pub struct ActualColumn {
    /// The name.
    pub name: String,
    /// The name of the type, as the database shows it.
    pub type_name: String,
    /// True if the database computes the values.
    pub is_generated: bool,
    /// True if the database numbers the rows with it: an identity, or the next value of a sequence.
    pub is_numbered: bool,
    /// True if a row must have a value, and there is no default.
    pub is_required: bool,
    /// The comment.
    pub comment: Option<String>,
}

impl ActualRelation {
    /// Returns the column with this name.
    pub fn column(&self, name: &str) -> Option<&ActualColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}
