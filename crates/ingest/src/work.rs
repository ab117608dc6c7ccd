//! Work that keeps a processor busy, kept off the threads that serve connections.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

/// Bytes that are parsed and hashed in well under a millisecond.
const SMALL: usize = 64 * 1024;

/// Does `work` over `size` bytes: here when that is quickly done, else on a thread of its own.
pub(crate) async fn on_cpu<T, F>(size: usize, work: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    if size <= SMALL {
        return work();
    }
    match spawn_blocking(work)
        .await
        .map_err(tokio::task::JoinError::try_into_panic)
    {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime is going, and with it whoever asked.
        Err(Err(_cancelled)) => std::future::pending().await,
    }
}
