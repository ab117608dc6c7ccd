//! `/v1/balance`: what became of every event, for anyone to see.

use axum::Json;
use axum::extract::State;
use easel_log::Offset;
use easel_subscriptions::{Balance, Subscription};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::failure::Failure;
use crate::request::Path;

/// What became of every event since a subscription began:
/// `accepted = delivered + filtered + pending + expired`.
#[derive(Serialize, ToSchema)]
#[schema(as = Balance)]
pub(crate) struct BalanceJson {
    subscription: String,
    /// Events the log accepted since the subscription's start.
    accepted: u64,
    /// Sent, and the subscriber answered that it has them.
    delivered: u64,
    /// Not covered by the subscription's filter.
    filtered: u64,
    /// Still owed, under way, or not yet looked at.
    pending: u64,
    /// Gone from the log before they could be delivered: trimmed, or unreadable.
    expired: u64,
    /// The part of `expired` that could not be read back from the disk.
    damaged: u64,
    /// The next offset owed.
    #[schema(value_type = u64)]
    cursor: Offset,
}

/// The balance of every subscription, and where the log stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Balances)]
pub(crate) struct BalancesJson {
    /// The oldest offset kept.
    #[schema(value_type = u64)]
    tail: Offset,
    /// The offset the next event will get.
    #[schema(value_type = u64)]
    head: Offset,
    /// Records in quarantine.
    quarantined: u64,
    subscriptions: Vec<BalanceJson>,
}

/// What became of every event, per subscription.
#[utoipa::path(get, path = "/v1/balance", operation_id = "list_balances", tag = "balance", responses((status = OK, body = BalancesJson)))]
pub(crate) async fn all(State(api): State<Api>) -> Json<BalancesJson> {
    let subscriptions = api.subscriptions.list();
    let subscriptions = subscriptions
        .iter()
        .map(|it| BalanceJson::new(it, api.subscriptions.balance(it)))
        .collect();
    let bounds = *api.log.bounds().borrow();
    Json(BalancesJson {
        tail: bounds.tail,
        head: bounds.head,
        quarantined: api.quarantine.count(),
        subscriptions,
    })
}

/// What became of every event since one subscription began.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/balance", operation_id = "show_balance", tag = "balance", params(("name" = String, Path)), responses((status = OK, body = BalanceJson), (status = NOT_FOUND, description = "`no_such_subscription`")))]
pub(crate) async fn one(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<BalanceJson>, Failure> {
    let subscription = api.subscriptions.get(&name)?;
    let balance = api.subscriptions.balance(&subscription);
    Ok(Json(BalanceJson::new(&subscription, balance)))
}

impl BalanceJson {
    pub(crate) fn new(subscription: &Subscription, balance: Balance) -> Self {
        Self {
            subscription: subscription.spec.name.to_string(),
            accepted: balance.accepted,
            delivered: balance.delivered,
            filtered: balance.filtered,
            pending: balance.pending,
            expired: balance.expired,
            damaged: balance.damaged,
            cursor: balance.cursor,
        }
    }
}
