//! Restricts data files to their owner: mode 0600.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tracing::warn;

/// The suffixes of the files that SQLite creates beside a database: the WAL and its index.
pub const SIDE_FILES: [&str; 2] = ["-wal", "-shm"];

/// Returns the path of the side file with this suffix.
pub fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Sets mode 0600 on the file at `path` and on its side files. SQLite creates later side files with
/// the mode of the database.
///
/// If the file system has no modes, logs a warning and continues.
pub fn make_private(path: &Path) -> io::Result<()> {
    let side_files = SIDE_FILES.map(|suffix| side_file(path, suffix));
    for file in [path]
        .into_iter()
        .chain(side_files.iter().map(PathBuf::as_path))
    {
        let mode = match fs::metadata(file) {
            Ok(metadata) => metadata.permissions().mode() & 0o777,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if mode & 0o077 != 0
            && let Err(error) = fs::set_permissions(file, Permissions::from_mode(0o600))
        {
            warn!(file = %file.display(), %error, "cannot set the mode of a file, others may read it");
        }
    }
    Ok(())
}

/// Creates an empty file at `path` if it is missing, and sets mode 0600.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)?;
    make_private(path)
}
