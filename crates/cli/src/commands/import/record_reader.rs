//! Reads the records of a file, in parts that end between two values.
//!
//! Memory is bounded: a part, and one value of up to 64 MiB.

use std::collections::VecDeque;
use std::io::{self, Read};

use thiserror::Error;

use super::checkpoint::Checkpoint;
use super::import_record::{ImportRecord, records_of};
use crate::input::{Framing, InputText, Splitter, ValueRange};

/// The bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// The largest value.
const MAX_VALUE_BYTES: usize = 64 << 20;

/// The limits of a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartLimits {
    pub(super) max_records: usize,
    pub(super) max_bytes: usize,
}

/// Consecutive records of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImportPart {
    pub(super) start: u64,
    /// Where the next part begins. It is the start if a value has more records than a part may have.
    pub(super) end: u64,
    pub(super) records: Vec<ImportRecord>,
    /// The checkpoint at `end`.
    pub(super) checkpoint: Checkpoint,
    /// Whether the part ends at the end of the file.
    pub(super) is_last: bool,
    /// The bytes of the file that were read since the last part, before decompression.
    pub(super) read_bytes: usize,
}

/// Why a file cannot be read on.
#[derive(Debug, Error)]
pub(super) enum RecordReadError {
    /// The file or its compression is broken.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file has no JSON.
    #[error("it is neither JSON nor lines of JSON")]
    NotJson,
    /// A value is too large.
    #[error(
        "the value that begins at byte {at} does not end within {} MiB",
        MAX_VALUE_BYTES >> 20
    )]
    LargeValue { at: u64 },
    /// The file ends before the position.
    #[error(
        "it has become shorter: {position} bytes were imported; import it as a new file with --name"
    )]
    Shrunk { position: u64 },
    /// The text before the position is another one.
    #[error(
        "it has changed: the first {position} bytes, which were imported, are different now; import it as a \
         new file with --name"
    )]
    Changed { position: u64 },
    /// A checkpoint of another version.
    #[error(
        "the server has a checkpoint of another version of easel; import the file with that version"
    )]
    UnknownCheckpoint,
}

/// The place where a reader begins.
#[derive(Clone, Debug)]
pub(super) struct StartPlace {
    pub(super) position: u64,
    /// The text that came with the last part; empty at the start.
    pub(super) checkpoint: String,
}

/// Reads the records of a file.
pub(super) struct ImportReader {
    text: InputText,
    limits: PartLimits,
    /// The text from `base` on.
    rest: Vec<u8>,
    base: u64,
    splitter: Splitter,
    /// The values of `rest` that were found and not used.
    values: VecDeque<ValueRange>,
    /// The digest of the text before `base`.
    digest: blake3::Hasher,
    in_array: bool,
    is_at_end: bool,
    is_done: bool,
    /// Parts of a value with many records.
    ready: VecDeque<ImportPart>,
}

impl ImportReader {
    /// Opens a file. Reads and compares the text before the start place.
    pub(super) fn open(
        file: impl Read + 'static,
        limits: PartLimits,
        start: &StartPlace,
    ) -> Result<Self, RecordReadError> {
        let mut reader = Self {
            text: InputText::open(file)?,
            limits,
            rest: Vec::new(),
            base: 0,
            splitter: Splitter::default(),
            values: VecDeque::new(),
            digest: blake3::Hasher::new(),
            in_array: false,
            is_at_end: false,
            is_done: false,
            ready: VecDeque::new(),
        };
        if start.position > 0 {
            let checkpoint = start.checkpoint.parse();
            let checkpoint = checkpoint.map_err(|()| RecordReadError::UnknownCheckpoint)?;
            reader.skip_to(start.position, &checkpoint)?;
        }
        Ok(reader)
    }

    fn skip_to(&mut self, position: u64, wanted: &Checkpoint) -> Result<(), RecordReadError> {
        let mut buffer = vec![0; READ_BYTES];
        while self.base < position {
            let missing = usize::try_from(position - self.base).unwrap_or(usize::MAX);
            let most = std::cmp::min(missing, buffer.len());
            let read = self.text.read(buffer.get_mut(..most).unwrap_or_default())?;
            if read == 0 {
                return Err(RecordReadError::Shrunk { position });
            }
            self.digest.update(buffer.get(..read).unwrap_or_default());
            self.base += read as u64;
        }
        if self.digest.finalize().to_hex().as_str() != wanted.digest {
            return Err(RecordReadError::Changed { position });
        }
        self.splitter = Splitter::resume(wanted.framing, wanted.in_array);
        self.in_array = wanted.in_array;
        Ok(())
    }

    /// Returns the next part, or `None` after the last one.
    pub(super) fn next_part(&mut self) -> Result<Option<ImportPart>, RecordReadError> {
        if let Some(part) = self.ready.pop_front() {
            return Ok(Some(part));
        }
        if self.is_done {
            return Ok(None);
        }
        let start = self.base;
        let (mut records, mut bytes, mut used) = (Vec::new(), 0, 0);
        loop {
            let Some(value) = self.values.front().cloned() else {
                if !self.is_at_end {
                    self.fill()?;
                    continue;
                }
                self.is_done = true;
                used = self.rest.len();
                return Ok(Some(self.cut(start, used, records)));
            };
            let found = self.rest.get(value.range.clone()).unwrap_or_default();
            let at = self.base + value.range.start as u64;
            let found = records_of(found, at, self.framing());
            let found_bytes = found.iter().map(|record| record.bytes.len()).sum::<usize>();
            let is_large = found.len() > 1
                && (found.len() > self.limits.max_records || found_bytes > self.limits.max_bytes);
            if is_large && used > 0 {
                // The value begins the next part.
                return Ok(Some(self.cut(start, used, records)));
            }
            self.values.pop_front();
            used = value.range.end;
            self.in_array = value.in_array;
            if is_large {
                return Ok(Some(self.divide(used, found)));
            }
            bytes += found_bytes;
            records.extend(found);
            if records.len() >= self.limits.max_records || bytes >= self.limits.max_bytes {
                return Ok(Some(self.cut(start, used, records)));
            }
        }
    }

    /// Divides the records of one value into parts. Only the last part moves the position.
    fn divide(&mut self, used: usize, records: Vec<ImportRecord>) -> ImportPart {
        let start = self.base;
        let before = self.checkpoint();
        let mut chunks: VecDeque<Vec<ImportRecord>> = VecDeque::new();
        let mut bytes = 0;
        for record in records {
            let is_full = bytes >= self.limits.max_bytes
                || chunks
                    .back()
                    .is_none_or(|chunk| chunk.len() >= self.limits.max_records);
            if is_full {
                chunks.push_back(Vec::new());
                bytes = 0;
            }
            bytes += record.bytes.len();
            if let Some(chunk) = chunks.back_mut() {
                chunk.push(record);
            }
        }
        let last = chunks.pop_back().unwrap_or_default();
        let parts = chunks.into_iter().map(|records| ImportPart {
            start,
            end: start,
            records,
            checkpoint: before.clone(),
            is_last: false,
            read_bytes: 0,
        });
        self.ready.extend(parts);
        let last = self.cut(start, used, last);
        match self.ready.pop_front() {
            Some(first) => {
                self.ready.push_back(last);
                first
            }
            None => last,
        }
    }

    /// Makes a part of the first `used` bytes.
    fn cut(&mut self, start: u64, used: usize, records: Vec<ImportRecord>) -> ImportPart {
        self.digest
            .update(self.rest.get(..used).unwrap_or_default());
        self.rest.drain(..used);
        self.base += used as u64;
        self.splitter.cut(used);
        for value in &mut self.values {
            value.range = value.range.start - used..value.range.end - used;
        }
        ImportPart {
            start,
            end: self.base,
            records,
            checkpoint: self.checkpoint(),
            is_last: self.is_done,
            read_bytes: self.text.take_read_bytes(),
        }
    }

    /// Reads more text and finds its values.
    fn fill(&mut self) -> Result<(), RecordReadError> {
        let more = READ_BYTES as u64;
        let read = self.text.by_ref().take(more).read_to_end(&mut self.rest)?;
        self.is_at_end = read == 0;
        let is_first = self.splitter.framing().is_none();
        let mut found = Vec::new();
        self.splitter.split(&self.rest, self.is_at_end, &mut found);
        let first = self.rest.trim_ascii_start().first();
        let is_json = first.is_none_or(|byte| matches!(byte, b'{' | b'['));
        if is_first && !is_json && self.framing() == Framing::Brackets {
            return Err(RecordReadError::NotJson);
        }
        self.values.extend(found);
        if self.values.is_empty() && self.rest.len() > MAX_VALUE_BYTES {
            return Err(RecordReadError::LargeValue { at: self.base });
        }
        Ok(())
    }

    fn framing(&self) -> Framing {
        self.splitter.framing().unwrap_or(Framing::Lines)
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            framing: self.framing(),
            in_array: self.in_array,
            digest: self.digest.finalize().to_hex().to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
