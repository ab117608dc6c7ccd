//! The headline promise, in numbers.

use easel_log::Offset;

/// What became of every event accepted since a subscription began.
///
/// `accepted = delivered + filtered + pending + expired`, at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Events the log accepted since the subscription's start.
    pub accepted: u64,
    /// Sent, and the subscriber answered that it has them.
    pub delivered: u64,
    /// Not covered by the subscription's filter.
    pub filtered: u64,
    /// Still owed, under way, or not yet looked at.
    pub pending: u64,
    /// Gone from the log before they could be delivered: trimmed, or unreadable.
    pub expired: u64,
    /// The part of `expired` that could not be read back from the disk.
    pub damaged: u64,
    /// The next offset owed: everything before it is settled.
    pub cursor: Offset,
}

impl Balance {
    /// Whether the terms add up, which they always do.
    pub const fn adds_up(&self) -> bool {
        self.accepted == self.delivered + self.filtered + self.pending + self.expired
    }
}
