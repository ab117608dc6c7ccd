//! `/v1/balance`: what happened to every event, per subscription.

use std::borrow::Cow;

use axum::extract::State;
use axum::{Extension, Json};
use easel_access::Caller;
use easel_catalog::Reach;
use easel_log::Offset;
use easel_subscriptions::{Balance, Subscription, Term};
use serde::ser::{Serialize, SerializeMap, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::caller_name::{CallerName, shown_name};

/// The balance of one subscription, with a member for each [`Term`].
pub(crate) struct BalanceJson {
    subscription: String,
    balance: Balance,
}

/// The balances of all subscriptions, and the bounds of the log.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = Balances)]
pub(crate) struct BalancesJson {
    /// The oldest offset on the log.
    #[schema(value_type = u64)]
    tail: Offset,
    /// The offset that the next event will get.
    #[schema(value_type = u64)]
    head: Offset,
    /// The number of records in quarantine. Absent for a caller that is confined to one root account.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined: Option<u64>,
    subscriptions: Vec<BalanceJson>,
}

/// Lists the balances of all subscriptions of the caller's reach.
#[utoipa::path(get, path = "/v1/balance", operation_id = "list_balances", tag = "balance", responses((status = OK, body = BalancesJson)))]
pub(crate) async fn all(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Json<BalancesJson> {
    let subscriptions = api.subscriptions_of(&caller);
    let subscriptions = subscriptions
        .iter()
        .map(|subscription| {
            BalanceJson::new(&caller, subscription, api.balance(&caller, subscription))
        })
        .collect();
    let bounds = *api.log.bounds().borrow();
    Json(BalancesJson {
        tail: bounds.tail,
        head: bounds.head,
        quarantined: (caller.reach == Reach::Everything).then(|| api.quarantine.count()),
        subscriptions,
    })
}

/// Shows what happened to every event since a subscription began.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/balance", operation_id = "show_balance", tag = "balance", params(("name" = String, Path)), responses((status = OK, body = BalanceJson), (status = NOT_FOUND, description = "`no_such_subscription`")))]
pub(crate) async fn one(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<BalanceJson>, ApiError> {
    let subscription = api.subscriptions.get(&name.full)?;
    let balance = api.balance(&name.caller, &subscription);
    Ok(Json(BalanceJson::new(&name.caller, &subscription, balance)))
}

impl BalanceJson {
    pub(crate) fn new(caller: &Caller, subscription: &Subscription, balance: Balance) -> Self {
        Self {
            subscription: shown_name(caller, subscription),
            balance,
        }
    }
}

impl Serialize for BalanceJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("subscription", &self.subscription)?;
        members.serialize_entry("accepted", &self.balance.accepted)?;
        for term in Term::ALL {
            members.serialize_entry(term.name(), &self.balance.get(term))?;
        }
        members.serialize_entry("cursor", &self.balance.cursor)?;
        members.end()
    }
}

impl ToSchema for BalanceJson {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Balance")
    }
}

impl PartialSchema for BalanceJson {
    fn schema() -> RefOr<Schema> {
        let count = |description: &str| {
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                .minimum(Some(0))
                .description(Some(description))
        };
        let sum = Term::SUMMANDS.map(Term::name).join(" + ");
        let mut object = ObjectBuilder::new()
            .description(Some(format!(
                "What happened to every event since a subscription began: `accepted = {sum}`."
            )))
            .property(
                "subscription",
                ObjectBuilder::new().schema_type(Type::String),
            )
            .property(
                "accepted",
                count("Events that the log accepted since the start of the subscription."),
            );
        for term in Term::ALL {
            object = object.property(term.name(), count(term.meaning()));
        }
        object = object.property(
            "cursor",
            count("The next offset that the subscription must handle."),
        );
        let names = Term::ALL.map(Term::name);
        let required = ["subscription", "accepted", "cursor"]
            .into_iter()
            .chain(names);
        required.fold(object, ObjectBuilder::required).into()
    }
}
