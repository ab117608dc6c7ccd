//! The metadata of an event: of the request or job, of the record, and of the login.

use easel_catalog::{Catalog, Context, EventType, MetadataField, Origin, event_time};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::fault::ChangeFault;
use crate::row::Row;
use crate::scene::Scene;
use crate::value::convert;

/// What `producer` is unless the request or job says otherwise.
const PRODUCER: &str = "canvas";

/// The kinds of contexts that have an id in a student information system.
const KINDS_IN_SIS: [&str; 4] = ["Course", "Account", "CourseSection", "Group"];

/// What a record tells of its context.
const OF_CONTEXT: [&str; 4] = [
    "context_type",
    "context_id",
    "context_account_id",
    "context_sis_source_id",
];

/// Makes the metadata of an event of this type, sent at `at`: the fields in the order of the
/// catalogue.
pub(crate) fn metadata(
    catalog: &Catalog,
    of: &EventType,
    scene: Scene<'_>,
    at: Timestamp,
) -> Result<Map<String, Value>, ChangeFault> {
    let mut given = ambient(catalog, scene)?;
    match of.context {
        Context::Ambient => (),
        Context::Record => of_record(catalog, of, scene, &mut given)?,
        Context::Login => of_login(catalog, scene, &mut given)?,
    }
    given.insert("event_name".to_owned(), of.name.into());
    given.insert("event_time".to_owned(), event_time(at).into());
    let names = catalog.metadata().iter().map(|it| it.field.name);
    let in_order = names.filter_map(|name| given.remove_entry(name));
    Ok(in_order.collect())
}

/// What the request or job tells of itself.
fn ambient(catalog: &Catalog, scene: Scene<'_>) -> Result<Map<String, Value>, ChangeFault> {
    let origin = scene.change.origin;
    let place = match origin {
        Origin::Request => "/context/request",
        Origin::Job => "/context/job",
        Origin::Neither => "/context",
    };
    let mut given = Map::new();
    for (name, value) in &scene.change.context.0 {
        let at = format!("{place}/{name}");
        let Some(it) = find(catalog, name) else {
            return Err(ChangeFault::new(
                at,
                "no field of the metadata is called so",
            ));
        };
        if ["event_name", "event_time"].contains(&name.as_str()) {
            let what = "this is written last, and cannot be given";
            return Err(ChangeFault::new(at, what));
        }
        if !it.is_sent(origin) {
            let what = format!("an event made in {} does not have it", made_in(origin));
            return Err(ChangeFault::new(at, what));
        }
        put(it, value, &at, scene, &mut given)?;
    }
    if origin != Origin::Neither {
        let producer = || PRODUCER.into();
        given.entry("producer").or_insert_with(producer);
    }
    Ok(given)
}

/// What the record tells: the context it belongs to, and the root account of that.
fn of_record(
    catalog: &Catalog,
    of: &EventType,
    scene: Scene<'_>,
    given: &mut Map<String, Value>,
) -> Result<(), ChangeFault> {
    let (place, context) = match (scene.related("context"), scene.related("course")) {
        (Some(context), _) => ("/related/context", context),
        (None, Some(course)) => ("/related/course", course),
        // An asset can be opened outside of any context.
        (None, None) if of.name == "asset_accessed" => return Ok(()),
        (None, None) => {
            let what = format!("this is missing; the context of {} is made of it", of.name);
            return Err(ChangeFault::new("/related/course", what));
        }
    };
    let kind = context.text("type").unwrap_or("Course");
    // What the request tells of its own context is not of this one.
    given.retain(|name, _| !OF_CONTEXT.contains(&name.as_str()));
    if let Some(it) = find(catalog, "context_type") {
        put(it, &kind.into(), place, scene, given)?;
    }
    let mut put_from = |name: &str, row: &Row, place: &str, column: &str| match (
        find(catalog, name),
        row.get(column),
    ) {
        (Some(it), Some(value)) => put(it, value, &format!("{place}/{column}"), scene, given),
        _ => Ok(()),
    };
    put_from("context_id", context, place, "id")?;
    put_from("context_account_id", context, place, "account_id")?;
    if KINDS_IN_SIS.contains(&kind) {
        put_from("context_sis_source_id", context, place, "sis_source_id")?;
    }
    if let Some(root) = scene.related("root_account") {
        let place = "/related/root_account";
        put_from("root_account_id", root, place, "id")?;
        put_from("root_account_uuid", root, place, "uuid")?;
        put_from("root_account_lti_guid", root, place, "lti_guid")?;
    }
    Ok(())
}

/// What the login tells that was just made.
fn of_login(
    catalog: &Catalog,
    scene: Scene<'_>,
    given: &mut Map<String, Value>,
) -> Result<(), ChangeFault> {
    let of_login = [
        ("user_id", "user_id"),
        ("user_login", "unique_id"),
        ("user_account_id", "account_id"),
        ("user_sis_id", "sis_user_id"),
    ];
    for (name, column) in of_login {
        let value = scene.related("pseudonym").and_then(|it| it.get(column));
        if let (Some(it), Some(value)) = (find(catalog, name), value) {
            let at = format!("/related/pseudonym/{column}");
            put(it, value, &at, scene, given)?;
        }
    }
    if let (Some(it), Some(session)) = (find(catalog, "session_id"), scene.value("session_id")) {
        put(it, session, "/with/session_id", scene, given)?;
    }
    Ok(())
}

/// Puts a value in, over what was there; nulls stay in metadata, where the field can be null.
fn put(
    it: &MetadataField,
    value: &Value,
    at: &str,
    scene: Scene<'_>,
    given: &mut Map<String, Value>,
) -> Result<(), ChangeFault> {
    let name = it.field.name;
    let value = match value {
        Value::Null if it.field.null => Value::Null,
        Value::Null => {
            given.remove(name);
            return Ok(());
        }
        value => convert(&it.field, value, at, scene.options)?,
    };
    given.insert(name.to_owned(), value);
    Ok(())
}

fn find<'a>(catalog: &'a Catalog, name: &str) -> Option<&'a MetadataField> {
    catalog.metadata().iter().find(|it| it.field.name == name)
}

/// What an event was made in, in words.
const fn made_in(origin: Origin) -> &'static str {
    match origin {
        Origin::Request => "a request",
        Origin::Job => "a job",
        Origin::Neither => "neither a request nor a job",
    }
}
