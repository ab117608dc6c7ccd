//! How a block is written down: format 2.
//!
//! A block is a header, its ids, and its data.
//!
//! - **Data**: the length of the slab as a `u32`, then the slab as an LZ4 block. The slab is the
//!   records' bytes and what is said of them; `slab.rs` describes it.
//! - **Ids**: 16 bytes a record, in order. They are random, so they are not compressed, and they
//!   lie apart from the data because the duplicate window and the search by id read only them.
//! - **Header**: `first`, `count`, `appended_at` (microseconds since 1970), `stored_bytes` (length
//!   of ids and data) as `i64`; `event_types`, a JSON object with `format` (2) and `event_types`,
//!   an array of strings; `digest` and `checksum`.
//!
//! Format 1 differs in its slab, and its `event_types` are the array alone. It is read for ever,
//! beside blocks of format 2. What it lacks is read from the records when a block is decoded, by a
//! function that the log is given when it is opened.
//!
//! All numbers are little endian. `digest` is the first 16 bytes of BLAKE3 over ids and data,
//! `checksum` those of BLAKE3 over `first`, `count`, `appended_at`, `stored_bytes`, `digest`,
//! `event_types`. So a header proves itself and its format without the records, and a changed bit
//! anywhere in the block is found. Decoding takes whatever bytes there are: they are checked, then
//! believed.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::block::{Block, BlockInfo};
use crate::slab::BlockFormat;
use crate::{Offset, ReadFacts};

/// The first 16 bytes of a BLAKE3 hash.
pub type Sum = [u8; 16];

/// A block ready to be written.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// What the header says.
    pub columns: HeaderColumns,
    /// The sum of the header.
    pub checksum: Sum,
    /// The ids.
    pub ids: Vec<u8>,
    /// The compressed slab.
    pub data: Vec<u8>,
}

/// A header as it lies on disk, not yet believed.
#[derive(Clone, Debug)]
pub struct HeaderColumns {
    /// The place of the first record.
    pub first: i64,
    /// How many records there are.
    pub count: i64,
    /// When the block was committed, in microseconds since 1970.
    pub appended_at: i64,
    /// The length of ids and data.
    pub stored_bytes: i64,
    /// The format and the event types, as JSON.
    pub event_types: String,
    /// The sum of ids and data.
    pub digest: Sum,
}

/// A header whose checksum fits.
#[derive(Clone, Debug)]
pub struct BlockHeader {
    /// What the block holds.
    pub info: BlockInfo,
    /// The length of ids and data.
    pub stored_bytes: u64,
    format: BlockFormat,
    digest: Sum,
}

/// Writes a block down.
#[expect(clippy::expect_used, reason = "strings become JSON without fail")]
pub fn encode(block: &Block) -> Encoded {
    let info = block.info();
    let ids: Vec<u8> = block.ids().iter().flat_map(|id| *id.as_bytes()).collect();
    let data = lz4_flex::block::compress_prepend_size(block.slab());
    let event_types = match block.format() {
        BlockFormat::One => serde_json::to_string(&info.event_types),
        BlockFormat::Two => serde_json::to_string(&EventTypesJson {
            format: 2,
            event_types: info.event_types.clone(),
        }),
    };
    let columns = HeaderColumns {
        first: column(info.first.get()),
        count: column(info.count),
        appended_at: info.appended_at.as_microsecond(),
        stored_bytes: column((ids.len() + data.len()) as u64),
        event_types: event_types.expect("strings become JSON"),
        digest: sum(&[&ids, &data]),
    };
    Encoded {
        checksum: columns.checksum(),
        columns,
        ids,
        data,
    }
}

/// Reads a block back, or `None` when these are not the ids and the data the header was written
/// with. Of a block of format 1, `read_facts` reads what it lacks.
pub fn decode(
    header: &BlockHeader,
    ids: &[u8],
    data: &[u8],
    read_facts: ReadFacts,
) -> Option<Block> {
    if u64::try_from(ids.len()).ok()? != header.info.count.checked_mul(16)?
        || sum(&[ids, data]) != header.digest
    {
        return None;
    }
    Block::read(
        header.info.clone(),
        decode_ids(ids),
        Bytes::from(decompress(data)?),
        header.format,
        read_facts,
    )
}

/// Reads ids back.
pub fn decode_ids(ids: &[u8]) -> Vec<Uuid> {
    ids.chunks_exact(16)
        .filter_map(|id| Uuid::from_slice(id).ok())
        .collect()
}

/// A number as SQLite keeps it; no log grows beyond what fits.
pub fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first 16 bytes of BLAKE3 over the parts, one after the other.
pub fn sum(parts: &[&[u8]]) -> Sum {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut sum = Sum::default();
    hasher.finalize_xof().fill(&mut sum);
    sum
}

impl HeaderColumns {
    /// The header, or `None` when it is not what was written with this checksum.
    pub fn verify(self, checksum: Sum) -> Option<BlockHeader> {
        if self.checksum() != checksum {
            return None;
        }
        let (format, event_types) = read_event_types(&self.event_types)?;
        Some(BlockHeader {
            info: BlockInfo {
                first: Offset::new(u64::try_from(self.first).ok()?),
                count: u64::try_from(self.count).ok().filter(|count| *count > 0)?,
                appended_at: Timestamp::from_microsecond(self.appended_at).ok()?,
                event_types,
            },
            stored_bytes: u64::try_from(self.stored_bytes).ok()?,
            format,
            digest: self.digest,
        })
    }

    fn checksum(&self) -> Sum {
        sum(&[
            &self.first.to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.appended_at.to_le_bytes(),
            &self.stored_bytes.to_le_bytes(),
            &self.digest,
            self.event_types.as_bytes(),
        ])
    }
}

/// The event types of a block of format 2 and later.
#[derive(Serialize, Deserialize)]
struct EventTypesJson {
    format: u32,
    event_types: Vec<Arc<str>>,
}

/// A block's format and event types, unless it is of a format that nobody knows.
fn read_event_types(json: &str) -> Option<(BlockFormat, Vec<Arc<str>>)> {
    if json.starts_with('[') {
        return Some((BlockFormat::One, serde_json::from_str(json).ok()?));
    }
    let json: EventTypesJson = serde_json::from_str(json).ok()?;
    (json.format == 2).then_some((BlockFormat::Two, json.event_types))
}

/// Undoes LZ4 without ever taking more memory than the data can stand for.
fn decompress(data: &[u8]) -> Option<Vec<u8>> {
    /// One byte of an LZ4 block stands for at most this many.
    const MAX_RATIO: usize = 255;
    let (size, compressed) = lz4_flex::block::uncompressed_size(data).ok()?;
    if size / MAX_RATIO > compressed.len() {
        return None;
    }
    lz4_flex::block::decompress(compressed, size)
        .ok()
        .filter(|slab| slab.len() == size)
}

#[cfg(test)]
mod tests;
