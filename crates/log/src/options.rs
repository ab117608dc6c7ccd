//! The name and the memory limits of a log.

/// The name of a log, used as the label `log` of its metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogName {
    /// The accepted events.
    #[default]
    Events,
    /// The invalid records that the doors took in.
    Quarantine,
}

impl LogName {
    /// Both logs.
    pub const ALL: [Self; 2] = [Self::Events, Self::Quarantine];

    /// Returns the name as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Quarantine => "quarantine",
        }
    }
}

/// The settings of a log. The defaults suit a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// The name of the log.
    pub name: LogName,
    /// Number of newest ids in the duplicate window; 0 turns it off. An id takes about 35 bytes of
    /// memory.
    pub duplicate_window: usize,
    /// Maximum bytes of records that are queued or being committed. An append waits for room.
    pub max_queued_bytes: usize,
    /// Maximum bytes of the cache of the newest blocks, for readers at the head.
    pub recent_bytes: usize,
    /// Maximum bytes of the cache of older blocks, for readers that are not at the head.
    pub past_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            name: LogName::default(),
            duplicate_window: 1_000_000,
            max_queued_bytes: 64 << 20,
            recent_bytes: 32 << 20,
            past_bytes: 16 << 20,
        }
    }
}
