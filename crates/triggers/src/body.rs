//! Writes the body of an event: each field from its column.

use std::borrow::Cow;

use easel_catalog::{Column, EventType, Field, JsonWriter};
use serde_json::Value;

use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;
use crate::computed;
use crate::fault::Notes;
use crate::further::further;
use crate::nearest::did_you_mean;
use crate::options::Nulls;
use crate::row::Row;
use crate::value::{convert, missing_text, null_text, with_ids_as_text};

/// The content of a column, and where it is in the change.
enum ColumnValue<'a> {
    Value(Cow<'a, Value>, ChangePath<'a>),
    Null(ChangePath<'a>),
    /// The column is missing.
    Missing(ChangePath<'a>),
}

/// Writes the members of the body of an event of type `event_type`.
pub(crate) fn body(
    event_type: &EventType,
    ctx: ChangeContext<'_>,
    json: &mut JsonWriter,
    notes: &mut Notes,
) {
    let is_kept = |value: &Value| !value.is_null() || ctx.options.nulls == Nulls::Kept;
    for field in event_type.body {
        if let Some(value) = member(event_type, field, ctx, notes).filter(|value| is_kept(value)) {
            json.field(field.name, &value);
        }
    }
    let members = further(event_type, ctx, notes).unwrap_or_default();
    for (name, value) in &members {
        let value = with_ids_as_text(name, value);
        if is_kept(&value) && !ctx.change.body.0.contains_key(name) {
            json.field(name, &value);
        }
    }
    for (name, value) in &ctx.change.body.0 {
        let place = ChangePath::Member("/body", name);
        if event_type.body.iter().any(|field| field.name == name) {
            let what = format!("`{name}` comes from the record; it must not be in `body`");
            notes.fault(place, what);
        } else if event_type.open {
            let value = with_ids_as_text(name, value);
            if is_kept(&value) {
                json.field(name, &value);
            }
        } else if notes.have_room() {
            let names = event_type.body.iter().map(|field| field.name);
            let what = format!(
                "{} has no field {name:?}, so this is left out{}",
                event_type.name,
                did_you_mean(name, names)
            );
            notes.warn(place, what);
        }
    }
}

/// Returns the value of a field. `None` if the event does not have the field.
fn member<'a>(
    event_type: &'a EventType,
    field: &'a Field,
    ctx: ChangeContext<'a>,
    notes: &mut Notes,
) -> Option<Cow<'a, Value>> {
    let found = match field.old_value_of {
        Some(current) if field.from.is_empty() => find_before(event_type, current, ctx),
        _ => find(field, ctx, notes)?,
    };
    let value = match found {
        ColumnValue::Value(Cow::Borrowed(value), place) => {
            convert(field, value, place, ctx.options, notes)?
        }
        ColumnValue::Value(Cow::Owned(value), place) => {
            Cow::Owned(convert(field, &value, place, ctx.options, notes)?.into_owned())
        }
        ColumnValue::Null(place) if is_own_id(field) => {
            notes.fault(place, format!("this is null; `{}` needs it", field.name));
            return None;
        }
        ColumnValue::Null(place) if field.is_required() => {
            notes.warn(place, null_text(field));
            return Some(Cow::Owned(Value::Null));
        }
        ColumnValue::Missing(place) if field.is_required() => {
            notes.fault(place, missing_text(field));
            return None;
        }
        ColumnValue::Null(_) if field.can_be_null && field.when.is_none() => {
            return Some(Cow::Owned(Value::Null));
        }
        // A computed value can be missing because a related row is missing. That is only a warning.
        ColumnValue::Missing(place @ ChangePath::Computed(..))
            if field.published && field.when.is_none() =>
        {
            notes.warn(place, missing_text(field));
            return None;
        }
        ColumnValue::Null(_) | ColumnValue::Missing(_) => return None,
    };
    // Emit a conditional `old_*` field only if the value it describes changed.
    if let (Some(current), Some(_)) = (field.old_value_of, field.when) {
        let has_changed = ctx.changed(column_of(event_type, current));
        return Some(value).filter(|_| has_changed);
    }
    Some(value)
}

/// Returns whether a field is the id of the row itself.
fn is_own_id(field: &Field) -> bool {
    match field.from.first() {
        Some(Column::Own(column)) => *column == "id",
        Some(_) => false,
        None => field.name == "id",
    }
}

/// Returns the column of the row that the field of this name comes from.
pub(crate) fn column_of(event_type: &EventType, name: &str) -> &'static str {
    let field = event_type.body.iter().find(|field| field.name == name);
    match field.map(|field| (field, field.from.first())) {
        Some((_, Some(Column::Own(column)))) => column,
        Some((field, _)) => field.name,
        None => "",
    }
}

/// Returns the value that `field` had before the change. Null if there was no row.
fn find_before<'a>(event_type: &EventType, field: &str, ctx: ChangeContext<'a>) -> ColumnValue<'a> {
    let column = column_of(event_type, field);
    let place = ChangePath::Member("/before", column);
    match find_in(ctx.change.before.as_ref(), column, place) {
        ColumnValue::Missing(place) => ColumnValue::Null(place),
        found => found,
    }
}

/// Returns the content of the first column of `field` that has a value. `None` after a fault.
fn find<'a>(
    field: &'a Field,
    ctx: ChangeContext<'a>,
    notes: &mut Notes,
) -> Option<ColumnValue<'a>> {
    let mut fallback = None;
    if field.from.is_empty() {
        return Some(find_one(&Column::Own(field.name), ctx));
    }
    for (index, column) in field.from.iter().enumerate() {
        if let Column::Word(_) | Column::Flag(_) = column {
            check_related(field, index, ctx, notes)?;
        }
        let found = find_one(column, ctx);
        if let ColumnValue::Value(..) = found {
            return Some(found);
        }
        // Prefer a null over a missing column.
        match (&fallback, &found) {
            (None | Some(ColumnValue::Missing(_)), ColumnValue::Null(_)) | (None, _) => {
                fallback = Some(found);
            }
            _ => (),
        }
    }
    check_related(field, field.from.len(), ctx, notes)?;
    Some(fallback.unwrap_or_else(|| ColumnValue::Missing(ChangePath::At(ctx.change.row_pointer()))))
}

/// Checks the related rows of the first `column_count` columns of a published field. Notes a fault for each
/// row that is missing although its id is present. Returns `None` after a fault.
fn check_related(
    field: &Field,
    column_count: usize,
    ctx: ChangeContext<'_>,
    notes: &mut Notes,
) -> Option<()> {
    // A field about a context comes from the related row `context`, or from `course` and the like.
    // One of these rows is enough, even if its column is null.
    let has_row = |column: &Column| match *column {
        Column::Related(related, _) => ctx.related(related).is_some(),
        _ => false,
    };
    if field.from.iter().any(has_row) {
        return Some(());
    }
    let mut is_complete = true;
    for column in field.from.iter().take(column_count) {
        let Column::Related(related, _) = *column else {
            continue;
        };
        if !field.published || ctx.related(related).is_some() || !ctx.has_foreign_key(related) {
            continue;
        }
        let name = field.name;
        let what =
            format!("this row is missing, but its id is given; the field `{name}` needs the row");
        notes.fault(ChangePath::Member("/related", related), what);
        is_complete = false;
    }
    is_complete.then_some(())
}

fn find_one<'a>(column: &Column, ctx: ChangeContext<'a>) -> ColumnValue<'a> {
    let constant = |value: Value| ColumnValue::Value(Cow::Owned(value), ChangePath::Nowhere);
    let place = ctx.change.row_pointer();
    match *column {
        Column::Own(column) => find_in(ctx.change.row(), column, ChangePath::Member(place, column)),
        Column::Before(column) => {
            let place = ChangePath::Member("/before", column);
            find_in(ctx.change.before.as_ref(), column, place)
        }
        Column::Related(related, column) => {
            let place = ChangePath::Related(related, column);
            let row = ctx.related(related).map(|related| related.row);
            find_in(row, column, place)
        }
        Column::ComputedBy(name) => match computed::computation(name)
            .and_then(|compute| compute(ctx))
        {
            None => ColumnValue::Missing(ChangePath::Computed(name, ctx)),
            Some(Value::Null) => ColumnValue::Null(ChangePath::Computed(name, ctx)),
            Some(value) => ColumnValue::Value(Cow::Owned(value), ChangePath::Computed(name, ctx)),
        },
        Column::Word(text) => constant(text.into()),
        Column::Flag(truth) => constant(truth.into()),
    }
}

fn find_in<'a>(row: Option<&'a Row>, column: &str, place: ChangePath<'a>) -> ColumnValue<'a> {
    match row.and_then(|row| row.get(column)) {
        None => ColumnValue::Missing(place),
        Some(Value::Null) => ColumnValue::Null(place),
        Some(value) => ColumnValue::Value(Cow::Borrowed(value), place),
    }
}
