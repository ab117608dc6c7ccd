//! The state that the writer shares with readers: bounds, newest blocks, counts, and the refusal.

use std::fmt::Display;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use easel_log::backend::RecentBlocks;
use easel_log::{Block, Bounds};
use tokio::sync::watch;
use tracing::error;

use crate::state::LogState;

/// The state that the writer shares with readers.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) bounds: watch::Sender<Bounds>,
    pub(crate) recent: RecentBlocks,
    pub(crate) duplicate_count: AtomicU64,
    pub(crate) stored_bytes: AtomicU64,
    /// Why writes are refused. Set by the first failed write.
    refusal: OnceLock<String>,
}

impl Published {
    /// Creates the shared state of a log that was just opened.
    pub(crate) fn new(state: &LogState, recent_bytes: usize) -> Self {
        Self {
            bounds: watch::Sender::new(state.bounds),
            recent: RecentBlocks::new(recent_bytes),
            duplicate_count: AtomicU64::new(0),
            stored_bytes: AtomicU64::new(state.stored_bytes),
            refusal: OnceLock::new(),
        }
    }

    /// Publishes a commit: first the blocks, then the bounds, so that a notified reader finds
    /// the blocks.
    pub(crate) fn publish(&self, state: &LogState, blocks: Vec<Block>) {
        self.recent.trim_to(state.bounds.tail);
        self.recent.push(blocks);
        self.stored_bytes
            .store(state.stored_bytes, Ordering::Relaxed);
        self.bounds.send_replace(state.bounds);
    }

    /// Returns why writes are refused, if they are.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusal.get().cloned()
    }

    /// Refuses all further writes. Returns the reason as text.
    pub(crate) fn refuse(&self, reason: &dyn Display) -> String {
        let reason = reason.to_string();
        self.refusal.get_or_init(|| {
            error!(
                %reason,
                "write failed, further writes are refused until the log is opened again"
            );
            reason.clone()
        });
        reason
    }
}
