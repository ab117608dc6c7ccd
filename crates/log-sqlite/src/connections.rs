//! The connections for reads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use easel_log::ReadError;
use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::file::open_to_read;

/// Maximum number of concurrent reads.
const MAX_READS: usize = 4;

/// Runs a limited number of concurrent reads on blocking threads.
#[derive(Debug)]
pub(crate) struct ReadConnections {
    path: PathBuf,
    /// Unused connections. They are opened on demand.
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl ReadConnections {
    /// Creates a pool of connections to the file at `path`.
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
        // A failed connection is not reused.
        idle().push(connection);
        Ok(result)
    }
}
