//! The catalogue as an AsyncAPI 3.0 document, which describes the events that subscribers receive.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::event_type::{EventOrigin, EventType};
use crate::explanation::COLUMNS_ONLY;

/// The time of the example events, in milliseconds: 2026-02-11T08:15:42.067Z.
const EXAMPLES_AT: i64 = 1_770_797_742_067;

impl Catalog {
    /// Returns the AsyncAPI document of all events that a webhook can receive.
    pub fn async_api(&self) -> Value {
        let reference = |event_type: &EventType| {
            (
                event_type.name.to_owned(),
                json!({ "$ref": format!("#/components/messages/{}", event_type.name) }),
            )
        };
        let messages = self.types().iter().map(reference).collect::<Map<_, _>>();
        let described = self
            .types()
            .iter()
            .map(|event_type| (event_type.name.to_owned(), self.message(event_type)));
        json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Live Events of Canvas LMS, as Easel sends them",
                "version": self.version(),
                "description": "Each event type is a message. A request has one event. Every event \
                    is sent at least once, and order is not guaranteed. A repeated event has the \
                    same `webhook-id`. Events can have fields that are not described here.",
            },
            "defaultContentType": "application/json",
            "channels": {
                "events": {
                    "address": null,
                    "title": "The endpoint of a subscription",
                    "messages": messages,
                },
            },
            "operations": {
                "deliver": {
                    "action": "send",
                    "channel": { "$ref": "#/channels/events" },
                    "summary": "Posts an event to every subscription that wants it.",
                    "bindings": { "http": { "method": "POST", "bindingVersion": "0.3.0" } },
                },
            },
            "components": {
                "messages": described.collect::<Map<_, _>>(),
                "schemas": { "headers": headers() },
            },
        })
    }

    fn message(&self, event_type: &EventType) -> Value {
        let mut schema = self.json_schema(event_type);
        if let Value::Object(members) = &mut schema {
            // AsyncAPI's default draft has all keywords that the schema uses.
            members.remove("$schema");
        }
        let at = jiff::Timestamp::from_millisecond(EXAMPLES_AT).unwrap_or_default();
        let example = self.example(event_type, EventOrigin::Request, at);
        json!({
            "name": event_type.name,
            "title": event_type.name,
            "summary": event_type.meaning,
            "description": description(event_type),
            "tags": [{ "name": event_type.category }],
            "headers": { "$ref": "#/components/schemas/headers" },
            "payload": schema,
            "examples": [{ "payload": serde_json::from_str::<Value>(&example).unwrap_or_default() }],
        })
    }
}

fn description(event_type: &EventType) -> String {
    let trigger = event_type.trigger;
    if event_type.columns_only {
        format!("{trigger} {COLUMNS_ONLY}")
    } else {
        trigger.to_owned()
    }
}

fn headers() -> Value {
    let header = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "required": ["webhook-id", "webhook-timestamp", "easel-event-name"],
        "properties": {
            "webhook-id": header("The event's id, which is the same in every attempt."),
            "webhook-timestamp": header("The time of this attempt, in seconds since 1970."),
            "easel-event-name": header("The event type."),
            "easel-event-time": header("The time of the event."),
            "easel-attempt": header("The number of this attempt, counted from 1."),
            "easel-subscription": header("The name of the subscription."),
        },
    })
}
