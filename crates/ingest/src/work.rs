//! Work that keeps a processor busy, kept off the threads that serve connections.

use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// Bytes that are parsed and hashed in well under a millisecond.
const SMALL: usize = 64 * 1024;

/// One permit for each processor. More threads at once would only take memory: each has an arena of
/// the allocator, and fills it with what one request needs.
static PROCESSORS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(2, usize::from)));

/// Does `work` over `size` bytes: here when that is quickly done, else on a thread of its own, as
/// soon as a processor is free.
pub(crate) async fn on_cpu<T, F>(size: usize, work: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    if size <= SMALL {
        return work();
    }
    // It is never closed.
    let _permit = PROCESSORS.acquire().await;
    match spawn_blocking(work)
        .await
        .map_err(JoinError::try_into_panic)
    {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime is going, and with it whoever asked.
        Err(Err(_cancelled)) => std::future::pending().await,
    }
}
