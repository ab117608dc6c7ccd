//! What lanes work with besides their subscription.

use std::sync::Arc;

use easel_catalog::TellOperator;
use easel_log::{Clock, SharedLog};
use easel_subscriptions::Subscriptions;
use tokio::sync::{Notify, Semaphore};

use crate::feed::Feed;
use crate::forms::Forms;

/// What lanes work with besides their subscription.
#[derive(Debug)]
pub(crate) struct Rooms {
    pub(crate) log: SharedLog,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) forms: Forms,
    pub(crate) clock: Arc<dyn Clock>,
    #[expect(dead_code, reason = "lanes tell nothing yet")]
    pub(crate) tell_operator: TellOperator,
    /// Lets few lanes at a time look through the past, so that many of them neither hold many
    /// blocks in memory nor keep new events waiting.
    pub(crate) scans: Semaphore,
    /// Notified when journals should be saved soon.
    pub(crate) save_soon: Notify,
}
