//! The spec of a subscription from the object that Canvas sent.
//!
//! The conditions always have the root account of the token, so no object can ask for the events of another
//! one. Event types that Easel does not know are accepted, because Canvas may know more. The entry `all`
//! means every event type, and `*` and `?` are patterns.

use easel_catalog::{Catalog, is_operator_event};
use easel_subscriptions::{
    Conditions, EventGlob, Format, InFlight, Masking, Name, OnExhausted, OrderBy, Schedule,
    SinkSpec, Spec, Start,
};
use serde_json::{Map, Value};

use crate::caller::{CanvasAccount, id_text};
use crate::document::Document;
use crate::service_error::ServiceError;
use crate::transport::sink;

/// The most entries of one list of event types.
const MAX_EVENT_TYPES: usize = 500;

/// The three lists of event types.
const EVENT_LISTS: [&str; 3] = ["EventTypes", "UserEventTypes", "SystemEventTypes"];

/// Returns the spec of a document.
pub(crate) fn spec(document: &Document, catalog: &Catalog) -> Result<Spec, ServiceError> {
    let object = &document.object;
    if document.lacks_secrets() {
        return Err(invalid(
            "\"…\" only stands for a secret that is not shown; send the secret itself".to_owned(),
        ));
    }
    let name: Name = document.id().parse().map_err(invalid)?;
    let format = format(object)?;
    let [events, user_events, system_events] = event_lists(object, format, catalog)?;
    let sink = sink(object)?;
    let order = match &sink {
        SinkSpec::Sqs(queue) if queue.is_fifo() => OrderBy::Key,
        SinkSpec::Sqs(_) | SinkSpec::Webhook(_) | SinkSpec::Sql(_) => OrderBy::None,
    };
    Ok(Spec {
        name,
        events,
        user_events,
        system_events,
        conditions: conditions(object, &document.creator.root_account)?,
        format,
        masking: Masking::default(),
        start: Start::Now,
        in_flight: InFlight::default(),
        max_rate: None,
        order,
        key: None,
        retry: Schedule::default(),
        on_exhausted: OnExhausted::default(),
        sink,
    })
}

fn format(object: &Map<String, Value>) -> Result<Format, ServiceError> {
    match object.get("Format") {
        None => Ok(Format::Canvas),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("live-event") => Ok(Format::Canvas),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("caliper") => Ok(Format::Caliper),
        Some(_) => Err(invalid(
            "Format must be `live-event` or `caliper`".to_owned(),
        )),
    }
}

fn conditions(
    object: &Map<String, Value>,
    root_account: &CanvasAccount,
) -> Result<Conditions, ServiceError> {
    let context_id = id_text(object.get("ContextId"));
    let assignment = match object.get("ContextType").and_then(Value::as_str) {
        Some("root_account") => {
            let is_own = |id: &String| {
                // Without a UUID in the token, a UUID cannot be compared.
                let is_unknown = root_account.uuid.is_none() && id.parse::<u64>().is_err();
                is_unknown || root_account.names().any(|name| name == id)
            };
            if !context_id.as_ref().is_none_or(is_own) {
                return Err(invalid(
                    "ContextId must be the UUID of the caller's own root account".to_owned(),
                ));
            }
            Vec::new()
        }
        Some("assignment") => vec![
            context_id
                .ok_or_else(|| invalid("ContextId must be the id of an assignment".to_owned()))?,
        ],
        Some(_) | None => {
            return Err(invalid(
                "ContextType must be `root_account` or `assignment`".to_owned(),
            ));
        }
    };
    let integration = match object.get("AssociatedIntegrationId") {
        None => None,
        Some(Value::String(id)) if !id.trim().is_empty() => Some(id.clone()),
        Some(_) => {
            return Err(invalid(
                "AssociatedIntegrationId must be the GUID of a tool".to_owned(),
            ));
        }
    };
    Ok(Conditions {
        root_account: root_account.names().cloned().collect(),
        assignment,
        associated_integration: integration.into_iter().collect(),
        ..Conditions::default()
    })
}

/// Returns the event types whatever made the events, those of users and those of the system.
fn event_lists(
    object: &Map<String, Value>,
    format: Format,
    catalog: &Catalog,
) -> Result<[Vec<EventGlob>; 3], ServiceError> {
    let mut lists = [const { Vec::new() }; 3];
    for (list, name) in lists.iter_mut().zip(EVENT_LISTS) {
        *list = event_list(object, name)?;
    }
    if lists.iter().all(Vec::is_empty) {
        return Err(invalid(format!(
            "at least one event type is required, in {}",
            EVENT_LISTS.join(" or ")
        )));
    }
    let is_sent = |glob: &EventGlob| {
        let name = glob.as_str();
        let is_pattern = name.contains(['*', '?']);
        let definition = catalog.get(name);
        let has_form = definition.is_some_and(|definition| definition.caliper.is_some());
        // A tool must not learn what Easel tells its operators.
        !is_operator_event(name) && (!format.is_caliper() || is_pattern || has_form)
    };
    for list in &mut lists {
        list.retain(is_sent);
    }
    let [events, user_events, system_events] = &mut lists;
    if events.iter().any(|glob| glob.as_str() == "*") {
        // These lists add nothing.
        user_events.clear();
        system_events.clear();
    }
    Ok(lists)
}

fn event_list(object: &Map<String, Value>, name: &str) -> Result<Vec<EventGlob>, ServiceError> {
    let fault = || invalid(format!("{name} must be a list of event types"));
    let items = match object.get(name) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(fault()),
    };
    if items.len() > MAX_EVENT_TYPES {
        return Err(invalid(format!(
            "{name} must have at most {MAX_EVENT_TYPES} event types"
        )));
    }
    let globs = items.iter().map(|item| {
        let text = item.as_str().map(str::trim).ok_or_else(fault)?;
        let glob = if text == "all" { "*" } else { text };
        glob.parse::<EventGlob>().map_err(invalid)
    });
    globs.collect()
}

fn invalid(fault: impl std::fmt::Display) -> ServiceError {
    ServiceError::Invalid(fault.to_string())
}

#[cfg(test)]
mod tests;
