//! The records of one commit, or of a part of it: the log's unit of storage.
//!
//! A block in memory has the bytes of all its records in one slab, and the codec compresses the slab
//! as it is. So neither writing nor reading a block copies its records. A returned record is a slice
//! of the slab.

mod builder;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::slab::{BlockFormat, Columns};
use crate::{ExtractFacts, Offset, Record};

pub use builder::BlockBuilder;

/// The maximum number of records of a block.
pub const MAX_RECORDS: usize = 4_096;
/// The maximum number of record bytes of a block, unless a single record is larger.
pub const MAX_BYTES: usize = 1 << 20;

/// The facts about a block, without its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// The offset of its first record.
    pub start: Offset,
    /// Number of records, at least one.
    pub count: u64,
    /// When it was committed. If damage hides this time, it is the commit time of the next block.
    /// If there is no next block, it is the newest commit time of the log.
    pub appended_at: Timestamp,
    /// The event types of its records, each once. Empty if damage hides them. A reader must then read
    /// the block, which returns the damaged range.
    pub event_types: Vec<Arc<str>>,
}

impl BlockInfo {
    /// Returns the offset after its last record.
    pub const fn end(&self) -> Offset {
        self.start.plus(self.count)
    }
}

/// The records of one commit, or of a part of it: at most 4,096 records and 1 MiB, or one larger
/// record.
#[derive(Clone, Debug)]
pub struct Block {
    info: BlockInfo,
    ids: Vec<Uuid>,
    /// The facts about each record. Every type index is within `info.event_types`.
    columns: Columns,
    format: BlockFormat,
    slab: Bytes,
}

impl Block {
    /// Creates a block from these parts, or returns `None` if the parts do not match each other.
    pub(crate) fn from_parts(
        info: BlockInfo,
        ids: Vec<Uuid>,
        slab: Bytes,
        format: BlockFormat,
        extract_facts: ExtractFacts,
    ) -> Option<Self> {
        let count = usize::try_from(info.count)
            .ok()
            .filter(|count| *count > 0)?;
        let columns = Columns::read(&slab, count, format, extract_facts)?;
        let is_type = |index: &u16| usize::from(*index) < info.event_types.len();
        let parts_match = ids.len() == count && columns.type_indexes.iter().all(is_type);
        parts_match.then_some(Self {
            info,
            ids,
            columns,
            format,
            slab,
        })
    }

    /// Returns the facts about the block, without its records.
    pub const fn info(&self) -> &BlockInfo {
        &self.info
    }

    /// Returns the offset of its first record.
    pub const fn start(&self) -> Offset {
        self.info.start
    }

    /// Returns the offset after its last record.
    pub const fn end(&self) -> Offset {
        self.info.end()
    }

    /// Returns the number of records, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a block is never empty")]
    pub const fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns when it was committed.
    pub const fn appended_at(&self) -> Timestamp {
        self.info.appended_at
    }

    /// Returns the event types of its records, each once.
    pub fn event_types(&self) -> &[Arc<str>] {
        &self.info.event_types
    }

    /// Returns the index in [`Self::event_types`] for the record at `offset`.
    pub fn event_type_index(&self, offset: Offset) -> Option<usize> {
        self.columns
            .type_indexes
            .get(self.index(offset)?)
            .map(|index| usize::from(*index))
    }

    /// Returns its records, in order.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        (0..self.len()).filter_map(|index| self.at(index))
    }

    /// Returns its records from `from` on, in order.
    pub fn records_from(&self, from: Offset) -> impl Iterator<Item = Record> {
        let start = usize::try_from(from.since(self.start())).unwrap_or(usize::MAX);
        (start..self.len()).filter_map(|index| self.at(index))
    }

    /// Returns the record at `offset`, if it is in this block.
    pub fn record(&self, offset: Offset) -> Option<Record> {
        self.at(self.index(offset)?)
    }

    /// Returns the ids of its records, in order.
    pub(crate) fn ids(&self) -> &[Uuid] {
        &self.ids
    }

    /// Returns the format of its slab.
    pub(crate) const fn format(&self) -> BlockFormat {
        self.format
    }

    /// Returns the slab that the codec compresses: the records' bytes and their columns.
    pub(crate) const fn slab(&self) -> &Bytes {
        &self.slab
    }

    /// Returns about how many bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        let name_bytes: usize = self
            .info
            .event_types
            .iter()
            .map(|name| name.len() + 32)
            .sum();
        size_of::<Self>()
            + self.slab.len()
            + self.len() * 16
            + self.columns.memory_bytes()
            + name_bytes
    }

    fn index(&self, offset: Offset) -> Option<usize> {
        let inside = (self.start()..self.end()).contains(&offset);
        usize::try_from(offset.since(self.start()))
            .ok()
            .filter(|_| inside)
    }

    fn at(&self, index: usize) -> Option<Record> {
        let Columns {
            ends,
            type_indexes,
            occurred_at,
            provenance_indexes,
            provenances,
            arrivals,
        } = &self.columns;
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => *ends.get(before)?,
        };
        let range = usize::try_from(start).ok()?..usize::try_from(*ends.get(index)?).ok()?;
        let event_types = &self.info.event_types;
        let event_type = event_types.get(usize::from(*type_indexes.get(index)?))?;
        let provenance = provenances.get(usize::from(*provenance_indexes.get(index)?))?;
        let record_index = u32::try_from(index).ok()?;
        let found = arrivals.binary_search_by_key(&record_index, |(index, _)| *index);
        let arrival = found.ok().and_then(|found| arrivals.get(found));
        Some(Record {
            offset: self.start().plus(u64::try_from(index).ok()?),
            id: *self.ids.get(index)?,
            event_type: Arc::clone(event_type),
            occurred_at: occurred_at.get(index)?.unwrap_or(self.appended_at()),
            appended_at: self.appended_at(),
            provenance: Arc::clone(provenance),
            arrival: arrival.map(|(_, arrival)| Arc::clone(arrival)),
            bytes: self.slab.slice(range),
        })
    }
}
