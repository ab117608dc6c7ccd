//! How much a log remembers and holds in memory.

/// Which log it is: the label `log` of what is measured of its commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogName {
    /// The accepted events.
    #[default]
    Events,
    /// What the doors took in that is no event.
    Quarantine,
}

impl LogName {
    /// Both logs.
    pub const ALL: [Self; 2] = [Self::Events, Self::Quarantine];

    /// The name, as the label has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Quarantine => "quarantine",
        }
    }
}

/// The settings of a log, with defaults for the log of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Which log it is.
    pub name: LogName,
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
            name: LogName::default(),
            duplicate_window: 1_000_000,
            max_queued_bytes: 64 << 20,
            recent_bytes: 32 << 20,
            past_bytes: 16 << 20,
        }
    }
}
