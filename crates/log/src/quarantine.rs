//! What the doors took in that is no event.
//!
//! It is kept in a log of its own, with all a log promises, until someone has looked at it and
//! empties it. A record is a JSON object: `door`, `code` and `detail` (why it is no event),
//! `received_at`, and `data`, the bytes as they came in, in base64.
//!
//! A record can be admitted later, by a version that accepts what an older one did not. Since a log
//! changes nothing in place, a *mark* says so: a record of the type `retry` with the same members and
//! `offsets`, the records that it speaks of. Its `code` is `trying`, written before their events are
//! put on the log of events, or `admitted`, written after. Marks and admitted records are not listed
//! and not counted. After a crash between the two, a record is known as tried, so that whoever tries
//! again can look for its event first.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Builder;

use crate::codec::sum;
use crate::{AppendError, Appended, Clock, NewRecord, Offset, Read, ReadError, Record, SharedLog};

/// Bytes of records, as they are stored, after which a list ends.
const MAX_LIST_BYTES: usize = 4 << 20;

/// The type of the records that are marks.
const MARK: &str = "retry";

/// What the doors took in that is no event.
#[derive(Clone, Debug)]
pub struct Quarantine {
    log: SharedLog,
    clock: Arc<dyn Clock>,
    marks: Arc<Mutex<Marks>>,
}

/// What the marks say.
#[derive(Debug, Default)]
struct Marks {
    /// Marks, and the records that were admitted.
    hidden: BTreeSet<Offset>,
    /// Records whose events may be on the log of events already.
    tried: BTreeSet<Offset>,
}

/// What a mark says of some records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mark {
    Trying,
    Admitted,
}

/// Something on its way into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewQuarantined {
    /// The door it came in by.
    pub door: &'static str,
    /// Why it is no event: a stable code.
    pub code: String,
    /// Why it is no event: a sentence.
    pub detail: String,
    /// The bytes as they came in.
    pub bytes: Bytes,
}

/// Something in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its place in the quarantine.
    pub offset: Offset,
    /// The door it came in by.
    pub door: Arc<str>,
    /// Why it is no event: a stable code.
    pub code: String,
    /// Why it is no event: a sentence.
    pub detail: String,
    /// When it came in.
    pub received_at: Timestamp,
    /// The bytes as they came in.
    pub bytes: Bytes,
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
        let mut from = self.log.bounds().borrow().tail;
        while let Some(info) = self.log.peek(from).await? {
            if info.event_types.iter().any(|it| &**it == MARK)
                && let Read::Block(block) = self.log.read(from).await?
            {
                for record in block.records().filter(|it| &*it.event_type == MARK) {
                    let failed = |error: serde_json::Error| ReadError::Failed {
                        reason: error.to_string(),
                    };
                    let mark: MarkJson = serde_json::from_slice(&record.bytes).map_err(failed)?;
                    self.with_marks(|marks| marks.add(record.offset, mark.code, &mark.offsets));
                }
            }
            from = std::cmp::max(info.next(), from.next());
        }
        Ok(())
    }

    /// Says on stable storage that the events of these records are about to be put on the log of
    /// events.
    pub async fn mark_trying(&self, records: &[Offset]) -> Result<(), AppendError> {
        self.mark(Mark::Trying, records).await
    }

    /// Takes these records out, on stable storage: their events are on the log of events.
    pub async fn mark_admitted(&self, records: &[Offset]) -> Result<(), AppendError> {
        self.mark(Mark::Admitted, records).await
    }

    /// Whether the event of this record may be on the log of events already.
    pub fn was_tried(&self, record: Offset) -> bool {
        self.with_marks(|marks| marks.tried.contains(&record))
    }

    async fn mark(&self, code: Mark, records: &[Offset]) -> Result<(), AppendError> {
        if records.is_empty() {
            return Ok(());
        }
        let mark = to_mark(code, records, self.clock.now());
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
        let (mut from, mut bytes) = (from, 0);
        let mut listed = Vec::new();
        while listed.len() < limit {
            match self.log.read(from).await? {
                Read::Block(block) => {
                    let records = block.records().filter(|record| record.offset >= from);
                    let records = self.with_marks(|marks| {
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
                    from = block.next();
                }
                Read::Damaged(range) => from = range.end,
                Read::End => break,
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
    pub async fn empty(&self, up_to: Offset) -> Result<u64, AppendError> {
        let hidden = || self.with_marks(|marks| marks.hidden.len() as u64);
        let (trimmed, before) = (self.log.trim_to(up_to).await?, hidden());
        let tail = self.log.bounds().borrow().tail;
        self.with_marks(|marks| marks.forget_before(tail));
        let unlisted = before.saturating_sub(hidden());
        Ok(trimmed.record_count.saturating_sub(unlisted))
    }
}

impl Marks {
    fn add(&mut self, place: Offset, mark: Mark, records: &[Offset]) {
        self.hidden.insert(place);
        match mark {
            Mark::Trying => self.tried.extend(records),
            Mark::Admitted => {
                for record in records {
                    self.tried.remove(record);
                    self.hidden.insert(*record);
                }
            }
        }
    }

    fn forget_before(&mut self, tail: Offset) {
        self.hidden = self.hidden.split_off(&tail);
        self.tried = self.tried.split_off(&tail);
    }
}

/// What is read of a mark.
#[derive(Deserialize)]
struct MarkJson {
    code: Mark,
    offsets: Vec<Offset>,
}

#[expect(
    clippy::expect_used,
    reason = "numbers and strings become JSON without fail"
)]
fn to_mark(code: Mark, records: &[Offset], marked_at: Timestamp) -> NewRecord {
    let json = serde_json::json!({
        "door": MARK, "code": code, "detail": "", "received_at": marked_at, "data": "",
        "offsets": records,
    });
    let bytes = serde_json::to_vec(&json).expect("a mark becomes JSON");
    let id = Builder::from_random_bytes(sum(&[&bytes])).into_uuid();
    NewRecord {
        id,
        event_type: MARK.into(),
        bytes: bytes.into(),
    }
}

#[derive(Serialize, Deserialize)]
struct QuarantinedJson<'a> {
    door: Cow<'a, str>,
    code: Cow<'a, str>,
    detail: Cow<'a, str>,
    received_at: Timestamp,
    data: String,
}

#[expect(clippy::expect_used, reason = "strings become JSON without fail")]
fn to_record(item: &NewQuarantined, received_at: Timestamp) -> NewRecord {
    let json = QuarantinedJson {
        door: item.door.into(),
        code: (&item.code).into(),
        detail: (&item.detail).into(),
        received_at,
        data: BASE64.encode(&item.bytes),
    };
    let bytes = serde_json::to_vec(&json).expect("strings become JSON");
    let id = Builder::from_random_bytes(sum(&[&bytes])).into_uuid();
    NewRecord {
        id,
        event_type: item.door.into(),
        bytes: bytes.into(),
    }
}

fn from_record(record: &Record) -> Result<Quarantined, ReadError> {
    let failed = |reason: String| ReadError::Failed { reason };
    let json: QuarantinedJson<'_> =
        serde_json::from_slice(&record.bytes).map_err(|error| failed(error.to_string()))?;
    let bytes = BASE64
        .decode(&json.data)
        .map_err(|error| failed(error.to_string()))?;
    Ok(Quarantined {
        offset: record.offset,
        door: Arc::clone(&record.event_type),
        code: json.code.into_owned(),
        detail: json.detail.into_owned(),
        received_at: json.received_at,
        bytes: bytes.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promises::HandClock;
    use crate::{LogOptions, MemoryLog};

    fn quarantine() -> Quarantine {
        let clock: Arc<dyn Clock> = Arc::new(HandClock::default());
        let options = LogOptions {
            duplicate_window: 0,
            ..LogOptions::default()
        };
        Quarantine::new(Arc::new(MemoryLog::new(options, Arc::clone(&clock))), clock)
    }

    fn item(bytes: &'static [u8]) -> NewQuarantined {
        NewQuarantined {
            door: "kinesis",
            code: String::from("not_json"),
            detail: String::from("it is \"not\" JSON"),
            bytes: Bytes::from_static(bytes),
        }
    }

    #[tokio::test]
    async fn lists_exactly_what_came_in() {
        let quarantine = quarantine();
        let items = [item(b"\xff\x00"), item(b""), item(b"\xff\x00")];
        let offsets = quarantine.put(items.to_vec()).await.unwrap();
        let listed = quarantine.list(Offset::ZERO, 9).await.unwrap();
        for ((item, offset), got) in items.iter().zip(offsets).zip(&listed) {
            assert_eq!((&*got.door, got.offset), (item.door, offset));
            assert_eq!(
                (&got.code, &got.detail, &got.bytes),
                (&item.code, &item.detail, &item.bytes)
            );
            assert_eq!(got.received_at, HandClock::default().now());
        }
        assert_eq!((listed.len(), quarantine.count()), (3, 3));
    }

    #[tokio::test]
    async fn lists_no_more_than_asked_for() {
        let quarantine = quarantine();
        for _ in 0..3 {
            quarantine
                .put(vec![item(b"a"), item(b"b"), item(b"c")])
                .await
                .unwrap();
        }
        let listed = quarantine.list(Offset::new(2), 4).await.unwrap();
        let offsets: Vec<u64> = listed.iter().map(|it| it.offset.get()).collect();
        assert_eq!(offsets, [2, 3, 4, 5]);
    }

    #[tokio::test]
    async fn lists_no_more_than_its_bound_of_bytes_and_at_least_one() {
        const LARGE: &[u8] = &[7; MAX_LIST_BYTES];
        const THIRD: &[u8] = &[7; MAX_LIST_BYTES / 4];
        let quarantine = quarantine();
        let items = [LARGE, THIRD, THIRD, THIRD, LARGE, b"a"].map(item);
        quarantine.put(items.to_vec()).await.unwrap();
        let (mut lists, mut from) = (Vec::new(), Offset::ZERO);
        loop {
            let listed = quarantine.list(from, 9).await.unwrap();
            let Some(last) = listed.last() else { break };
            from = last.offset.next();
            lists.push(listed.len());
        }
        assert_eq!(lists, [1, 2, 1, 1, 1]);
    }

    #[tokio::test]
    async fn emptied_it_holds_only_what_came_later() {
        let quarantine = quarantine();
        quarantine.put(vec![item(b"a"), item(b"b")]).await.unwrap();
        let later = quarantine.put(vec![item(b"c")]).await.unwrap();
        assert_eq!(quarantine.empty(later[0]).await.unwrap(), 2);
        let listed = quarantine.list(Offset::ZERO, 9).await.unwrap();
        assert_eq!(listed.iter().map(|it| it.offset).collect::<Vec<_>>(), later);
        assert_eq!(quarantine.count(), 1);
    }

    #[tokio::test]
    async fn what_was_admitted_is_neither_listed_nor_counted_also_after_it_is_opened_again() {
        let quarantine = quarantine();
        let items = vec![item(b"a"), item(b"b"), item(b"c")];
        let offsets = quarantine.put(items).await.unwrap();
        quarantine.mark_trying(&offsets[..2]).await.unwrap();
        quarantine.mark_admitted(&offsets[1..2]).await.unwrap();
        let opened = Quarantine::new(Arc::clone(&quarantine.log), Arc::clone(&quarantine.clock));
        opened.load().await.unwrap();
        let later = quarantine.put(vec![item(b"d")]).await.unwrap();
        for quarantine in [&quarantine, &opened] {
            let listed = quarantine.list(Offset::ZERO, 9).await.unwrap();
            let listed: Vec<_> = listed.iter().map(|it| it.offset).collect();
            assert_eq!(listed, [offsets[0], offsets[2], later[0]]);
            assert_eq!(quarantine.count(), 3);
            assert!(quarantine.was_tried(offsets[0]) && !quarantine.was_tried(offsets[1]));
        }
        let removed = quarantine.empty(later[0]).await.unwrap();
        assert_eq!((removed, quarantine.count()), (2, 1));
    }
}
