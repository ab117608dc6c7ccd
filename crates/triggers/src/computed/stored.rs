//! Values that Canvas stores in one column as an object or as a list with commas.
//!
//! Canvas's models turn a null column of this kind into an empty object or an empty list. A column
//! of an object that holds something else is rejected before a rule reads it; a list that is neither
//! a text nor an array is passed on as it is, and its field rejects it.

use serde_json::{Map, Value};

use crate::change_context::ChangeContext;

/// The ids of the attached files: a text with commas, or null.
pub(super) fn attachment_ids(scene: ChangeContext<'_>) -> Option<Value> {
    let parts = |text: &str| parts(text).map(Value::from).collect();
    list(scene, "attachment_ids", parts)
}

/// The names of the fields that an import leaves alone: a set, so each name comes once.
pub(super) fn stuck_sis_fields(scene: ChangeContext<'_>) -> Option<Value> {
    let names = |text: &str| {
        let mut names: Vec<Value> = Vec::new();
        for name in parts(text).map(Value::from) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    list(scene, "stuck_sis_fields", names)
}

/// The restrictions of a blueprint that are in use.
pub(super) fn default_restrictions(scene: ChangeContext<'_>) -> Option<Value> {
    let column = if scene.is_true("use_default_restrictions_by_type") {
        "default_restrictions_by_type"
    } else {
        "default_restrictions"
    };
    object(scene, column)
}

pub(super) fn integration_data(scene: ChangeContext<'_>) -> Option<Value> {
    object(scene, "integration_data")
}

pub(super) fn restrictions(scene: ChangeContext<'_>) -> Option<Value> {
    object(scene, "restrictions")
}

pub(super) fn settings(scene: ChangeContext<'_>) -> Option<Value> {
    object(scene, "settings")
}

/// Whether quizzes become New Quizzes: only where the settings hold exactly `true`.
pub(super) fn import_quizzes_next(scene: ChangeContext<'_>) -> Option<Value> {
    let settings = scene.object("migration_settings")?;
    Some((settings.get("import_quizzes_next") == Some(&Value::Bool(true))).into())
}

/// The type of a migration: the column, else the setting of the same name.
pub(super) fn migration_type(scene: ChangeContext<'_>) -> Option<Value> {
    let column = scene.get("migration_type");
    let mut settings = scene.object("migration_settings").unwrap_or_default();
    let own = column.filter(|it| !it.is_null()).cloned();
    own.or_else(|| settings.remove("migration_type"))
        .or_else(|| column.cloned())
}

/// What an export told New Quizzes: the members of the body beside the id of the export.
pub(super) fn quizzes2(scene: ChangeContext<'_>) -> Option<Value> {
    match scene.object("settings")?.remove("quizzes2") {
        None | Some(Value::Null) => Some(Value::Object(Map::new())),
        members => members,
    }
}

/// All columns of the row: whatever the caller gave.
pub(super) fn row(scene: ChangeContext<'_>) -> Option<Value> {
    let row = scene.whole_row()?;
    Some(Value::Object(row.0.clone()))
}

/// The object in a column; an empty one where the column is null.
fn object(scene: ChangeContext<'_>, column: &str) -> Option<Value> {
    scene.object(column).map(Value::Object)
}

/// The list in a column that holds a text; an empty one where the column is null.
fn list(
    scene: ChangeContext<'_>,
    column: &str,
    read: impl Fn(&str) -> Vec<Value>,
) -> Option<Value> {
    match scene.list(column)? {
        Value::Null => Some(Value::Array(Vec::new())),
        Value::String(text) => Some(read(text).into()),
        stored => Some(stored.clone()),
    }
}

/// The parts of a text between its commas, but for empty ones.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}
