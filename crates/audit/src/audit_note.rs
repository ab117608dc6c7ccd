//! What the handler of a request says about it, for its entry. It travels in the extensions of the response.

use std::sync::Arc;

use easel_catalog::Reach;
use serde_json::{Map, Value};

use crate::shown_events::{ShownEvents, StreamTally};

/// What a request did. All parts are optional: the route says the rest.
#[derive(Clone, Debug, Default)]
pub struct AuditNote {
    /// Who called, if the request has no bearer token.
    pub actor: Option<(String, Reach)>,
    /// The action, if the route does not say it.
    pub action: Option<&'static str>,
    /// The object, if the path does not name it.
    pub object: Option<String>,
    /// More about the change.
    pub details: Map<String, Value>,
    /// The events that the answer shows.
    pub shown: ShownEvents,
    /// The events that a stream shows later.
    pub stream: Option<Arc<StreamTally>>,
    /// True if the request changed nothing, although its route is one of changes.
    pub changed_nothing: bool,
}

impl AuditNote {
    /// Notes the object of a change.
    pub fn of_object(object: impl Into<String>) -> Self {
        Self {
            object: Some(object.into()),
            ..Self::default()
        }
    }

    /// Notes that nothing was changed.
    pub fn of_no_change() -> Self {
        Self {
            changed_nothing: true,
            ..Self::default()
        }
    }

    /// Notes which events the answer shows.
    pub fn of_shown(shown: ShownEvents) -> Self {
        Self {
            shown,
            ..Self::default()
        }
    }

    /// Notes a stream.
    pub fn of_stream(tally: Arc<StreamTally>) -> Self {
        Self {
            stream: Some(tally),
            ..Self::default()
        }
    }

    /// Adds a detail. Never a secret and never a payload.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Sets who called and what was done, for a request without a bearer token of Easel.
    #[must_use]
    pub fn by(self, actor: impl Into<String>, reach: Reach, action: &'static str) -> Self {
        Self {
            actor: Some((actor.into(), reach)),
            action: Some(action),
            ..self
        }
    }
}
