//! A log that fails or waits on a test's command.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use easel_log::{
    AppendError, Appended, Bounds, Log, LogStats, NewRecord, Offset, Read, ReadError, Record,
    Retention, SharedLog, TrimError, Trimmed, Want, WantedRead,
};
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::arrivals::Arrivals;
use crate::barrier::Barrier;

/// A log that forwards every call to another log, until a test makes calls fail or wait.
///
/// A failed append stores nothing. A real log refuses all appends after a failure. This log accepts
/// appends again when the test says so.
#[derive(Debug)]
pub struct FailingLog {
    inner: SharedLog,
    failing_appends: AtomicBool,
    failing_reads: AtomicBool,
    damaged: Mutex<Range<Offset>>,
    append_barrier: Barrier,
    held_appends: Arrivals<()>,
}

impl FailingLog {
    /// Creates a log that forwards every call to `inner`.
    pub fn new(inner: SharedLog) -> Self {
        Self {
            inner,
            failing_appends: AtomicBool::new(false),
            failing_reads: AtomicBool::new(false),
            damaged: Mutex::default(),
            append_barrier: Barrier::default(),
            held_appends: Arrivals::default(),
        }
    }

    /// `true` makes all later appends and trims fail. `false` makes them succeed again.
    pub fn fail_appends(&self, fail: bool) {
        self.failing_appends.store(fail, Ordering::SeqCst);
    }

    /// `true` makes all later reads fail. `false` makes them succeed again.
    pub fn fail_reads(&self, fail: bool) {
        self.failing_reads.store(fail, Ordering::SeqCst);
    }

    /// Makes these records unreadable, block headers included. The range must cover whole blocks.
    pub fn damage(&self, range: Range<Offset>) {
        *self.damaged.lock().unwrap_or_else(PoisonError::into_inner) = range;
    }

    /// `true` makes all later appends wait. `false` releases the appends that wait.
    pub fn hold_appends(&self, hold: bool) {
        self.append_barrier.set(hold);
    }

    /// Waits until `count` appends in total have been held.
    pub async fn wait_for_held(&self, count: usize) {
        self.held_appends.wait_for(count).await;
    }

    /// Returns the damaged records from `from` on, if the record at `from` is damaged.
    fn damaged_at(&self, from: Offset) -> Option<Range<Offset>> {
        let damaged = self.damaged();
        damaged.contains(&from).then_some(from..damaged.end)
    }

    fn damaged(&self) -> Range<Offset> {
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.clone()
    }

    fn check_trim(&self) -> Result<(), TrimError> {
        match self.check_append() {
            Ok(()) => Ok(()),
            Err(error) => Err(TrimError::Failed {
                reason: error.to_string(),
            }),
        }
    }

    fn check_append(&self) -> Result<(), AppendError> {
        if self.failing_appends.load(Ordering::SeqCst) {
            return Err(AppendError::Failed {
                reason: String::from("the test made it fail"),
            });
        }
        Ok(())
    }

    fn check_read(&self) -> Result<(), ReadError> {
        if self.failing_reads.load(Ordering::SeqCst) {
            return Err(ReadError::Unavailable {
                reason: String::from("the test made it fail"),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl Log for FailingLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Appended>, AppendError> {
        if self.append_barrier.is_lowered() {
            self.held_appends.push(());
            self.append_barrier.wait_until_lifted().await;
        }
        self.check_append()?;
        self.inner.append(records).await
    }

    async fn read(&self, from: Offset) -> Result<Read, ReadError> {
        self.check_read()?;
        match self.damaged_at(from) {
            Some(damaged) => Ok(Read::Damaged(damaged)),
            None => self.inner.read(from).await,
        }
    }

    async fn read_wanted(&self, from: Offset, want: &Want) -> Result<WantedRead, ReadError> {
        self.check_read()?;
        if let Some(damaged) = self.damaged_at(from) {
            return Ok(WantedRead::Damaged(damaged));
        }
        let read = self.inner.read_wanted(from, want).await?;
        let damage = self.damaged();
        Ok(match read {
            // The skipped range must end where the damage starts.
            WantedRead::Skipped(range)
                if range.start < damage.start && damage.start < range.end =>
            {
                WantedRead::Skipped(range.start..damage.start)
            }
            read => read,
        })
    }

    async fn appended_at(&self, from: Offset) -> Result<Option<Timestamp>, ReadError> {
        self.check_read()?;
        self.inner.appended_at(from).await
    }

    async fn find_time(&self, time: Timestamp) -> Result<Offset, ReadError> {
        self.check_read()?;
        self.inner.find_time(time).await
    }

    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        self.check_read()?;
        self.inner.find_id(id).await
    }

    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, TrimError> {
        self.check_trim()?;
        self.inner.trim(retention, now).await
    }

    async fn trim_to(&self, up_to: Offset) -> Result<Trimmed, TrimError> {
        self.check_trim()?;
        self.inner.trim_to(up_to).await
    }

    fn bounds(&self) -> watch::Receiver<Bounds> {
        self.inner.bounds()
    }

    fn stats(&self) -> LogStats {
        let stats = self.inner.stats();
        LogStats {
            refusing: stats.refusing || self.check_append().is_err(),
            ..stats
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use easel_log::{LogOptions, MemoryLog};
    use tokio::task::JoinSet;

    use super::*;
    use crate::{FakeClock, event};

    fn log() -> Arc<FailingLog> {
        let inner = MemoryLog::new(LogOptions::default(), Arc::new(FakeClock::default()));
        Arc::new(FailingLog::new(Arc::new(inner)))
    }

    fn records() -> Vec<NewRecord> {
        let bytes = event("course_created", 1);
        vec![NewRecord::new(Uuid::from_u128(1), "course_created", bytes)]
    }

    #[tokio::test]
    async fn a_failed_append_stores_nothing_and_reads_still_work() {
        let log = log();
        log.fail_appends(true);
        assert!(log.append(records()).await.is_err());
        assert!(matches!(log.read(Offset::ZERO).await, Ok(Read::End)));
        log.fail_appends(false);
        let stored = log.append(records()).await.unwrap();
        assert_eq!(stored, [Appended::Stored(Offset::ZERO)]);
        log.fail_reads(true);
        assert!(log.read(Offset::ZERO).await.is_err());
    }

    #[tokio::test]
    async fn a_held_append_is_stored_after_its_release() {
        let log = log();
        log.hold_appends(true);
        let mut appends = JoinSet::new();
        let held = Arc::clone(&log);
        appends.spawn(async move { held.append(records()).await.unwrap() });
        log.wait_for_held(1).await;
        assert_eq!(log.bounds().borrow().head, Offset::ZERO);
        log.hold_appends(false);
        assert_eq!(appends.join_all().await, [[Appended::Stored(Offset::ZERO)]]);
    }
}
