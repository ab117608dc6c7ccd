//! The body of an event: each field from its column.

use std::borrow::Cow;

use easel_catalog::{Column, EventType, Field};
use serde_json::Value;

use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;
use crate::computed;
use crate::fault::Notes;
use crate::further::further;
use crate::json::ObjectWriter;
use crate::nearest::did_you_mean;
use crate::options::Nulls;
use crate::row::Row;
use crate::value::{convert, missing_text, null_text, with_ids_as_text};

/// What a column has.
enum ColumnValue<'a> {
    Value(Cow<'a, Value>, ChangePath<'a>),
    Null(ChangePath<'a>),
    /// The column is missing.
    Nothing(ChangePath<'a>),
}

/// Writes the members of the body of an event of this type.
pub(crate) fn body(
    event_type: &EventType,
    scene: ChangeContext<'_>,
    json: &mut ObjectWriter,
    notes: &mut Notes,
) {
    let is_kept = |value: &Value| !value.is_null() || scene.options.nulls == Nulls::Kept;
    for field in event_type.body {
        if let Some(value) = member(event_type, field, scene, notes).filter(|it| is_kept(it)) {
            json.member(field.name, &value);
        }
    }
    let members = further(event_type, scene, notes).unwrap_or_default();
    for (name, value) in &members {
        let value = with_ids_as_text(name, value);
        if is_kept(&value) && !scene.change.body.0.contains_key(name) {
            json.member(name, &value);
        }
    }
    for (name, value) in &scene.change.body.0 {
        let place = ChangePath::Member("/body", name);
        if event_type.body.iter().any(|field| field.name == name) {
            let what = format!("`{name}` is made of the record; it cannot be in `body`");
            notes.fault(place, what);
        } else if event_type.open {
            let value = with_ids_as_text(name, value);
            if is_kept(&value) {
                json.member(name, &value);
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

/// A field's value; none when the event does not have the field.
fn member<'a>(
    event_type: &'a EventType,
    field: &'a Field,
    scene: ChangeContext<'a>,
    notes: &mut Notes,
) -> Option<Cow<'a, Value>> {
    let found = match field.old {
        Some(current) if field.from.is_empty() => find_before(event_type, current, scene),
        _ => find(field, scene, notes)?,
    };
    let value = match found {
        ColumnValue::Value(Cow::Borrowed(value), place) => {
            convert(field, value, place, scene.options, notes)?
        }
        ColumnValue::Value(Cow::Owned(value), place) => {
            Cow::Owned(convert(field, &value, place, scene.options, notes)?.into_owned())
        }
        ColumnValue::Null(place) if is_own_id(field) => {
            notes.fault(place, format!("this is null; `{}` needs it", field.name));
            return None;
        }
        ColumnValue::Null(place) if field.is_always_there() => {
            notes.warn(place, null_text(field));
            return Some(Cow::Owned(Value::Null));
        }
        ColumnValue::Nothing(place) if field.is_always_there() => {
            notes.fault(place, missing_text(field));
            return None;
        }
        ColumnValue::Null(_) if field.null && field.when.is_none() => {
            return Some(Cow::Owned(Value::Null));
        }
        // A rule that lacks a related row has no value; the columns of the record may be null.
        ColumnValue::Nothing(place @ ChangePath::Computed(..))
            if field.published && field.when.is_none() =>
        {
            notes.warn(place, missing_text(field));
            return None;
        }
        ColumnValue::Null(_) | ColumnValue::Nothing(_) => return None,
    };
    // A conditional `old_*` field is emitted only if the value it describes changed.
    if let (Some(current), Some(_)) = (field.old, field.when) {
        let is_another = scene.changed(column_of(event_type, current));
        return Some(value).filter(|_| is_another);
    }
    Some(value)
}

/// Whether a field is the id of the record itself.
fn is_own_id(field: &Field) -> bool {
    match field.from.first() {
        Some(Column::Own(column)) => *column == "id",
        Some(_) => false,
        None => field.name == "id",
    }
}

/// The column of the record that a field is made of.
pub(crate) fn column_of(event_type: &EventType, field: &str) -> &'static str {
    let field = event_type.body.iter().find(|it| it.name == field);
    match field.map(|it| (it, it.from.first())) {
        Some((_, Some(Column::Own(column)))) => column,
        Some((it, _)) => it.name,
        None => "",
    }
}

/// What another field was made of before the change; where nothing was, null.
fn find_before<'a>(
    event_type: &EventType,
    field: &str,
    scene: ChangeContext<'a>,
) -> ColumnValue<'a> {
    let column = column_of(event_type, field);
    let place = ChangePath::Member("/before", column);
    match find_in(scene.change.before.as_ref(), column, place) {
        ColumnValue::Nothing(place) => ColumnValue::Null(place),
        found => found,
    }
}

/// What a field is made of; none where a fault is noted.
fn find<'a>(
    field: &'a Field,
    scene: ChangeContext<'a>,
    notes: &mut Notes,
) -> Option<ColumnValue<'a>> {
    let mut first = None;
    if field.from.is_empty() {
        return Some(find_one(&Column::Own(field.name), scene));
    }
    for (index, column) in field.from.iter().enumerate() {
        if let Column::Word(_) | Column::Flag(_) = column {
            check_related(field, index, scene, notes)?;
        }
        let found = find_one(column, scene);
        if let ColumnValue::Value(..) = found {
            return Some(found);
        }
        // Null says more than a missing column.
        match (&first, &found) {
            (None | Some(ColumnValue::Nothing(_)), ColumnValue::Null(_)) | (None, _) => {
                first = Some(found)
            }
            _ => (),
        }
    }
    check_related(field, field.from.len(), scene, notes)?;
    Some(first.unwrap_or_else(|| ColumnValue::Nothing(ChangePath::At(scene.change.row_place()))))
}

/// Refuses a change in which a related record is named but missing that a published field is made
/// of, by its first `places` places.
fn check_related(
    field: &Field,
    places: usize,
    scene: ChangeContext<'_>,
    notes: &mut Notes,
) -> Option<()> {
    // A field of a context is made of the record `context`, or of `course` and the like: one of
    // these records is enough, also where its column is null.
    let has_row = |column: &Column| match *column {
        Column::Beside(related, _) => scene.related(related).is_some(),
        _ => false,
    };
    if field.from.iter().any(has_row) {
        return Some(());
    }
    let mut is_complete = true;
    for column in field.from.iter().take(places) {
        let Column::Beside(related, _) = *column else {
            continue;
        };
        if !field.published || scene.related(related).is_some() || !scene.names(related) {
            continue;
        }
        let name = field.name;
        let what = format!("this is missing, though its id is given; `{name}` needs it");
        notes.fault(ChangePath::Member("/related", related), what);
        is_complete = false;
    }
    is_complete.then_some(())
}

fn find_one<'a>(column: &Column, scene: ChangeContext<'a>) -> ColumnValue<'a> {
    let always = |value: Value| ColumnValue::Value(Cow::Owned(value), ChangePath::Nowhere);
    let place = scene.change.row_place();
    match *column {
        Column::Own(column) => find_in(
            scene.change.row(),
            column,
            ChangePath::Member(place, column),
        ),
        Column::Earlier(column) => {
            let place = ChangePath::Member("/before", column);
            find_in(scene.change.before.as_ref(), column, place)
        }
        Column::Beside(related, column) => {
            let place = ChangePath::Related(related, column);
            let row = scene.related(related).map(|related| related.row);
            find_in(row, column, place)
        }
        Column::ComputedBy(rule) => match computed::rule(rule).and_then(|work| work(scene)) {
            None => ColumnValue::Nothing(ChangePath::Computed(rule, scene)),
            Some(Value::Null) => ColumnValue::Null(ChangePath::Computed(rule, scene)),
            Some(value) => ColumnValue::Value(Cow::Owned(value), ChangePath::Computed(rule, scene)),
        },
        Column::Word(text) => always(text.into()),
        Column::Flag(truth) => always(truth.into()),
    }
}

fn find_in<'a>(row: Option<&'a Row>, column: &str, place: ChangePath<'a>) -> ColumnValue<'a> {
    match row.and_then(|row| row.get(column)) {
        None => ColumnValue::Nothing(place),
        Some(Value::Null) => ColumnValue::Null(place),
        Some(value) => ColumnValue::Value(Cow::Borrowed(value), place),
    }
}
