//! Reads the queues of all sources.
//!
//! Each active source with a queue has some pollers. A change of the definitions or of a state stops the pollers
//! that it concerns, and starts new ones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use easel_ingest::Intake;
use easel_log::Clock;
use easel_sources::{Source, SourceMap, SourceName, Sources, SqsSource};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::poller::Poller;
use crate::queue_client::QueueClient;

/// The pause before a poller that died is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Creates the client of a source.
pub type MakeClient = Box<dyn Fn(&SqsSource) -> Result<QueueClient, String> + Send + Sync>;

/// Reads the queues of all sources.
pub struct SqsPollers {
    /// The sources.
    pub sources: Arc<Sources>,
    /// Stores the messages.
    pub intake: Arc<Intake>,
    /// Creates the clients.
    pub make_client: MakeClient,
    /// The clock of the health of sources.
    pub clock: Arc<dyn Clock>,
}

/// The pollers of one source.
struct PollerGroup {
    source: Arc<Source>,
    stop: CancellationToken,
}

impl SqsPollers {
    /// Reads until `stop`. Then stores and deletes what was received, and returns.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.sources.subscribe();
        let mut groups = BTreeMap::<SourceName, PollerGroup>::new();
        let mut tasks = JoinSet::new();
        loop {
            let sources = Arc::clone(&changes.borrow_and_update());
            groups.retain(|name, group| {
                let is_same = sources
                    .get(name)
                    .is_some_and(|source| source.is_active() && source.spec == group.source.spec);
                if !is_same {
                    info!(source = %name, "queue of a source no longer read");
                    group.stop.cancel();
                }
                is_same
            });
            self.start_new(&sources, &mut groups, &mut tasks, &stop);
            tokio::select! {
                () = stop.cancelled() => break,
                changed = changes.changed() => if changed.is_err() { break },
                Some(ended) = tasks.join_next() => report(ended),
            }
        }
        for group in groups.values() {
            group.stop.cancel();
        }
        while let Some(ended) = tasks.join_next().await {
            report(ended);
        }
    }

    fn start_new(
        &self,
        sources: &SourceMap,
        groups: &mut BTreeMap<SourceName, PollerGroup>,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        for (name, source) in sources {
            let Some(sqs) = source.spec.sqs().filter(|_| source.is_active()) else {
                continue;
            };
            if groups.contains_key(name) {
                continue;
            }
            let group = PollerGroup {
                source: Arc::clone(source),
                stop: stop.child_token(),
            };
            match (self.make_client)(sqs) {
                Ok(client) => {
                    info!(source = %name, pollers = sqs.pollers.get(), "queue of a source is read");
                    let client = Arc::new(client);
                    for _poller in 0..sqs.pollers.get() {
                        let poller = Poller {
                            source: Arc::clone(source),
                            client: Arc::clone(&client),
                            intake: Arc::clone(&self.intake),
                            clock: Arc::clone(&self.clock),
                        };
                        tasks.spawn(keep_running(poller, group.stop.clone()));
                    }
                }
                Err(fault) => {
                    warn!(source = %name, fault, "queue of a source cannot be read");
                    source.health.set_unreachable(&fault, self.clock.now());
                }
            }
            groups.insert(name.clone(), group);
        }
    }
}

/// Runs a poller until `stop`. A poller that dies is started again after a moment.
async fn keep_running(poller: Poller, stop: CancellationToken) {
    loop {
        let mut task = JoinSet::new();
        task.spawn(poller.clone().run(stop.clone()));
        match task.join_next().await {
            None | Some(Ok(())) => return,
            Some(Err(error)) => error!(%error, "poller of a queue died, and is started again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(RESTART_PAUSE) => (),
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "poller of a queue died");
    }
}

impl fmt::Debug for SqsPollers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsPollers").finish_non_exhaustive()
    }
}
