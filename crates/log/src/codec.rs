//! The encoding of a block: format 2.
//!
//! A block consists of a header, ids and data.
//!
//! - **Data**: the length of the slab as a `u32`, then the slab as an LZ4 block. The slab has the
//!   records' bytes and their columns; `slab.rs` describes it.
//! - **Ids**: 16 bytes per record, in order. They are random and therefore not compressed. They are
//!   separate from the data, because the duplicate window and the search by id read only
//!   the ids.
//! - **Header**: `first` (offset of the first record), `count` (number of records), `appended_at`
//!   (microseconds since 1970), `stored_bytes` (length of ids and data), each as an `i64`;
//!   `event_types`, a JSON object with `format` (2) and `event_types`, an array of strings; `digest`
//!   and `checksum`.
//!
//! Format 1 has another slab, and its `event_types` are only the array. Every version of Easel must
//! read both formats, because one log can have blocks of both. The decoder reads the facts that
//! format 1 lacks from the records, with the [`ExtractFacts`] function of the log.
//!
//! All numbers are little endian. `digest` is the first 16 bytes of BLAKE3 over ids and data.
//! `checksum` is the first 16 bytes of BLAKE3 over `first`, `count`, `appended_at`, `stored_bytes`,
//! `digest`, `event_types`. So a header and its format can be validated without the records, and a
//! changed bit anywhere in the block is found. Decoding accepts arbitrary bytes: it validates them
//! before it uses them.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::block::{Block, BlockInfo};
use crate::slab::BlockFormat;
use crate::{ExtractFacts, Offset};

/// The first 16 bytes of a BLAKE3 hash.
pub type Digest = [u8; 16];

/// An encoded block.
#[derive(Clone, Debug)]
pub struct EncodedBlock {
    /// The columns of the header.
    pub columns: HeaderColumns,
    /// The checksum of the header.
    pub checksum: Digest,
    /// The ids.
    pub ids: Vec<u8>,
    /// The compressed slab.
    pub data: Vec<u8>,
}

/// A header as stored on disk, not validated yet. Each field is named like its column.
#[derive(Clone, Debug)]
pub struct HeaderColumns {
    /// The offset of the first record.
    pub first: i64,
    /// Number of records.
    pub count: i64,
    /// When the block was committed, in microseconds since 1970.
    pub appended_at: i64,
    /// Bytes of ids and data.
    pub stored_bytes: i64,
    /// The format and the event types, as JSON.
    pub event_types: String,
    /// The digest of ids and data.
    pub digest: Digest,
}

/// A header with a valid checksum.
#[derive(Clone, Debug)]
pub struct BlockHeader {
    /// The facts about the block.
    pub info: BlockInfo,
    /// Bytes of ids and data.
    pub stored_bytes: u64,
    format: BlockFormat,
    digest: Digest,
}

/// Encodes a block.
#[expect(clippy::expect_used, reason = "strings always become JSON")]
pub fn encode(block: &Block) -> EncodedBlock {
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
        first: to_sql(info.start.get()),
        count: to_sql(info.count),
        appended_at: info.appended_at.as_microsecond(),
        stored_bytes: to_sql((ids.len() + data.len()) as u64),
        event_types: event_types.expect("strings become JSON"),
        digest: digest(&[&ids, &data]),
    };
    EncodedBlock {
        checksum: columns.checksum(),
        columns,
        ids,
        data,
    }
}

/// Decodes a block. Returns `None` if `ids` and `data` do not match the header.
///
/// For a block of format 1, `extract_facts` extracts the missing facts from the records.
pub fn decode(
    header: &BlockHeader,
    ids: &[u8],
    data: &[u8],
    extract_facts: ExtractFacts,
) -> Option<Block> {
    if u64::try_from(ids.len()).ok()? != header.info.count.checked_mul(16)?
        || digest(&[ids, data]) != header.digest
    {
        return None;
    }
    Block::from_parts(
        header.info.clone(),
        decode_ids(ids),
        Bytes::from(decompress(data)?),
        header.format,
        extract_facts,
    )
}

/// Decodes the ids of a block.
pub fn decode_ids(ids: &[u8]) -> Vec<Uuid> {
    ids.chunks_exact(16)
        .filter_map(|id| Uuid::from_slice(id).ok())
        .collect()
}

/// Converts a number to a signed SQL integer, saturating. No log reaches the limit.
pub fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the first 16 bytes of BLAKE3 over the concatenated parts.
pub fn digest(parts: &[&[u8]]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut digest = Digest::default();
    hasher.finalize_xof().fill(&mut digest);
    digest
}

impl HeaderColumns {
    /// Validates the header. Returns `None` if it does not match the checksum or is invalid.
    pub fn verify(self, checksum: Digest) -> Option<BlockHeader> {
        if self.checksum() != checksum {
            return None;
        }
        let (format, event_types) = parse_event_types(&self.event_types)?;
        Some(BlockHeader {
            info: BlockInfo {
                start: Offset::new(u64::try_from(self.first).ok()?),
                count: u64::try_from(self.count).ok().filter(|count| *count > 0)?,
                appended_at: Timestamp::from_microsecond(self.appended_at).ok()?,
                event_types,
            },
            stored_bytes: u64::try_from(self.stored_bytes).ok()?,
            format,
            digest: self.digest,
        })
    }

    fn checksum(&self) -> Digest {
        digest(&[
            &self.first.to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.appended_at.to_le_bytes(),
            &self.stored_bytes.to_le_bytes(),
            &self.digest,
            self.event_types.as_bytes(),
        ])
    }
}

/// The column `event_types` of a block of format 2.
#[derive(Serialize, Deserialize)]
struct EventTypesJson {
    format: u32,
    event_types: Vec<Arc<str>>,
}

/// Parses a block's format and event types. Returns `None` for an unknown format.
fn parse_event_types(json: &str) -> Option<(BlockFormat, Vec<Arc<str>>)> {
    if json.starts_with('[') {
        return Some((BlockFormat::One, serde_json::from_str(json).ok()?));
    }
    let json: EventTypesJson = serde_json::from_str(json).ok()?;
    (json.format == 2).then_some((BlockFormat::Two, json.event_types))
}

/// Decompresses LZ4. Never allocates more memory than the data can decompress to.
fn decompress(data: &[u8]) -> Option<Vec<u8>> {
    /// One byte of an LZ4 block decompresses to at most this number of bytes.
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
