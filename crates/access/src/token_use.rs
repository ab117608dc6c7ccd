//! How a token is used: the last use, and the meter of its requests. A request changes only memory.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use crate::TokenLimits;
use crate::rate_meter::RateMeter;

/// Stands for "never".
const NEVER: i64 = i64::MIN;

/// How a token is used.
#[derive(Debug)]
pub(crate) struct TokenUse {
    pub(crate) meter: RateMeter,
    /// In seconds of Unix time.
    last: AtomicI64,
    /// The last use in the file.
    saved: AtomicI64,
}

impl TokenUse {
    pub(crate) fn new(limits: TokenLimits, last_used_at: Option<Timestamp>) -> Self {
        let last = last_used_at.map_or(NEVER, Timestamp::as_second);
        Self {
            meter: RateMeter::new(limits),
            last: AtomicI64::new(last),
            saved: AtomicI64::new(last),
        }
    }

    pub(crate) fn note(&self, now: Timestamp) {
        self.last.fetch_max(now.as_second(), Ordering::Relaxed);
    }

    pub(crate) fn last_used_at(&self) -> Option<Timestamp> {
        timestamp(self.last.load(Ordering::Relaxed))
    }

    /// Returns the last use, if the file does not have it.
    pub(crate) fn unsaved(&self) -> Option<Timestamp> {
        let last = self.last.load(Ordering::Relaxed);
        if last == self.saved.load(Ordering::Relaxed) {
            return None;
        }
        timestamp(last)
    }

    pub(crate) fn mark_saved(&self, last: Timestamp) {
        self.saved.store(last.as_second(), Ordering::Relaxed);
    }
}

fn timestamp(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}
