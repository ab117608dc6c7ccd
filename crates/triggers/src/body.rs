//! The body of an event: each field from its column.

use std::borrow::Cow;

use easel_catalog::{Column, EventType, Field};
use serde_json::Value;

use crate::fault::ChangeFault;
use crate::further::further;
use crate::json::Json;
use crate::options::Nulls;
use crate::place::Place;
use crate::row::Row;
use crate::scene::Scene;
use crate::value::{convert, with_ids_as_text};
use crate::worked;

/// What there is of a field.
enum Given<'a> {
    Value(Cow<'a, Value>, Place<'a>),
    /// It is null, there.
    Null(Place<'a>),
    /// It is not there, where it should have been.
    Nothing(Place<'a>),
}

/// Writes the members of the body of an event of this type.
pub(crate) fn body(of: &EventType, scene: Scene<'_>, json: &mut Json) -> Result<(), ChangeFault> {
    let is_kept = |value: &Value| !value.is_null() || scene.options.nulls == Nulls::Kept;
    for field in of.body {
        if let Some(value) = member(of, field, scene)?.filter(|it| is_kept(it)) {
            json.member(field.name, &value);
        }
    }
    for (name, value) in &further(of, scene)? {
        let value = with_ids_as_text(name, value);
        if is_kept(&value) && !scene.change.body.0.contains_key(name) {
            json.member(name, &value);
        }
    }
    let further = &scene.change.body;
    if !of.open && !further.0.is_empty() {
        let what = format!(
            "the body of {} is known whole; nothing is added to it",
            of.name
        );
        return Err(ChangeFault::new("/body", what));
    }
    for (name, value) in &further.0 {
        if of.body.iter().any(|it| it.name == name) {
            let what = format!("`{name}` is made of the record, and cannot be given");
            return Err(ChangeFault::new(Place::Member("/body", name), what));
        }
        let value = with_ids_as_text(name, value);
        if is_kept(&value) {
            json.member(name, &value);
        }
    }
    Ok(())
}

/// A field's value; none when the event does not have the field.
fn member<'a>(
    of: &'a EventType,
    field: &'a Field,
    scene: Scene<'a>,
) -> Result<Option<Cow<'a, Value>>, ChangeFault> {
    let given = match field.old {
        Some(of_field) if field.from.is_empty() => given_before(of, of_field, scene),
        _ => given(field, scene)?,
    };
    let value = match given {
        Given::Value(Cow::Borrowed(value), at) => convert(field, value, at, scene.options)?,
        Given::Value(Cow::Owned(value), at) => {
            Cow::Owned(convert(field, &value, at, scene.options)?.into_owned())
        }
        Given::Null(at) if field.is_always_there() => {
            let what = format!("this is null, and `{}` is made of it", field.name);
            return Err(ChangeFault::new(at, what));
        }
        Given::Nothing(at) if field.is_always_there() => {
            let what = format!("this is missing; `{}` is made of it", field.name);
            return Err(ChangeFault::new(at, what));
        }
        Given::Null(_) if field.null && field.when.is_none() => {
            return Ok(Some(Cow::Owned(Value::Null)));
        }
        Given::Null(_) | Given::Nothing(_) => return Ok(None),
    };
    // What is told under a condition of what was before is told when it was another.
    if let (Some(of_field), Some(_)) = (field.old, field.when) {
        let is_another = scene.changed(column_of(of, of_field));
        return Ok(Some(value).filter(|_| is_another));
    }
    Ok(Some(value))
}

/// The column of the record that a field is made of.
fn column_of(of: &EventType, field: &str) -> &'static str {
    let field = of.body.iter().find(|it| it.name == field);
    match field.map(|it| (it, it.from.first())) {
        Some((_, Some(Column::Own(column)))) => column,
        Some((it, _)) => it.name,
        None => "",
    }
}

/// What another field was made of before the change; where nothing was, null.
fn given_before<'a>(of: &EventType, field: &str, scene: Scene<'a>) -> Given<'a> {
    let column = column_of(of, field);
    let at = Place::Member("/before", column);
    match of_row(scene.change.before.as_ref(), column, at) {
        Given::Nothing(at) => Given::Null(at),
        given => given,
    }
}

fn given<'a>(field: &'a Field, scene: Scene<'a>) -> Result<Given<'a>, ChangeFault> {
    let mut first = None;
    if field.from.is_empty() {
        return Ok(one(field, &Column::Own(field.name), scene));
    }
    for (index, column) in field.from.iter().enumerate() {
        if let Column::Word(_) | Column::Flag(_) = column {
            check_related(field, index, scene)?;
        }
        let given = one(field, column, scene);
        if let Given::Value(..) = given {
            return Ok(given);
        }
        // That something is null says more than that it is not there.
        match (&first, &given) {
            (None | Some(Given::Nothing(_)), Given::Null(_)) | (None, _) => first = Some(given),
            _ => (),
        }
    }
    check_related(field, field.from.len(), scene)?;
    Ok(first.unwrap_or_else(|| Given::Nothing(Place::At(scene.change.row_place()))))
}

/// Refuses a change in which a record is named but not given that a published field is made of,
/// by the first so many of its places.
fn check_related(field: &Field, places: usize, scene: Scene<'_>) -> Result<(), ChangeFault> {
    // A field of a context is made of the record `context`, or of `course` and the like: one of them
    // is enough, also where its column is null.
    let is_given = |column: &Column| match *column {
        Column::Beside(related, _) => scene.related(related).is_some(),
        _ => false,
    };
    if field.from.iter().any(is_given) {
        return Ok(());
    }
    for column in field.from.iter().take(places) {
        let Column::Beside(related, _) = *column else {
            continue;
        };
        if !field.published || scene.related(related).is_some() || !scene.names(related) {
            continue;
        }
        let name = field.name;
        let what = format!("this is missing, though its id is given; `{name}` is made of it");
        return Err(ChangeFault::new(Place::Member("/related", related), what));
    }
    Ok(())
}

fn one<'a>(field: &'a Field, column: &Column, scene: Scene<'a>) -> Given<'a> {
    let always = |value: Value| Given::Value(Cow::Owned(value), Place::Nowhere);
    let place = scene.change.row_place();
    match *column {
        Column::Own(column) => of_row(scene.change.row(), column, Place::Member(place, column)),
        Column::Earlier(column) => {
            let at = Place::Member("/before", column);
            of_row(scene.change.before.as_ref(), column, at)
        }
        Column::Beside(related, column) => {
            let at = Place::Related(related, column);
            of_row(scene.related(related), column, at)
        }
        Column::Worked(rule) => match worked::rule(rule).and_then(|work| work(scene)) {
            None => Given::Nothing(Place::Member(place, field.name)),
            Some(Value::Null) => Given::Null(Place::At(place)),
            Some(value) => Given::Value(Cow::Owned(value), Place::At(place)),
        },
        Column::Word(text) => always(text.into()),
        Column::Flag(truth) => always(truth.into()),
    }
}

fn of_row<'a>(row: Option<&'a Row>, column: &str, at: Place<'a>) -> Given<'a> {
    match row.and_then(|row| row.get(column)) {
        None => Given::Nothing(at),
        Some(Value::Null) => Given::Null(at),
        Some(value) => Given::Value(Cow::Borrowed(value), at),
    }
}

/// Where in the change a member of the body comes from, to tell what is wrong with it.
pub(crate) fn place_of(of: &EventType, member: &str, scene: Scene<'_>) -> String {
    let field = of.body.iter().find(|it| it.name == member);
    match field.map(|field| given(field, scene)) {
        Some(Ok(Given::Value(_, at) | Given::Null(at) | Given::Nothing(at))) => at.to_string(),
        Some(Err(fault)) => fault.at,
        None => "/body".to_owned(),
    }
}
