//! CBOR (RFC 8949) as the AWS SDKs write it.
//!
//! Strings, arrays and maps can have a declared length or an end mark. A string with a declared length is borrowed
//! from the body, so that a record needs no second copy in memory. A string in parts is copied once.
//!
//! The input is not trusted. A declared length reserves no memory, and nesting has a limit. Every error names its
//! place. Tags are skipped: the type of a member says more than its tag. Members with the same name are rejected as
//! in JSON.

mod deserializer;
mod error;
mod reader;

use serde::Deserialize;

use error::CborError;
use reader::CborReader;

pub(super) use reader::MAX_DEPTH;

/// Parses a body, which must be one item.
pub(super) fn from_slice<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CborError> {
    let mut reader = CborReader::new(body);
    match T::deserialize(&mut reader) {
        Ok(value) => reader.check_end().map(|()| value),
        Err(error) => Err(error.or_at(reader.item_start())),
    }
}

/// Returns the number of bytes of all strings in parts. Rejects a body that is not one valid item.
pub(super) fn copied_bytes(body: &[u8]) -> Result<usize, CborError> {
    let mut reader = CborReader::new(body);
    let copied_bytes = reader.skip_item()?;
    reader.check_end()?;
    Ok(copied_bytes)
}

#[cfg(test)]
mod tests;
