//! A list of arrivals, in order, that a test can wait on.

use tokio::sync::watch;

/// A list that only grows. A push wakes everyone who waits for a length.
#[derive(Debug)]
pub(crate) struct Arrivals<T>(watch::Sender<Vec<T>>);

impl<T: Clone> Arrivals<T> {
    pub(crate) fn push(&self, item: T) {
        self.0.send_modify(|all| all.push(item));
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.borrow().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Waits until the list has at least `count` items, then returns all items.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<T> {
        match self.0.subscribe().wait_for(|all| all.len() >= count).await {
            Ok(all) => all.clone(),
            Err(_closed) => self.all(),
        }
    }
}

impl<T> Default for Arrivals<T> {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}
