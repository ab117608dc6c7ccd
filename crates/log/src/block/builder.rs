//! Puts records into blocks.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Block, BlockInfo, MAX_BYTES, MAX_RECORDS};
use crate::slab::{BlockFormat, Columns};
use crate::{NewRecord, Offset, Provenance};

/// Puts records into blocks.
#[derive(Debug)]
pub struct BlockBuilder {
    appended_at: Timestamp,
    /// The offset of the open block's first record.
    start: Offset,
    open: OpenBlock,
    closed: Vec<Block>,
}

#[derive(Debug, Default)]
struct OpenBlock {
    ids: Vec<Uuid>,
    bytes: Vec<u8>,
    columns: Columns,
    event_types: Vec<Arc<str>>,
    /// The index of each event type in `event_types`.
    index_of_type: HashMap<Arc<str>, u16>,
    /// The index of each provenance in `columns`.
    index_of_provenance: HashMap<Arc<Provenance>, u16>,
}

impl BlockBuilder {
    /// Creates a builder whose first record gets the offset `start`.
    pub fn new(start: Offset, appended_at: Timestamp) -> Self {
        Self {
            appended_at,
            start,
            open: OpenBlock::default(),
            closed: Vec::new(),
        }
    }

    /// Returns the offset of the next record.
    pub fn next_offset(&self) -> Offset {
        self.start.plus(self.open.ids.len() as u64)
    }

    /// Adds a record, of at most [`NewRecord::MAX_BYTES`], at [`Self::next_offset`].
    pub fn push(&mut self, record: &NewRecord) {
        let is_full = self.open.ids.len() == MAX_RECORDS
            || self.open.bytes.len() + record.bytes.len() > MAX_BYTES;
        if is_full {
            self.close();
        }
        self.open.push(record);
    }

    /// Returns the blocks, in order; an empty list if nothing was added.
    pub fn finish(mut self) -> Vec<Block> {
        self.close();
        self.closed
    }

    fn close(&mut self) {
        let next = self.next_offset();
        let open = mem::take(&mut self.open);
        // A block needs at least one record.
        if next > self.start {
            let info = BlockInfo {
                start: self.start,
                count: next.since(self.start),
                appended_at: self.appended_at,
                event_types: open.event_types,
            };
            let mut slab = open.bytes;
            open.columns.write(&mut slab);
            self.closed.push(Block {
                info,
                ids: open.ids,
                columns: open.columns,
                format: BlockFormat::Two,
                slab: Bytes::from(slab),
            });
        }
        self.start = next;
    }
}

impl OpenBlock {
    #[expect(clippy::expect_used, reason = "block limits bound all numbers")]
    fn push(&mut self, record: &NewRecord) {
        let type_index = *self
            .index_of_type
            .entry(Arc::clone(&record.event_type))
            .or_insert_with(|| {
                self.event_types.push(Arc::clone(&record.event_type));
                u16::try_from(self.event_types.len() - 1).expect("no more types than records")
            });
        let provenance_index = self.provenance_index(&record.provenance);
        let columns = &mut self.columns;
        if let Some(arrival) = &record.arrival {
            let index = u32::try_from(self.ids.len()).expect("the number of records is limited");
            columns.arrivals.push((index, Arc::clone(arrival)));
        }
        self.ids.push(record.id);
        self.bytes.extend_from_slice(&record.bytes);
        let end = u32::try_from(self.bytes.len()).expect("the length of a block is limited");
        columns.ends.push(end);
        columns.type_indexes.push(type_index);
        columns.occurred_at.push(record.occurred_at);
        columns.provenance_indexes.push(provenance_index);
    }

    #[expect(clippy::expect_used, reason = "no more provenances than records")]
    fn provenance_index(&mut self, provenance: &Arc<Provenance>) -> u16 {
        let Columns {
            provenances,
            provenance_indexes,
            ..
        } = &mut self.columns;
        // Usually it equals the provenance of the previous record.
        if let Some(last) = provenance_indexes.last()
            && provenances.get(usize::from(*last)) == Some(provenance)
        {
            return *last;
        }
        *self
            .index_of_provenance
            .entry(Arc::clone(provenance))
            .or_insert_with(|| {
                provenances.push(Arc::clone(provenance));
                u16::try_from(provenances.len() - 1).expect("no more provenances than records")
            })
    }
}
