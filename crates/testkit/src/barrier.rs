//! A barrier that a test lowers and lifts.

use tokio::sync::watch;

/// A barrier, lifted at first.
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
    pub(crate) async fn passed(&self) {
        // An error means that nobody is left to lift it, which `self` rules out.
        drop(self.0.subscribe().wait_for(|lowered| !lowered).await);
    }
}

impl Default for Barrier {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}
