//! The first 100 bytes of an SQLite file, read without SQLite.
//!
//! SQLite validates some header fields late, and some only after it has written to the file.
//! Source: <https://www.sqlite.org/fileformat2.html>, section 1.3.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Layout, OpenError};

const BYTES: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The numbers that identify the kind and the format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) application_id: u32,
    pub(crate) format: u32,
}

/// Reads and validates the header of a file of `file_bytes` bytes.
///
/// While the WAL has content, the file may be shorter than its header says.
pub(crate) fn read(
    path: &Path,
    layout: &Layout,
    file_bytes: u64,
    wal_bytes: u64,
) -> Result<FileHeader, OpenError> {
    let mut bytes = Vec::with_capacity(BYTES);
    File::open(path)
        .and_then(|file| file.take(BYTES as u64).read_to_end(&mut bytes))
        .map_err(OpenError::io(path))?;
    let magic = bytes.get(..MAGIC.len()).unwrap_or(&bytes);
    if !MAGIC.starts_with(magic) {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
            noun: layout.noun,
        });
    }
    let fault = match <&[u8; BYTES]>::try_from(&*bytes) {
        Ok(header) => find_fault(header, file_bytes, wal_bytes),
        Err(_too_short) => Some("its header is incomplete"),
    };
    match fault {
        Some(what) => Err(OpenError::Damaged {
            path: path.to_owned(),
            what: what.to_owned(),
        }),
        None => Ok(FileHeader {
            application_id: number(&bytes, 68),
            format: number(&bytes, 60),
        }),
    }
}

fn find_fault(header: &[u8; BYTES], file_bytes: u64, wal_bytes: u64) -> Option<&'static str> {
    let byte = |index: usize| header.get(index).copied().unwrap_or(0);
    // The value 1 means a page size of 65,536 bytes.
    let page_bytes = match u64::from(byte(16)) << 8 | u64::from(byte(17)) {
        1 => 65_536,
        bytes => bytes,
    };
    if !page_bytes.is_power_of_two() || page_bytes < 512 {
        return Some("its page size is invalid");
    }
    if ![byte(18), byte(19)]
        .iter()
        .all(|version| matches!(version, 1 | 2))
    {
        return Some("its journal mode is invalid");
    }
    if [byte(20), byte(21), byte(22), byte(23)] != [0, 64, 32, 32] {
        return Some("its payload fractions are invalid");
    }
    let [free_page, free_count] = [32, 36].map(|index| number(header, index));
    // The list starts after the first page. Without free pages, both numbers are 0.
    if free_page == 1 || (free_page == 0) != (free_count == 0) {
        return Some("its list of free pages is invalid");
    }
    if number(header, 44) > 4 || number(header, 56) > 3 {
        return Some("its schema format or text encoding is invalid");
    }
    if number(header, 52) != 0 || number(header, 64) != 0 {
        return Some("it has automatic vacuuming, which must be off");
    }
    if header
        .get(72..92)
        .is_none_or(|reserved| reserved.iter().any(|byte| *byte != 0))
    {
        return Some("its reserved bytes are not zero");
    }
    let page_count = u64::from(number(header, 28));
    let is_page_count_valid = number(header, 24) == number(header, 92) && page_count > 0;
    if wal_bytes == 0 && is_page_count_valid && file_bytes < page_count * page_bytes {
        return Some("it is shorter than its header says");
    }
    if wal_bytes == 0 && u64::from(std::cmp::max(free_page, free_count)) > file_bytes / page_bytes {
        return Some("its list of free pages is invalid");
    }
    None
}

/// Returns the big-endian number of four bytes at `index`.
fn number(bytes: &[u8], index: usize) -> u32 {
    let number = bytes.get(index..index + 4);
    number
        .and_then(|number| number.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}
