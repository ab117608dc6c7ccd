//! What the API says of the server it runs in, and of that server's machine.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Reads how much room the disk has. It asks the file system and may block.
pub type ReadDiskSpace = Arc<dyn Fn() -> io::Result<DiskSpace> + Send + Sync>;

/// The server and its machine.
#[derive(Clone)]
pub struct ServerFacts {
    /// An address that the server can be reached at from its own machine.
    pub address: SocketAddr,
    /// When the server started.
    pub started_at: Timestamp,
    /// The age at which events are dropped from the log.
    pub max_age: Option<Duration>,
    /// The bytes of the log beyond which the oldest events are dropped.
    pub max_bytes: Option<u64>,
    /// How many lanes run; `None` while no subscription is served.
    pub lane_count: watch::Receiver<Option<usize>>,
    /// Reads how much room the disk of the data folder has.
    pub disk_space: ReadDiskSpace,
}

/// A disk is nearly full with less free space than this, whatever its size.
pub(crate) const MIN_FREE_BYTES: u64 = 1 << 30;
/// So is one with less than one part in so many free.
const MIN_FREE_PART: u64 = 20;

/// The room on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that can still be written.
    pub free_bytes: u64,
    /// Bytes there are in all.
    pub total_bytes: u64,
}

impl DiskSpace {
    /// The disk is nearly full when fewer bytes than this are free: 5 % of it, or 1 GiB, whichever is
    /// more.
    pub fn low_below_bytes(self) -> u64 {
        std::cmp::max(self.total_bytes / MIN_FREE_PART, MIN_FREE_BYTES)
    }
}

impl fmt::Debug for ServerFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
