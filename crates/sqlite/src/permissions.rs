//! Data files are for their owner alone: mode 0600.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tracing::warn;

/// What SQLite keeps beside a database: its write-ahead log, and the index of that.
pub const SIDE_FILES: [&str; 2] = ["-wal", "-shm"];

/// The file beside `path` whose name ends in `suffix`.
pub fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the file at `path` and what SQLite keeps beside it readable by their owner alone. What
/// SQLite makes later has the mode of the database.
///
/// A file system that knows no modes is reported, and used all the same.
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
            warn!(file = %file.display(), %error, "file may be read by others: its mode cannot be set");
        }
    }
    Ok(())
}

/// Makes an empty file at `path` if there is none, for its owner alone.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)?;
    make_private(path)
}
