//! What is done for all sources now and then: fresh keys, saved health, warnings.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::OperatorEvent;
use easel_log::run_blocking;
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::Sources;
use crate::hosted_limit::HostedLimit;
use crate::{Source, SourceName, metrics};

/// How often.
const INTERVAL: Duration = Duration::from_secs(30);

/// The warnings that were sent and are still true.
pub(crate) type Warned = BTreeSet<(SourceName, HostedLimit)>;

impl Sources {
    /// Does the upkeep until the future is dropped.
    pub async fn run(self: Arc<Self>) -> Infallible {
        let mut tick = interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut warned = Warned::new();
        loop {
            tick.tick().await;
            self.fetch_due_keys().await;
            let now = self.clock.now();
            for source in self.all().values() {
                self.warn_about(source, now, &mut warned);
                metrics::publish(&source.spec.name, &source.health.report(now));
            }
            let sources = Arc::clone(&self);
            let save = move || {
                sources.save_health(now);
                Ok::<(), Infallible>(())
            };
            match run_blocking(save).await {
                Ok(()) => (),
                Err(never) => match never {},
            }
        }
    }

    /// Fetches the keys that are missing or old. One source after another: there are few.
    pub(crate) async fn fetch_due_keys(&self) {
        for source in self.all().values().filter(|source| source.is_active()) {
            let Some(cache) = &source.keys else { continue };
            let now = self.clock.now();
            if !cache.is_due(now) {
                continue;
            }
            match cache.refresh(now).await {
                Ok(_keys) => self.save_keys(source, cache),
                Err(error) => {
                    source.health.note_failure(&error.to_string(), now);
                    warn!(source = %source.spec.name, %error, "keys of a source not fetched");
                }
            }
        }
    }

    /// Notifies operators once when half of a limit of hosted Canvas is reached, and again only after the
    /// count fell below a quarter.
    pub(super) fn warn_about(&self, source: &Source, now: Timestamp, warned: &mut Warned) {
        if source.https().is_none() {
            return;
        }
        let last_day = source.health.report(now).last_day;
        for limit in HostedLimit::ALL {
            let count = limit.count(&last_day);
            let key = (source.spec.name.clone(), limit);
            if count < limit.per_day() / 4 {
                warned.remove(&key);
            } else if limit.is_near(&last_day) && warned.insert(key) {
                warn!(
                    source = %source.spec.name,
                    count,
                    limit = limit.per_day(),
                    kind = limit.as_str(),
                    "hosted Canvas will switch this stream off if it fails this often"
                );
                self.tell_operator.tell(OperatorEvent::SourceFailing {
                    source: source.spec.name.to_string(),
                    kind: limit.as_str(),
                    failure_count: count,
                    limit: limit.per_day(),
                });
            }
        }
    }

    /// Saves the health of all sources.
    pub fn save_health(&self, now: Timestamp) {
        let all = self.all();
        let saved = all.values().filter_map(|source| {
            let text = source.health.to_saved(now).ok()?;
            Some((source.spec.name.clone(), text))
        });
        let saved: Vec<_> = saved.collect();
        if let Err(error) = self.store().save_health(&saved) {
            let error: &dyn std::error::Error = &error;
            warn!(error, "health of the sources not saved");
        }
    }
}
