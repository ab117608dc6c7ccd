//! Facts about the server and its machine that the API shows.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Reads the free space of the disk. The call can block.
pub type ReadDiskSpace = Arc<dyn Fn() -> io::Result<DiskSpace> + Send + Sync>;

/// Returns what is wrong with the certificate of the server, if something is.
pub type ReadTlsProblem = Arc<dyn Fn(Timestamp) -> Option<String> + Send + Sync>;

/// Facts about the server and its machine.
#[derive(Clone)]
pub struct ServerFacts {
    /// The address of the server for clients on its own machine.
    pub address: SocketAddr,
    /// When the server started.
    pub started_at: Timestamp,
    /// The age at which events are dropped from the log.
    pub max_age: Option<Duration>,
    /// The size of the log in bytes above which the oldest events are dropped.
    pub max_bytes: Option<u64>,
    /// The number of running lanes; `None` while no subscription is served.
    pub lane_count: watch::Receiver<Option<usize>>,
    /// Reads the free space of the disk with the data folder.
    pub disk_space: ReadDiskSpace,
    /// Returns what is wrong with the certificate of the server at a time.
    pub tls_problem: ReadTlsProblem,
}

/// A disk of any size is nearly full with less free space than this.
pub(crate) const MIN_FREE_BYTES: u64 = 1 << 30;
/// A disk is also nearly full if less than its size divided by this number is free.
const MIN_FREE_DIVISOR: u64 = 20;

/// The space on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// The bytes that can still be written.
    pub free_bytes: u64,
    /// The size of the disk in bytes.
    pub total_bytes: u64,
}

impl DiskSpace {
    /// Returns the limit below which the disk is nearly full: 5 % of its size, but at least 1 GiB.
    pub fn low_below_bytes(self) -> u64 {
        std::cmp::max(self.total_bytes / MIN_FREE_DIVISOR, MIN_FREE_BYTES)
    }
}

impl fmt::Debug for ServerFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFacts")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
