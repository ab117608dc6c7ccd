//! How much a log remembers and holds in memory.

/// The settings of a log, with defaults for the log of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// How many of the newest ids are remembered to recognise duplicates; 0 turns that off.
    /// Each costs about 35 bytes of memory.
    pub duplicate_window: usize,
    /// Bytes of records waiting or being committed; an append waits while there are more.
    pub max_queued_bytes: usize,
    /// Bytes of blocks kept in memory for readers at the head.
    pub recent_bytes: usize,
    /// Bytes of blocks kept in memory for readers in the past.
    pub past_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            duplicate_window: 1_000_000,
            max_queued_bytes: 64 << 20,
            recent_bytes: 32 << 20,
            past_bytes: 16 << 20,
        }
    }
}
