//! A log of what is no event.
//!
//! A log changes nothing in place. So what leaves the quarantine because it was admitted is hidden
//! by a mark behind it; what an operator empties is trimmed.

use std::sync::{Arc, Mutex, PoisonError};

use easel_log::{
    AppendError, Appended, Clock, Found, Offset, ReadError, Reader, SharedLog, TrimError, Want,
};

use crate::mark::{self, Marks, RetryMark};
use crate::quarantined::{NewQuarantined, Quarantined, from_record, to_record};

/// Bytes of records, as they are stored, after which a list ends.
const MAX_LIST_BYTES: usize = 4 << 20;

/// What the doors took in that is no event.
#[derive(Clone, Debug)]
pub struct Quarantine {
    log: SharedLog,
    clock: Arc<dyn Clock>,
    marks: Arc<Mutex<Marks>>,
}

impl Quarantine {
    /// The quarantine kept in `log`, which holds nothing else and has no duplicate window.
    ///
    /// What was admitted from it before is known only after [`load`](Self::load).
    pub fn new(log: SharedLog, clock: Arc<dyn Clock>) -> Self {
        Self {
            log,
            clock,
            marks: Arc::default(),
        }
    }

    /// Reads the marks in the log. Blocks without one are not read.
    pub async fn load(&self) -> Result<(), ReadError> {
        let tail = self.log.bounds().borrow().tail;
        let mut reader =
            Reader::new(Arc::clone(&self.log), tail).wanting(Want::event_types(mark::is_mark));
        while let Some(found) = reader.try_next().await? {
            if let Found::Block { block, from } = found {
                let records = block.records_from(from);
                for record in records.filter(|it| mark::is_mark(&it.event_type)) {
                    self.with_marks(|marks| marks.read(&record))?;
                }
            }
        }
        Ok(())
    }

    /// Says on stable storage that the events of these records are about to be put on the log of
    /// events.
    pub async fn mark_trying(&self, records: &[Offset]) -> Result<(), AppendError> {
        self.mark(RetryMark::Trying, records).await
    }

    /// Takes these records out, on stable storage: their events are on the log of events.
    pub async fn mark_admitted(&self, records: &[Offset]) -> Result<(), AppendError> {
        self.mark(RetryMark::Admitted, records).await
    }

    /// Whether the event of this record may be on the log of events already.
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
            for place in appended {
                marks.add(place.offset(), code, records);
            }
        });
        Ok(())
    }

    fn with_marks<T>(&self, work: impl FnOnce(&mut Marks) -> T) -> T {
        work(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps these and says where each one is.
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

    /// Up to `limit` of them, the oldest first, from `from` on; damaged ones are left out.
    ///
    /// They are fewer where they would take more than 4 MiB, but one if there is any. The rest
    /// is listed from the one after the last, until a list is empty.
    pub async fn list(&self, from: Offset, limit: usize) -> Result<Vec<Quarantined>, ReadError> {
        let mut reader = Reader::new(Arc::clone(&self.log), from);
        let (mut listed, mut bytes) = (Vec::new(), 0);
        while listed.len() < limit
            && let Some(found) = reader.try_next().await?
        {
            let Found::Block { block, from } = found else {
                continue;
            };
            let records = self.with_marks(|marks| {
                let records = block.records_from(from);
                let shown = records.filter(|it| !marks.hidden.contains(&it.offset));
                shown.take(limit - listed.len()).collect::<Vec<_>>()
            });
            for record in records {
                bytes += record.bytes.len();
                if bytes > MAX_LIST_BYTES && !listed.is_empty() {
                    return Ok(listed);
                }
                listed.push(from_record(&record)?);
            }
        }
        Ok(listed)
    }

    /// Whether it refuses writes after a failed one.
    pub fn is_refusing(&self) -> bool {
        self.log.stats().refusing
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        let bounds = *self.log.bounds().borrow();
        let hidden = self.with_marks(|marks| {
            marks.forget_before(bounds.tail);
            marks.hidden.len() as u64
        });
        bounds.head.since(bounds.tail).saturating_sub(hidden)
    }

    /// How many places are gone: emptied, or dropped for want of room.
    pub fn gone_count(&self) -> u64 {
        self.log.bounds().borrow().tail.get()
    }

    /// Drops those before `up_to`, but none that came in with one that stays, and says how many.
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
