//! A source as the server knows it.

use std::sync::Arc;

use jiff::Timestamp;

use crate::hosted_limit::HostedLimit;
use crate::{HttpsSource, JwksCache, SourceHealth, SourceOutcome, SourceSpec, metrics};

/// A source with its state.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its definition.
    pub spec: SourceSpec,
    /// Who defined it.
    pub origin: SourceOrigin,
    /// Whether events come in.
    pub state: SourceState,
    /// The number of its definition; 0 for one of the settings file.
    pub revision: u64,
    /// What came from it, and what failed.
    pub health: Arc<SourceHealth>,
    /// The keys that verify its signatures; `None` if its events are not signed.
    pub keys: Option<Arc<JwksCache>>,
}

/// Who defined a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceOrigin {
    /// The settings file. Only this file can change it.
    File,
    /// The API.
    Api,
}

/// Whether the events of a source come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Events come in.
    Active,
    /// An operator paused the source. Requests are answered with 503; a queue is not read.
    Paused,
}

impl Source {
    /// Returns the https part of its definition; `None` for another kind.
    pub const fn https(&self) -> Option<&HttpsSource> {
        self.spec.https()
    }

    /// Counts what became of `count` things that arrived at `now`, in its health and in the metrics.
    pub fn count(&self, outcome: SourceOutcome, count: u64, now: Timestamp) {
        self.health.count(outcome, count, now);
        metrics::count(&self.spec.name, outcome, count);
    }

    /// Returns true if hosted Canvas will switch this stream off if it fails this often.
    pub fn is_failing(&self, now: Timestamp) -> bool {
        let last_day = self.health.report(now).last_day;
        let mut limits = HostedLimit::ALL.into_iter();
        self.https().is_some() && limits.any(|limit| limit.is_near(&last_day))
    }

    /// Returns true if events come in.
    pub fn is_active(&self) -> bool {
        self.state == SourceState::Active
    }
}
