//! A barrier that a test lowers and lifts. While it is lowered, callers wait.

use tokio::sync::watch;

/// A barrier. It starts lifted.
#[derive(Debug)]
pub(crate) struct Barrier(watch::Sender<bool>);

impl Barrier {
    pub(crate) fn set(&self, lowered: bool) {
        self.0.send_replace(lowered);
    }

    pub(crate) fn is_lowered(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the barrier is lifted.
    pub(crate) async fn wait_until_lifted(&self) {
        // An error would mean that the sender was dropped. `self` holds the sender.
        drop(self.0.subscribe().wait_for(|lowered| !lowered).await);
    }
}

impl Default for Barrier {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}
