//! What is stored about a subscription for Canvas: who created it, and the object as Canvas sent it.
//!
//! Members of the object that Easel does not know are stored and given back. `Id`, `State` and the root
//! account are Easel's. `State` is not in the document: a subscription that exists is `Active`, and one that
//! was removed is `Deleted`.

use easel_keys::Secret;
use easel_subscriptions::{Owner, OwnerSystem};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::caller::CanvasCaller;
use crate::service_error::ServiceError;
use crate::shown::{keep_secrets, lacks_secrets, shown};

/// The member with the id.
pub(crate) const ID: &str = "Id";
/// The member with the state.
pub(crate) const STATE: &str = "State";
/// The member that says how events are sent, merged member by member.
const TRANSPORT_METADATA: &str = "TransportMetadata";

/// The two members that name the root account.
const ROOT_ACCOUNT: [&str; 2] = ["RootAccountId", "RootAccountUUID"];

/// Members whose value decides what is sent. In a change, null removes them.
const KNOWN: [&str; 8] = [
    "ContextId",
    "EventTypes",
    "UserEventTypes",
    "SystemEventTypes",
    "Format",
    "TransportType",
    "AssociatedIntegrationId",
    TRANSPORT_METADATA,
];

/// The state of a subscription in Canvas. There are only these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CanvasState {
    Active,
    Deleted,
}

impl CanvasState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Deleted => "Deleted",
        }
    }

    /// Takes the state out of what a caller sent.
    pub(crate) fn take(object: &mut Map<String, Value>) -> Result<Option<Self>, ServiceError> {
        match object.shift_remove(STATE) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("active") => {
                Ok(Some(Self::Active))
            }
            Some(Value::String(text)) if text.eq_ignore_ascii_case("deleted") => {
                Ok(Some(Self::Deleted))
            }
            Some(_) => Err(ServiceError::Invalid(
                "State must be `Active` or `Deleted`".to_owned(),
            )),
        }
    }
}

/// The document of a subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Document {
    /// Who created the subscription.
    pub(crate) creator: CanvasCaller,
    /// The object, with secrets.
    pub(crate) object: Map<String, Value>,
}

impl Document {
    /// Reads the document of a subscription. Returns `None` if it belongs to another system, or is damaged.
    pub(crate) fn of(owner: &Owner) -> Option<Self> {
        match owner.system {
            OwnerSystem::Canvas => serde_json::from_str(owner.document.expose()).ok(),
        }
    }

    /// Creates the document of a new subscription.
    pub(crate) fn new(creator: CanvasCaller, id: &str, sent: Map<String, Value>) -> Self {
        let mut object = Map::new();
        object.insert(ID.to_owned(), id.into());
        object.extend(sent);
        object.insert(ID.to_owned(), id.into());
        let mut document = Self { creator, object };
        document.set_root_account();
        document
    }

    /// Returns the document after a change of some members.
    pub(crate) fn changed(&self, changes: Map<String, Value>) -> Self {
        let mut changed = self.clone();
        for (name, new) in changes {
            if name == ID || ROOT_ACCOUNT.contains(&name.as_str()) {
                continue;
            }
            if new.is_null() && KNOWN.contains(&name.as_str()) {
                changed.object.shift_remove(&name);
                continue;
            }
            let current = changed.object.get(&name);
            let new = keep_secrets(&name, new, current);
            let value = match (new, current) {
                (Value::Object(new), Some(Value::Object(current)))
                    if name == TRANSPORT_METADATA =>
                {
                    merged(current.clone(), new).into()
                }
                (new, _) => new,
            };
            changed.object.insert(name, value);
        }
        changed
    }

    /// Returns the id.
    pub(crate) fn id(&self) -> &str {
        let id = self.object.get(ID).and_then(Value::as_str);
        id.unwrap_or_default()
    }

    /// Returns true if the object has the text that is shown in place of a secret.
    pub(crate) fn lacks_secrets(&self) -> bool {
        self.object.values().any(lacks_secrets)
    }

    /// Returns the object without secrets, as Canvas gets it.
    pub(crate) fn answer(&self, state: CanvasState) -> Value {
        let mut answer = shown(&self.object);
        answer.insert(STATE.to_owned(), state.as_str().into());
        answer.into()
    }

    /// Returns the owner of the subscription, with this document.
    pub(crate) fn owner(&self) -> Result<Owner, ServiceError> {
        let text = |document: &Self| {
            serde_json::to_string(document).map_err(|error| {
                tracing::error!(%error, "document not written");
                ServiceError::Unavailable
            })
        };
        let without_secrets = Self {
            creator: self.creator.clone(),
            object: shown(&self.object),
        };
        Ok(Owner {
            system: OwnerSystem::Canvas,
            id: self.id().to_owned(),
            document: Secret::new(text(self)?),
            shown_document: text(&without_secrets)?,
        })
    }

    /// Sets the members of the root account to those of the token, whatever the caller sent.
    fn set_root_account(&mut self) {
        let account = &self.creator.root_account;
        for (name, value) in ROOT_ACCOUNT.into_iter().zip([&account.id, &account.uuid]) {
            match value {
                Some(value) => {
                    let value = value.as_str().into();
                    self.object.insert(name.to_owned(), value);
                }
                None => {
                    self.object.shift_remove(name);
                }
            }
        }
    }
}

/// Changes some members of an object. Null removes a member.
fn merged(mut object: Map<String, Value>, changes: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in changes {
        if value.is_null() {
            object.shift_remove(&name);
        } else {
            object.insert(name, value);
        }
    }
    object
}
