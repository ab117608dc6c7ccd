//! The names of subscriptions, as a caller uses and sees them.
//!
//! A caller that is confined to one root account uses plain names. They mean subscriptions of its own reach
//! only, so the answer for somebody else's subscription is that for one that does not exist. Every other
//! caller uses the full name, such as `grades@21070000000000001`, or the plain name if only one subscription has it.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use easel_access::Caller;
use easel_catalog::Reach;
use easel_subscriptions::{Balance, FullName, Subscription};

use crate::Api;
use crate::api_error::ApiError;
use crate::request::{bad_path, no_caller};

/// The name of a subscription in the path of a request, with the caller.
pub(crate) struct CallerName {
    /// The subscription that the caller means.
    pub(crate) full: FullName,
    /// Who asks.
    pub(crate) caller: Caller,
    /// The text in the path.
    text: String,
}

/// As the caller wrote the name.
impl fmt::Display for CallerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromRequestParts<Api> for CallerName {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = head.extensions.get::<Caller>().cloned();
        let caller = caller.ok_or_else(no_caller)?;
        let parameters = RawPathParams::from_request_parts(head, api).await;
        let parameters = parameters.map_err(|_unreadable| bad_path())?;
        let name = parameters.iter().find(|(key, _)| *key == "name");
        let (_, text) = name.ok_or_else(bad_path)?;
        Ok(Self {
            full: api.subscriptions.full_name(&caller.reach, text)?,
            text: text.to_owned(),
            caller,
        })
    }
}

/// Returns the name of a subscription for this caller.
pub(crate) fn shown_name(caller: &Caller, subscription: &Subscription) -> String {
    match caller.reach {
        Reach::Everything => subscription.full_name().to_string(),
        Reach::RootAccount(_) => subscription.spec.name.to_string(),
    }
}

impl Api {
    /// Returns the subscriptions that the caller may see, by name.
    pub(crate) fn subscriptions_of(&self, caller: &Caller) -> Vec<Arc<Subscription>> {
        let mut all = self.subscriptions.list();
        all.retain(|subscription| caller.reach.includes(&subscription.reach));
        all
    }

    /// Returns the balance of a subscription for this caller. A confined caller sees only what is in its reach.
    pub(crate) fn balance(&self, caller: &Caller, subscription: &Subscription) -> Balance {
        let balance = self.subscriptions.balance(subscription);
        match caller.reach {
            Reach::Everything => balance,
            Reach::RootAccount(_) => balance.within_reach(),
        }
    }
}
