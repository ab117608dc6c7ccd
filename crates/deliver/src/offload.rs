//! Runs long CPU work outside the runtime's threads.

use easel_log::run_blocking;

/// Work on this many records or fewer stays on the current thread. It takes a millisecond at most. On a busy
/// machine, a switch to another thread can take longer.
const MAX_INLINE_RECORDS: usize = 512;

/// Runs work on `record_count` records. Runs long work on a blocking thread, so that attempts are not delayed.
pub(crate) async fn offload<T: Send + 'static>(
    record_count: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if record_count <= MAX_INLINE_RECORDS {
        return work();
    }
    run_blocking(work).await
}
