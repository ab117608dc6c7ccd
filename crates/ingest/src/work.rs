//! Runs CPU-bound work on blocking threads, off the threads that serve connections.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use easel_log::run_blocking;
use tokio::sync::Semaphore;

/// The most bytes that are parsed and hashed in well under a millisecond.
const SMALL: usize = 64 * 1024;

/// One permit for each processor. More threads would only take memory, because each thread fills its
/// own arena of the allocator.
static PROCESSORS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(2, usize::from)));

/// Runs `work` over `size` bytes. Small work runs on the current thread. Other work waits for a free
/// processor and runs on a blocking thread.
pub(crate) async fn on_cpu<T, F>(size: usize, work: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    if size <= SMALL {
        return work();
    }
    // The semaphore is never closed.
    let _permit = PROCESSORS.acquire().await;
    run_blocking(work).await
}
