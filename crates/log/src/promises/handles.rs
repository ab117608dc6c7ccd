//! Promises about two handles of one log.
//!
//! Each server has one handle of a log. If a backend allows several handles, they share offsets,
//! records and the duplicate window. A handle sees the changes of the other after some time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Backend, append, bounds, numbered, open, read_all, stored};
use crate::{
    AppendError, Appended, Bounds, Clock, Log, LogOptions, LogStats, NewRecord, Offset, Read,
    ReadError, Record, Retention, SharedLog, TrimError, Trimmed, Want, WantedRead,
};

/// A handle sees the appends and trims of the other handle after some time.
pub async fn shows_changes_of_one_handle_to_the_other<B: Backend>() {
    let (backend, one, _) = open::<B>(99).await;
    let Some(other) = backend.second_handle() else {
        return;
    };
    assert_eq!(append(&one, 0..2).await, stored(0..2));
    assert_eq!(append(&other, 2..5).await, stored(2..5));
    assert_eq!(append(&one, 5..6).await, stored(5..6));
    other.trim_to(Offset::new(2)).await.unwrap();
    for log in [&one, &other] {
        let mut watch = log.bounds();
        watch
            .wait_for(|now| *now == bounds(2, 6))
            .await
            .expect("the log is open");
        let (records, damaged) = read_all(&**log, Offset::ZERO).await;
        assert!(
            records
                .iter()
                .map(|record| record.id)
                .eq((2..6).map(|number| numbered(number).id))
        );
        assert_eq!(damaged, []);
    }
}

/// An id that one handle stored is a duplicate for the other.
pub async fn finds_duplicates_of_the_other_handle<B: Backend>() {
    let (backend, one, _) = open::<B>(99).await;
    let Some(other) = backend.second_handle() else {
        return;
    };
    assert_eq!(append(&one, 0..2).await, stored(0..2));
    assert_eq!(
        append(&other, 1..3).await,
        [vec![Appended::Duplicate(Offset::new(1))], stored([2])].concat()
    );
    assert_eq!(
        append(&one, [2]).await,
        [Appended::Duplicate(Offset::new(2))]
    );
}

/// A backend that alternates between two handles, so that the whole suite runs on both.
#[derive(Debug)]
pub struct TwoHandles<B>(B);

impl<B: Backend> Backend for TwoHandles<B> {
    async fn open(options: LogOptions, clock: Arc<dyn Clock>) -> Self {
        Self(B::open(options, clock).await)
    }

    async fn reopen(self) -> Self {
        Self(self.0.reopen().await)
    }

    fn log(&self) -> SharedLog {
        let second = self.0.second_handle().expect("a second handle");
        Arc::new(AlternatingLog {
            handles: [self.0.log(), second],
            call_count: AtomicUsize::new(0),
        })
    }

    fn second_handle(&self) -> Option<SharedLog> {
        self.0.second_handle()
    }
}

/// Two handles. Calls alternate between them.
#[derive(Debug)]
struct AlternatingLog {
    handles: [SharedLog; 2],
    call_count: AtomicUsize,
}

impl AlternatingLog {
    fn next_handle(&self) -> &SharedLog {
        &self.handles[self.call_count.fetch_add(1, Ordering::Relaxed) % 2]
    }

    /// Waits until both handles have reached these bounds.
    async fn wait_for_both(&self, tail: Offset, head: Offset) {
        for handle in &self.handles {
            let is_reached = |now: &Bounds| now.tail >= tail && now.head >= head;
            handle
                .bounds()
                .wait_for(is_reached)
                .await
                .expect("the log is open");
        }
    }
}

#[async_trait]
impl Log for AlternatingLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Appended>, AppendError> {
        let appended = self.next_handle().append(records).await?;
        let head = appended.iter().map(|result| result.offset().next()).max();
        self.wait_for_both(Offset::ZERO, head.unwrap_or_default())
            .await;
        Ok(appended)
    }

    async fn read(&self, from: Offset) -> Result<Read, ReadError> {
        self.next_handle().read(from).await
    }

    async fn read_wanted(&self, from: Offset, want: &Want) -> Result<WantedRead, ReadError> {
        self.next_handle().read_wanted(from, want).await
    }

    async fn appended_at(&self, from: Offset) -> Result<Option<Timestamp>, ReadError> {
        self.next_handle().appended_at(from).await
    }

    async fn find_time(&self, time: Timestamp) -> Result<Offset, ReadError> {
        self.next_handle().find_time(time).await
    }

    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        self.next_handle().find_id(id).await
    }

    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, TrimError> {
        let trimmed = self.next_handle().trim(retention, now).await?;
        self.wait_for_both(trimmed.tail, Offset::ZERO).await;
        Ok(trimmed)
    }

    async fn trim_to(&self, up_to: Offset) -> Result<Trimmed, TrimError> {
        let trimmed = self.next_handle().trim_to(up_to).await?;
        self.wait_for_both(trimmed.tail, Offset::ZERO).await;
        Ok(trimmed)
    }

    fn bounds(&self) -> watch::Receiver<Bounds> {
        self.next_handle().bounds()
    }

    fn stats(&self) -> LogStats {
        self.next_handle().stats()
    }
}
