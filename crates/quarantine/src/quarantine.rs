//! The quarantine: a log of invalid records.
//!
//! A log changes nothing in place. So an admitted record is hidden by a mark that is appended later.
//! Records that an operator removes are trimmed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use easel_log::{
    AppendError, Appended, Clock, Found, Offset, ReadError, Reader, Record, SharedLog, TrimError,
    Want,
};
use jiff::Timestamp;

use crate::mark::{self, Marks, RetryMark};
use crate::quarantined::{
    NewQuarantined, Quarantined, from_record, message_id, reach_of, to_record,
};

/// Maximum bytes of stored records in one list.
const MAX_LIST_BYTES: usize = 4 << 20;

/// Maximum bytes of records of others that one page passes.
const MAX_PASSED_BYTES: usize = 64 << 20;

/// A part of the quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinePage {
    /// The records, oldest first.
    pub records: Vec<Quarantined>,
    /// Where the next page begins.
    pub next: Offset,
}

impl QuarantinePage {
    const fn new(from: Offset) -> Self {
        Self {
            records: Vec::new(),
            next: from,
        }
    }
}

/// The invalid records that the doors took in.
#[derive(Clone, Debug)]
pub struct Quarantine {
    log: SharedLog,
    clock: Arc<dyn Clock>,
    marks: Arc<Mutex<Marks>>,
}

impl Quarantine {
    /// Creates the quarantine in `log`, which must have no other records and no duplicate window.
    ///
    /// Call [`load`](Self::load) to load earlier marks.
    pub fn new(log: SharedLog, clock: Arc<dyn Clock>) -> Self {
        Self {
            log,
            clock,
            marks: Arc::default(),
        }
    }

    /// Loads the marks from the log. Skips blocks without marks.
    pub async fn load(&self) -> Result<(), ReadError> {
        let tail = self.log.bounds().borrow().tail;
        let mut reader =
            Reader::new(Arc::clone(&self.log), tail).wanting(Want::event_types(mark::is_mark));
        while let Some(found) = reader.try_next().await? {
            if let Found::Block { block, from } = found {
                let records = block.records_from(from);
                for record in records.filter(|record| mark::is_mark(&record.event_type)) {
                    self.with_marks(|marks| marks.add_from(&record))?;
                }
            }
        }
        Ok(())
    }

    /// Marks these records as tried, on stable storage. Call it before their events are appended to
    /// the event log.
    pub async fn mark_trying(&self, records: &[Offset]) -> Result<(), AppendError> {
        self.mark(RetryMark::Trying, records).await
    }

    /// Hides these records, on stable storage. Call it after their events were appended.
    pub async fn mark_admitted(&self, records: &[Offset]) -> Result<(), AppendError> {
        self.mark(RetryMark::Admitted, records).await
    }

    /// Returns whether the event of this record may be in the event log already.
    pub fn was_tried(&self, record: Offset) -> bool {
        self.with_marks(|marks| marks.tried.contains(&record))
    }

    async fn mark(&self, code: RetryMark, records: &[Offset]) -> Result<(), AppendError> {
        if records.is_empty() {
            return Ok(());
        }
        let mark = mark::to_record(code, records, self.clock.now());
        let appended = self.log.append(vec![mark]).await?;
        self.with_marks(|marks| {
            for result in appended {
                marks.add(result.offset(), code, records);
            }
        });
        Ok(())
    }

    fn with_marks<T>(&self, work: impl FnOnce(&mut Marks) -> T) -> T {
        work(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stores these items and returns their offsets.
    pub async fn put(&self, items: Vec<NewQuarantined>) -> Result<Vec<Offset>, AppendError> {
        let received_at = self.clock.now();
        let records = items
            .iter()
            .map(|item| to_record(item, received_at))
            .collect();
        Ok(self
            .log
            .append(records)
            .await?
            .into_iter()
            .map(Appended::offset)
            .collect())
    }

    /// Returns those of these ids whose messages were put into quarantine at `since` or later, also if they were
    /// admitted later. Reads everything from that time on.
    pub async fn find_messages(
        &self,
        ids: &HashSet<Arc<str>>,
        since: Timestamp,
    ) -> Result<HashSet<Arc<str>>, ReadError> {
        let from = self.log.find_time(since).await?;
        let mut reader = Reader::new(Arc::clone(&self.log), from);
        let mut known = HashSet::new();
        while known.len() < ids.len()
            && let Some(found) = reader.try_next().await?
        {
            let Found::Block { block, from } = found else {
                continue;
            };
            let records = block.records_from(from);
            for record in records.filter(|record| !mark::is_mark(&record.event_type)) {
                let id = message_id(&record)?;
                known.extend(id.and_then(|id| ids.get(&*id).cloned()));
            }
        }
        Ok(known)
    }

    /// Returns up to `limit` records from `from` on, oldest first. Skips damaged records.
    ///
    /// A list has at most 4 MiB, but at least one record if there is any. To list the rest, continue
    /// after the last record until a list is empty.
    pub async fn list(&self, from: Offset, limit: usize) -> Result<Vec<Quarantined>, ReadError> {
        Ok(self.page(from, limit, None).await?.records)
    }

    /// Returns a [`list`](Self::list), and where to continue. With a `reach`, the page has only records of
    /// senders with this reach, and it can be empty although later pages are not: there is nothing more if
    /// `next` is `from`.
    pub async fn page(
        &self,
        from: Offset,
        limit: usize,
        reach: Option<&str>,
    ) -> Result<QuarantinePage, ReadError> {
        let mut reader = Reader::new(Arc::clone(&self.log), from);
        let (mut page, mut bytes, mut passed_bytes) = (QuarantinePage::new(from), 0, 0);
        while page.records.len() < limit
            && passed_bytes < MAX_PASSED_BYTES
            && let Some(found) = reader.try_next().await?
        {
            let Found::Block { block, from } = found else {
                continue;
            };
            let records: Vec<_> = self.with_marks(|marks| {
                let records = block.records_from(from);
                let is_shown = |record: &Record| !marks.hidden.contains(&record.offset);
                records.filter(is_shown).collect()
            });
            for record in records {
                if page.records.len() == limit {
                    return Ok(page);
                }
                if reach.is_some() && reach != reach_of(&record)?.as_deref() {
                    passed_bytes += record.bytes.len();
                    page.next = record.offset.next();
                    continue;
                }
                bytes += record.bytes.len();
                if bytes > MAX_LIST_BYTES && !page.records.is_empty() {
                    return Ok(page);
                }
                page.next = record.offset.next();
                page.records.push(from_record(&record)?);
            }
        }
        Ok(page)
    }

    /// Returns the offset that the next record gets.
    pub fn head(&self) -> Offset {
        self.log.bounds().borrow().head
    }

    /// Returns whether the log refuses writes after a failed write.
    pub fn is_refusing(&self) -> bool {
        self.log.stats().refusing
    }

    /// Returns the number of records that [`Self::list`] can list.
    pub fn count(&self) -> u64 {
        let bounds = *self.log.bounds().borrow();
        let hidden = self.with_marks(|marks| {
            marks.forget_before(bounds.tail);
            marks.hidden.len() as u64
        });
        bounds.head.since(bounds.tail).saturating_sub(hidden)
    }

    /// Returns the number of offsets that were dropped, by an operator or by the size limit.
    pub fn dropped_count(&self) -> u64 {
        self.log.bounds().borrow().tail.get()
    }

    /// Drops the records before `up_to`, except those in one block with a later record. Returns their
    /// number.
    pub async fn empty(&self, up_to: Offset) -> Result<u64, TrimError> {
        let hidden = || self.with_marks(|marks| marks.hidden.len() as u64);
        let (trimmed, before) = (self.log.trim_to(up_to).await?, hidden());
        let tail = self.log.bounds().borrow().tail;
        self.with_marks(|marks| marks.forget_before(tail));
        let unlisted = before.saturating_sub(hidden());
        Ok(trimmed.record_count.saturating_sub(unlisted))
    }
}

#[cfg(test)]
mod tests;
