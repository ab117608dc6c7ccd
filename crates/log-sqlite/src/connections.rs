//! The connections that read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use easel_log::ReadError;
use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::file::open_to_read;

/// Reads that run at once.
const MAX_READS: usize = 4;

/// Runs reads on threads where blocking is allowed, a few at a time.
#[derive(Debug)]
pub(crate) struct ReadConnections {
    path: PathBuf,
    /// Opened when first needed.
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl ReadConnections {
    /// Connections to the file at `path`.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MAX_READS)),
        }
    }

    /// Runs one read.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let failed = |reason: String| ReadError::Unavailable { reason };
        let permits = Arc::clone(&self.permits);
        let permit = permits
            .acquire_owned()
            .await
            .map_err(|closed| failed(closed.to_string()))?;
        let this = Arc::clone(self);
        let blocking = spawn_blocking(move || {
            let result = this.run_here(read);
            drop(permit);
            result
        });
        let result = blocking.await.map_err(|died| failed(died.to_string()))?;
        result.map_err(|error| failed(error.to_string()))
    }

    fn run_here<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let reused = idle().pop();
        let connection = reused.map_or_else(|| open_to_read(&self.path), Ok)?;
        let result = read(&connection)?;
        // A connection that failed is not used again.
        idle().push(connection);
        Ok(result)
    }
}
