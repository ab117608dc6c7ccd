//! The room on the disk that holds the data folder.

use std::io;
use std::path::{Path, PathBuf};

use easel_api::DiskSpace;

/// The disk that holds a folder.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// The disk that holds `folder`.
    pub(crate) fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// How much room there is now. Asks the file system, which may block.
    pub(crate) fn space(&self) -> io::Result<DiskSpace> {
        let found = rustix::fs::statvfs(&self.folder)?;
        Ok(DiskSpace {
            // Blocks that only root may use are of no use to a server.
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_no_more_room_than_its_size_and_a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let space = Disk::of(folder.path()).space().unwrap();
        assert!(space.total_bytes > 0, "{space:?}");
        assert!(space.free_bytes <= space.total_bytes, "{space:?}");
        assert!(Disk::of(&folder.path().join("missing")).space().is_err());
    }
}
