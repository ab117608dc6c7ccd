//! Values that Canvas stores in one column as an object or as a comma-separated list.
//!
//! Canvas's models turn a null column of this kind into an empty object or an empty list. The
//! triggers reject a non-object in an object column before a computation reads it. In a list
//! column, a string is split, and null becomes an empty list. Any other value is passed on unchanged.
//! The conversion to the event's field (`value.rs`) rejects it if it is not an array.

use serde_json::{Map, Value};

use crate::change_context::ChangeContext;

/// Returns the ids of the attached files. The column is a comma-separated string, an array, or null.
pub(super) fn attachment_ids(ctx: ChangeContext<'_>) -> Option<Value> {
    let parts = |text: &str| parts(text).map(Value::from).collect();
    list(ctx, "attachment_ids", parts)
}

/// Returns the names of the fields that an import does not overwrite, without duplicates.
pub(super) fn stuck_sis_fields(ctx: ChangeContext<'_>) -> Option<Value> {
    let names = |text: &str| {
        let mut names: Vec<Value> = Vec::new();
        for name in parts(text).map(Value::from) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    list(ctx, "stuck_sis_fields", names)
}

/// Returns the default restrictions that a blueprint uses. If `use_default_restrictions_by_type` is true,
/// these are the restrictions by type of content, otherwise those for all content.
pub(super) fn default_restrictions(ctx: ChangeContext<'_>) -> Option<Value> {
    let column = if ctx.is_true("use_default_restrictions_by_type") {
        "default_restrictions_by_type"
    } else {
        "default_restrictions"
    };
    object(ctx, column)
}

pub(super) fn integration_data(ctx: ChangeContext<'_>) -> Option<Value> {
    object(ctx, "integration_data")
}

pub(super) fn restrictions(ctx: ChangeContext<'_>) -> Option<Value> {
    object(ctx, "restrictions")
}

pub(super) fn settings(ctx: ChangeContext<'_>) -> Option<Value> {
    object(ctx, "settings")
}

/// Returns whether quizzes become New Quizzes: only if the setting is the boolean `true`.
pub(super) fn import_quizzes_next(ctx: ChangeContext<'_>) -> Option<Value> {
    let settings = ctx.object("migration_settings")?;
    Some((settings.get("import_quizzes_next") == Some(&Value::Bool(true))).into())
}

/// Returns the type of a migration: the column, or else the setting of the same name.
pub(super) fn migration_type(ctx: ChangeContext<'_>) -> Option<Value> {
    let column = ctx.get("migration_type");
    let mut settings = ctx.object("migration_settings").unwrap_or_default();
    let own = column.filter(|value| !value.is_null()).cloned();
    own.or_else(|| settings.remove("migration_type"))
        .or_else(|| column.cloned())
}

/// Returns the object `quizzes2` in `settings` of an export to New Quizzes. The event's body gets all
/// members of this object. If one is named `content_export_id`, the event's own field replaces it.
pub(super) fn quizzes2(ctx: ChangeContext<'_>) -> Option<Value> {
    match ctx.object("settings")?.remove("quizzes2") {
        None | Some(Value::Null) => Some(Value::Object(Map::new())),
        members => members,
    }
}

/// Returns all columns of the row.
pub(super) fn row(ctx: ChangeContext<'_>) -> Option<Value> {
    let row = ctx.whole_row()?;
    Some(Value::Object(row.0.clone()))
}

/// Returns the object in a column, or an empty object if the column is null.
fn object(ctx: ChangeContext<'_>, column: &str) -> Option<Value> {
    ctx.object(column).map(Value::Object)
}

/// Returns the list that `parse` makes from a string column, or an empty list if the column is null.
fn list(ctx: ChangeContext<'_>, column: &str, parse: impl Fn(&str) -> Vec<Value>) -> Option<Value> {
    match ctx.list(column)? {
        Value::Null => Some(Value::Array(Vec::new())),
        Value::String(text) => Some(parse(text).into()),
        stored => Some(stored.clone()),
    }
}

/// Returns the non-empty parts of a comma-separated string.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}
