//! The state that every handler gets: the rooms behind the API.

use std::fmt;
use std::sync::Arc;

use easel_access::{Caller, Tokens};
use easel_audit::Audit;
use easel_catalog::{Catalog, FilterFacts};
use easel_drift::DriftScanner;
use easel_keys::Keys;
use easel_log::{Clock, Record, SharedLog};
use easel_quarantine::Quarantine;
use easel_sources::Sources;
use easel_subscriptions::{Subscriptions, event_account};
use tokio_util::sync::CancellationToken;

use crate::ServerFacts;
use crate::manage_tables::ManageTables;
use crate::send_test::SendTest;

/// The rooms behind the API, as the state of every handler.
#[derive(Clone)]
pub struct Api {
    /// The accepted events.
    pub log: SharedLog,
    /// The records that doors accepted although they are not valid events.
    pub quarantine: Quarantine,
    /// All subscriptions.
    pub subscriptions: Arc<Subscriptions>,
    /// All event types.
    pub catalog: Arc<Catalog>,
    /// What arrives and is unknown to the catalogue.
    pub drift: Arc<DriftScanner>,
    /// The sources of events.
    pub sources: Arc<Sources>,
    /// The access tokens.
    pub tokens: Arc<Tokens>,
    /// Who changed what, and who was shown payloads.
    pub audit: Arc<Audit>,
    /// The keys of the server.
    pub keys: Arc<Keys>,
    /// Sends a test event to an endpoint.
    pub send_test: SendTest,
    /// Manages the tables of subscriptions.
    pub tables: Arc<dyn ManageTables>,
    /// The clock for all times in answers.
    pub clock: Arc<dyn Clock>,
    /// The server and its machine.
    pub server: ServerFacts,
    /// Cancelled when the server stops. It ends streams and long polls.
    pub stop: CancellationToken,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// Returns true if `caller` may see this record of the log.
    pub(crate) fn shows(&self, caller: &Caller, record: &Record) -> bool {
        let rules = self.subscriptions.reach_rules();
        let facts = FilterFacts::new(&record.bytes);
        rules.covers(&caller.reach, event_account(record), &facts)
    }

    /// Waits until the server stops or the token of `caller` ends: it is removed, it expires, or a newer secret
    /// has replaced it. All of them end streams and long polls.
    pub(crate) async fn wait_for_end(&self, caller: &Caller) {
        tokio::select! {
            () = self.stop.cancelled() => (),
            () = self.tokens.wait_for_end(caller) => (),
        }
    }
}
