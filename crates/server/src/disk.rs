//! The space on the disk with the data folder, and the operator event about a nearly full disk.

use std::io;
use std::path::{Path, PathBuf};

use easel_api::DiskSpace;
use easel_catalog::OperatorEvent;

/// The disk with a folder.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Creates the disk with `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Reads the space from the file system. The call can block.
    pub(crate) fn space(&self) -> io::Result<DiskSpace> {
        let found = rustix::fs::statvfs(&self.folder)?;
        Ok(DiskSpace {
            // Without the blocks that are reserved for root.
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

/// Reports once that a disk is nearly full. Reports again only after more than 1.5 times the limit was
/// free.
#[derive(Debug, Default)]
pub(crate) struct DiskWatch {
    is_low: bool,
}

impl DiskWatch {
    /// Returns the operator event to send for this space, if there is one.
    pub(crate) fn check(&mut self, space: DiskSpace) -> Option<OperatorEvent> {
        let low_below_bytes = space.low_below_bytes();
        let was_low = self.is_low;
        if space.free_bytes < low_below_bytes {
            self.is_low = true;
        } else if space.free_bytes > low_below_bytes.saturating_add(low_below_bytes / 2) {
            self.is_low = false;
        }
        (self.is_low && !was_low).then_some(OperatorEvent::DiskLow {
            free_bytes: space.free_bytes,
            total_bytes: space.total_bytes,
            low_below_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nearly_full_disk_is_reported_again_only_after_1_5_times_the_limit_was_free() {
        const GIB: u64 = 1 << 30;
        /// Checks a disk repeatedly. Each reading has the free bytes, and whether they are reported.
        #[track_caller]
        fn check(total_gib: u64, low_below_gib: u64, readings: &[(u64, bool)]) {
            let mut watch = DiskWatch::default();
            for (free_bytes, is_reported) in readings.iter().copied() {
                let space = DiskSpace {
                    free_bytes,
                    total_bytes: total_gib * GIB,
                };
                let wanted = is_reported.then_some(OperatorEvent::DiskLow {
                    free_bytes,
                    total_bytes: total_gib * GIB,
                    low_below_bytes: low_below_gib * GIB,
                });
                assert_eq!(
                    watch.check(space),
                    wanted,
                    "{free_bytes} of {total_gib} GiB"
                );
            }
        }
        let around = |low: u64| {
            [
                (low * GIB, false),
                (low * GIB - 1, true),
                (0, false),
                (low * GIB, false),
                (low * GIB * 3 / 2, false),
                (low * GIB - 1, false),
                (low * GIB * 3 / 2 + 1, false),
                (low * GIB, false),
                (low * GIB - 1, true),
            ]
        };
        check(200, 10, &around(10));
        check(4, 1, &around(1));
        check(4, 1, &[(0, true)]);
    }

    #[test]
    fn free_space_is_at_most_the_size_of_the_disk_and_a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let space = Disk::new(folder.path()).space().unwrap();
        assert!(space.total_bytes > 0, "{space:?}");
        assert!(space.free_bytes <= space.total_bytes, "{space:?}");
        assert!(Disk::new(&folder.path().join("missing")).space().is_err());
    }
}
