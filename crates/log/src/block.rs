//! The records of one commit, the log's unit of storage.
//!
//! A block in memory keeps all its records' bytes in one slab, exactly as the codec compresses
//! it: the records' bytes back to back, then their lengths, then the index of each one's event
//! type. So neither writing nor reading a block copies its records, and a record handed out is a
//! slice of the slab.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{NewRecord, Offset, Record};

/// The most records of one block.
pub const MAX_RECORDS: usize = 4_096;
/// The most record bytes of one block, unless a single record is larger.
pub const MAX_BYTES: usize = 1 << 20;

/// Bytes of the slab that each record takes besides its own: a `u32` length, a `u16` type index.
const INDEX_BYTES: usize = 6;

/// What a block holds, without its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// The place of its first record.
    pub first: Offset,
    /// How many records it holds, at least one.
    pub count: u64,
    /// When it was committed; where damage hides that, when the next one was.
    pub appended_at: Timestamp,
    /// The event types in it, each once. Empty only when damage hides what was there: then
    /// nothing may be concluded from it, and reading the place tells what to skip.
    pub event_types: Vec<Arc<str>>,
}

impl BlockInfo {
    /// The place right after its last record.
    pub const fn next(&self) -> Offset {
        self.first.plus(self.count)
    }
}

/// The records of one commit, or a part of it: at most 4,096 records and 1 MiB, or one record.
#[derive(Clone, Debug)]
pub struct Block {
    info: BlockInfo,
    ids: Vec<Uuid>,
    /// For each record, its event type's index in `info.event_types`; always within it.
    type_indexes: Vec<u16>,
    /// Where each record's bytes end in the slab; never falls, and stays within it.
    ends: Vec<u32>,
    slab: Bytes,
}

impl Block {
    /// The block with these ids and this slab, or `None` when they do not fit together.
    pub(crate) fn new(info: BlockInfo, ids: Vec<Uuid>, slab: Bytes) -> Option<Self> {
        let count = usize::try_from(info.count).ok()?;
        let bytes_len = slab.len().checked_sub(count.checked_mul(INDEX_BYTES)?)?;
        let (lengths, type_indexes) = slab.get(bytes_len..)?.split_at_checked(count * 4)?;
        let ends: Vec<u32> = lengths
            .chunks_exact(4)
            .scan(0_u32, |end, length| {
                *end = end.checked_add(u32::from_le_bytes(length.try_into().ok()?))?;
                Some(*end)
            })
            .collect();
        let type_indexes: Vec<u16> = type_indexes
            .chunks_exact(2)
            .map_while(|index| Some(u16::from_le_bytes(index.try_into().ok()?)))
            .collect();
        let fits = count > 0
            && ids.len() == count
            && ends.len() == count
            && ends.last().and_then(|end| usize::try_from(*end).ok()) == Some(bytes_len)
            && type_indexes
                .iter()
                .all(|index| usize::from(*index) < info.event_types.len());
        fits.then_some(Self {
            info,
            ids,
            type_indexes,
            ends,
            slab,
        })
    }

    /// What the block holds, without its records.
    pub const fn info(&self) -> &BlockInfo {
        &self.info
    }

    /// The place of its first record.
    pub const fn first(&self) -> Offset {
        self.info.first
    }

    /// The place right after its last record.
    pub const fn next(&self) -> Offset {
        self.info.next()
    }

    /// How many records it holds, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a block is never empty")]
    pub const fn len(&self) -> usize {
        self.ids.len()
    }

    /// When it was committed.
    pub const fn appended_at(&self) -> Timestamp {
        self.info.appended_at
    }

    /// The event types in it, each once.
    pub fn event_types(&self) -> &[Arc<str>] {
        &self.info.event_types
    }

    /// Where in [`Self::event_types`] the event type of the record at `offset` is.
    pub fn event_type_index(&self, offset: Offset) -> Option<usize> {
        self.type_indexes
            .get(self.index(offset)?)
            .map(|index| usize::from(*index))
    }

    /// Its records, in order.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        (0..self.len()).filter_map(|index| self.at(index))
    }

    /// Its records from `from` on, in order.
    pub fn records_from(&self, from: Offset) -> impl Iterator<Item = Record> {
        let start = usize::try_from(from.since(self.first())).unwrap_or(usize::MAX);
        (start..self.len()).filter_map(|index| self.at(index))
    }

    /// The record at `offset`, if it lies in this block.
    pub fn record(&self, offset: Offset) -> Option<Record> {
        self.at(self.index(offset)?)
    }

    /// The ids of its records, in order.
    pub(crate) fn ids(&self) -> &[Uuid] {
        &self.ids
    }

    /// Records' bytes, lengths and type indexes, as they are compressed.
    pub(crate) const fn slab(&self) -> &Bytes {
        &self.slab
    }

    /// About how much memory it takes.
    pub fn memory(&self) -> usize {
        let names: usize = self
            .info
            .event_types
            .iter()
            .map(|name| name.len() + 32)
            .sum();
        size_of::<Self>() + self.slab.len() + self.len() * (16 + INDEX_BYTES) + names
    }

    fn index(&self, offset: Offset) -> Option<usize> {
        let inside = (self.first()..self.next()).contains(&offset);
        usize::try_from(offset.since(self.first()))
            .ok()
            .filter(|_| inside)
    }

    fn at(&self, index: usize) -> Option<Record> {
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        let bytes = usize::try_from(start).ok()?..usize::try_from(*self.ends.get(index)?).ok()?;
        let event_type = self
            .info
            .event_types
            .get(usize::from(*self.type_indexes.get(index)?))?;
        Some(Record {
            offset: self.first().plus(u64::try_from(index).ok()?),
            id: *self.ids.get(index)?,
            event_type: Arc::clone(event_type),
            appended_at: self.appended_at(),
            bytes: self.slab.slice(bytes),
        })
    }
}

/// Puts records into blocks.
#[derive(Debug)]
pub struct BlockBuilder {
    appended_at: Timestamp,
    /// The place of the open block's first record.
    first: Offset,
    open: OpenBlock,
    closed: Vec<Block>,
}

#[derive(Debug, Default)]
struct OpenBlock {
    ids: Vec<Uuid>,
    lengths: Vec<u8>,
    type_indexes: Vec<u8>,
    bytes: Vec<u8>,
    event_types: Vec<Arc<str>>,
    known_types: HashMap<Arc<str>, u16>,
}

impl BlockBuilder {
    /// A builder whose first record gets the place `first`.
    pub fn new(first: Offset, appended_at: Timestamp) -> Self {
        Self {
            appended_at,
            first,
            open: OpenBlock::default(),
            closed: Vec::new(),
        }
    }

    /// The place the next record will get.
    pub fn next(&self) -> Offset {
        self.first.plus(self.open.ids.len() as u64)
    }

    /// Adds a record, of at most [`NewRecord::MAX_BYTES`], at [`Self::next`].
    #[expect(clippy::expect_used, reason = "both numbers have a bound that fits")]
    pub fn push(&mut self, record: &NewRecord) {
        let is_full = self.open.ids.len() == MAX_RECORDS
            || self.open.bytes.len() + record.bytes.len() > MAX_BYTES;
        if is_full {
            self.close();
        }
        let open = &mut self.open;
        let type_index = *open
            .known_types
            .entry(Arc::clone(&record.event_type))
            .or_insert_with(|| {
                open.event_types.push(Arc::clone(&record.event_type));
                u16::try_from(open.event_types.len() - 1).expect("no more types than records")
            });
        let length = u32::try_from(record.bytes.len()).expect("no longer than a record may be");
        open.ids.push(record.id);
        open.lengths.extend_from_slice(&length.to_le_bytes());
        open.type_indexes
            .extend_from_slice(&type_index.to_le_bytes());
        open.bytes.extend_from_slice(&record.bytes);
    }

    /// The blocks, in order; none when nothing was added.
    pub fn finish(mut self) -> Vec<Block> {
        self.close();
        self.closed
    }

    fn close(&mut self) {
        let next = self.next();
        let open = mem::take(&mut self.open);
        let info = BlockInfo {
            first: self.first,
            count: next.since(self.first),
            appended_at: self.appended_at,
            event_types: open.event_types,
        };
        let mut slab = open.bytes;
        slab.extend_from_slice(&open.lengths);
        slab.extend_from_slice(&open.type_indexes);
        // Without records there is no block.
        self.closed
            .extend(Block::new(info, open.ids, Bytes::from(slab)));
        self.first = next;
    }
}
