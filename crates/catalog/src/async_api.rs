//! The catalogue as an AsyncAPI document, version 3.0: what a subscriber is sent.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::event_type::{EventOrigin, EventType};

/// When the events of the document's examples happened: 2026-02-11T08:15:42.067Z.
const EXAMPLES_AT: i64 = 1_770_797_742_067;

impl Catalog {
    /// The AsyncAPI document of everything a webhook can be sent.
    pub fn async_api(&self) -> Value {
        let reference = |it: &EventType| {
            (
                it.name.to_owned(),
                json!({ "$ref": format!("#/components/messages/{}", it.name) }),
            )
        };
        let messages = self.types().iter().map(reference).collect::<Map<_, _>>();
        let described = self
            .types()
            .iter()
            .map(|it| (it.name.to_owned(), self.message(it)));
        json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Live Events of Canvas LMS, as Easel sends them",
                "version": self.version(),
                "description": "Each event type is a message. An event is posted by itself, at \
                    least once and in no promised order; what is sent again has the same \
                    `webhook-id`. Fields that are not described here may come.",
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
                    "summary": "Posts an event to whoever subscribed to it.",
                    "bindings": { "http": { "method": "POST", "bindingVersion": "0.3.0" } },
                },
            },
            "components": {
                "messages": described.collect::<Map<_, _>>(),
                "schemas": { "headers": headers() },
            },
        })
    }

    fn message(&self, of: &EventType) -> Value {
        let mut schema = self.json_schema(of);
        if let Value::Object(members) = &mut schema {
            // Whatever draft AsyncAPI takes by itself has all words that are used.
            members.remove("$schema");
        }
        let at = jiff::Timestamp::from_millisecond(EXAMPLES_AT).unwrap_or_default();
        let example = self.example(of, EventOrigin::Request, at);
        json!({
            "name": of.name,
            "title": of.name,
            "summary": of.meaning,
            "description": of.trigger,
            "tags": [{ "name": of.category }],
            "headers": { "$ref": "#/components/schemas/headers" },
            "payload": schema,
            "examples": [{ "payload": serde_json::from_str::<Value>(&example).unwrap_or_default() }],
        })
    }
}

fn headers() -> Value {
    let header = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "required": ["webhook-id", "webhook-timestamp", "easel-event-name"],
        "properties": {
            "webhook-id": header("The event's id, the same for every attempt."),
            "webhook-timestamp": header("When this attempt was made, in seconds since 1970."),
            "easel-event-name": header("The event type."),
            "easel-event-time": header("When the event happened."),
            "easel-attempt": header("Which attempt this is, from 1."),
            "easel-subscription": header("The name of the subscription."),
        },
    })
}
