//! Reads single records.

use std::sync::Arc;

use crate::{Block, Log, Offset, Read, ReadError, Record};

/// Reads records at ascending offsets. It reads each block only once.
#[derive(Debug)]
pub struct RecordReader<'a> {
    log: &'a dyn Log,
    /// The block that was read last.
    block: Option<Arc<Block>>,
}

impl<'a> RecordReader<'a> {
    /// Creates a reader of this log.
    pub const fn new(log: &'a dyn Log) -> Self {
        Self { log, block: None }
    }

    /// Returns the record at `offset`, or `None` if it is trimmed, damaged or not appended yet.
    pub async fn read(&mut self, offset: Offset) -> Result<Option<Record>, ReadError> {
        let block = self.block.take().filter(|block| offset < block.end());
        self.block = match block {
            Some(block) => Some(block),
            None => match self.log.read(offset).await? {
                Read::Block(block) => Some(block),
                Read::Damaged(_) | Read::End => None,
            },
        };
        Ok(self.block.as_ref().and_then(|block| block.record(offset)))
    }
}
