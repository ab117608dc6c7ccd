//! What the doors took in that is no event.
//!
//! It is kept in a log of its own, with all a log promises, until someone has looked at it and
//! empties it. A record is a JSON object: `door`, `code` and `detail` (why it is no event),
//! `received_at`, and `data`, the bytes as they came in, in base64.

use std::borrow::Cow;
use std::sync::Arc;

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

/// What the doors took in that is no event.
#[derive(Clone, Debug)]
pub struct Quarantine {
    log: SharedLog,
    clock: Arc<dyn Clock>,
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
    pub fn new(log: SharedLog, clock: Arc<dyn Clock>) -> Self {
        Self { log, clock }
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
                    let wanted = block.records().filter(|record| record.offset >= from);
                    for record in wanted.take(limit - listed.len()) {
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
        bounds.head.since(bounds.tail)
    }

    /// How many were in it once and are gone: emptied, or dropped for want of room.
    pub fn gone_count(&self) -> u64 {
        self.log.bounds().borrow().tail.get()
    }

    /// Drops those before `up_to`, but none that came in with one that stays, and says how many.
    pub async fn empty(&self, up_to: Offset) -> Result<u64, AppendError> {
        Ok(self.log.trim_to(up_to).await?.record_count)
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
}
