//! What lanes work with besides their subscription.

use std::sync::Arc;
use std::time::Duration;

use easel_catalog::TellOperator;
use easel_log::{Clock, SharedLog};
use easel_subscriptions::Subscriptions;
use tokio::sync::{Notify, Semaphore};

use crate::feed::Feed;
use crate::forms::Forms;
use crate::hosts::Hosts;
use crate::item_cache::CacheBudget;

/// What lanes work with besides their subscription.
#[derive(Debug)]
pub(crate) struct Rooms {
    pub(crate) log: SharedLog,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) forms: Forms,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where operators are told of holds and of dead letters.
    pub(crate) tell_operator: TellOperator,
    /// Lets few lanes at a time look through the past, so that many of them neither hold many
    /// blocks in memory nor keep new events waiting.
    pub(crate) scans: Semaphore,
    /// Which hosts cannot be connected to.
    pub(crate) hosts: Hosts,
    /// How much of parked deliveries is kept in memory.
    pub(crate) item_cache_budget: Arc<CacheBudget>,
    /// How long a subscription may hold before it is deactivated.
    pub(crate) deactivate_after: Duration,
    /// Notified when journals should be saved soon.
    pub(crate) save_soon: Notify,
}
