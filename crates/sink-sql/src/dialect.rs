//! The seam between tables and a database: the statements that define tables and views.
//!
//! Everything above this seam is the same for every database. A second database is a second
//! implementation of [`SqlDialect`].

mod postgres;

use std::borrow::Cow;

use crate::sql_column::SqlColumn;
use crate::sql_table::SqlTable;
use crate::sql_type::SqlType;

pub use postgres::PostgresDialect;

/// The type of a column in a database, compared with the types that Easel writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActualType {
    /// Easel writes this type.
    Same(SqlType),
    /// A smaller form of this type. It can be widened without loss.
    Narrow(SqlType),
    /// Easel does not write this type.
    Foreign,
}

/// A table or view in a schema.
#[derive(Clone, Copy, Debug)]
pub struct Relation<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The name.
    pub name: &'a str,
}

/// Writes the statements of one kind of database.
pub trait SqlDialect {
    /// Returns the name in quotes.
    fn quote(&self, name: &str) -> String;

    /// Returns the text as a literal.
    fn literal(&self, text: &str) -> String;

    /// Returns the name of a type.
    fn type_name(&self, sql_type: SqlType) -> Cow<'static, str>;

    /// Reads the name of a type, as the database shows it.
    fn actual_type(&self, name: &str) -> ActualType;

    /// Reads the name of a type of a column that Easel fills as it is. `None` if Easel does not write the type.
    fn exact_type(&self, name: &str) -> Option<SqlType>;

    /// Creates the schema with the tables for cursors and migrations, if they are missing.
    fn create_schema(&self, schema: &str) -> String;

    /// Returns the statements that create the tables of positions and changes, unless they exist.
    fn create_own_tables(&self, schema: &str) -> Vec<String>;

    /// Creates a table with its index and comments.
    fn create_table(&self, schema: &str, table: &SqlTable) -> Vec<String>;

    /// Adds a column with its comment.
    fn add_column(&self, table: Relation<'_>, column: &SqlColumn) -> Vec<String>;

    /// Changes the type of a column to a wider one.
    fn widen_column(&self, table: Relation<'_>, column: &str, sql_type: SqlType) -> String;

    /// Changes the comment of a table.
    fn comment_on_table(&self, table: Relation<'_>, comment: &str) -> String;

    /// Changes the comment of a column.
    fn comment_on_column(&self, table: Relation<'_>, column: &SqlColumn) -> String;

    /// Renames a table.
    fn rename_table(&self, table: Relation<'_>, new_name: &str) -> String;

    /// Creates a view with its comment. A view with this name is replaced.
    fn create_view(&self, view: Relation<'_>, query: &str, comment: &str) -> Vec<String>;

    /// Drops a view if there is one.
    fn drop_view(&self, view: Relation<'_>) -> String;

    /// Returns a query for the first row of each `key` in the order `order`. The source is a table or a query in
    /// parentheses with a name.
    fn first_per_key(&self, source: &str, key: &str, order: &str) -> String;

    /// Returns an expression for the day of a moment, in UTC.
    fn day_of(&self, column: &str) -> String;

    /// Returns the schema and name in quotes.
    fn relation(&self, relation: Relation<'_>) -> String {
        format!(
            "{}.{}",
            self.quote(relation.schema),
            self.quote(relation.name)
        )
    }
}
