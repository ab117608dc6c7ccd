//! The dependencies that all lanes share.

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

/// The dependencies that all lanes share.
#[derive(Debug)]
pub(crate) struct LaneContext {
    pub(crate) log: SharedLog,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) forms: Forms,
    pub(crate) clock: Arc<dyn Clock>,
    /// Sends operator events about holds and dead letters.
    pub(crate) tell_operator: TellOperator,
    /// The permits to scan old blocks. They limit the number of lanes that scan together, so that scans
    /// neither fill the memory with blocks nor delay new events.
    pub(crate) scans: Semaphore,
    /// The hosts that lanes connect to, and which of them are down.
    pub(crate) hosts: Hosts,
    /// The memory limit for the items of parked deliveries.
    pub(crate) item_cache_budget: Arc<CacheBudget>,
    /// How long a subscription may be on hold before it is deactivated.
    pub(crate) deactivate_after: Duration,
    /// Notified when journals should be saved soon.
    pub(crate) save_soon: Notify,
    /// Notified when there may be events to count for a confined subscription.
    pub(crate) count_soon: Notify,
}
