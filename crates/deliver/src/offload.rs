//! Work that may keep a thread busy.

/// Work on this many records or fewer is not handed over. It takes about a millisecond at most, and a
/// busy machine may need longer than that to start it on another thread.
const MAX_AT_ONCE: usize = 512;

/// Does work on `record_count` records. If it may take long, it runs outside of the runtime's threads,
/// so that attempts go on.
pub(crate) async fn offload<T: Send + 'static>(
    record_count: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if record_count <= MAX_AT_ONCE {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going, and with it whoever asked.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}
