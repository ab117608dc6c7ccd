//! A log that fails or waits when it is told to.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use easel_log::{
    AppendError, Appended, Bounds, Log, LogStats, NewRecord, Offset, Read, ReadError, ReadIf,
    Record, Retention, SharedLog, TrimError, Trimmed, Want,
};
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::arrivals::Arrivals;
use crate::barrier::Barrier;

/// A log that passes everything on to another one, unless told to fail or to wait.
///
/// A failed append stores nothing. Unlike a real log it takes appends again once it is told to.
#[derive(Debug)]
pub struct FailingLog {
    inner: SharedLog,
    failing_appends: AtomicBool,
    failing_reads: AtomicBool,
    damaged: Mutex<Range<Offset>>,
    hold: Barrier,
    held: Arrivals<()>,
}

impl FailingLog {
    /// A log in front of `inner` that does nothing of its own yet.
    pub fn new(inner: SharedLog) -> Self {
        Self {
            inner,
            failing_appends: AtomicBool::new(false),
            failing_reads: AtomicBool::new(false),
            damaged: Mutex::default(),
            hold: Barrier::default(),
            held: Arrivals::default(),
        }
    }

    /// Whether appends and trims fail from here on.
    pub fn fail_appends(&self, fail: bool) {
        self.failing_appends.store(fail, Ordering::SeqCst);
    }

    /// Whether reads of any kind fail from here on.
    pub fn fail_reads(&self, fail: bool) {
        self.failing_reads.store(fail, Ordering::SeqCst);
    }

    /// Makes these records, which are whole blocks, unreadable, headers and all.
    pub fn damage(&self, range: Range<Offset>) {
        *self.damaged.lock().unwrap_or_else(PoisonError::into_inner) = range;
    }

    /// Whether appends wait from here on; those that wait go on when this is taken back.
    pub fn hold_appends(&self, hold: bool) {
        self.hold.set(hold);
    }

    /// Waits until `count` appends in all have been made to wait.
    pub async fn wait_for_held(&self, count: usize) {
        self.held.wait_for(count).await;
    }

    /// What is damaged of the block at or after `from`.
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
                reason: String::from("told to fail"),
            });
        }
        Ok(())
    }

    fn check_read(&self) -> Result<(), ReadError> {
        if self.failing_reads.load(Ordering::SeqCst) {
            return Err(ReadError::Unavailable {
                reason: String::from("told to fail"),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl Log for FailingLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Appended>, AppendError> {
        if self.hold.is_lowered() {
            self.held.push(());
            self.hold.passed().await;
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

    async fn read_if(&self, from: Offset, want: &Want) -> Result<ReadIf, ReadError> {
        self.check_read()?;
        if let Some(damaged) = self.damaged_at(from) {
            return Ok(ReadIf::Damaged(damaged));
        }
        let read = self.inner.read_if(from, want).await?;
        let damage = self.damaged();
        Ok(match read {
            // A run of unwanted blocks ends where damage begins.
            ReadIf::Skipped(range) if range.start < damage.start && damage.start < range.end => {
                ReadIf::Skipped(range.start..damage.start)
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

    async fn trim_to(&self, tail: Offset) -> Result<Trimmed, TrimError> {
        self.check_trim()?;
        self.inner.trim_to(tail).await
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
    async fn a_failed_append_stores_nothing_and_reads_go_on() {
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
    async fn a_held_append_is_stored_once_it_is_released() {
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
