//! `GetRecords`: returns records of the log, for tools. It leaves out Easel's own events.

use std::sync::Arc;

use axum::response::Response;
use easel_audit::{AuditNote, ShownEvents};
use easel_catalog::{EventAccount, FilterFacts, Reach, is_operator_event};
use easel_log::{Found, Offset, ReadError, Reader, Record};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use uuid::fmt::Hyphenated;

use super::KinesisDoor;
use super::blob::ShownBlob;
use super::call::KinesisCall;
use super::error::KinesisError;
use super::iterator::ShardIterator;
use super::sequence::Sequence;
use super::time::ShownTime;
use super::violations::Violations;
use crate::work::on_cpu;

/// The most records in one answer, and the default limit.
const MAX_RECORDS: i64 = 10_000;
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// The most blocks without a record for the caller that one call reads. The next call continues.
const MAX_BLOCKS: usize = 256;
/// How far behind a page is whose blocks had no record for the caller, although there are later blocks.
const SOMEWHAT_BEHIND: SignedDuration = SignedDuration::from_millis(1);

/// `reader` is the access key id that signed the call, if calls are signed.
pub(super) async fn get_records(
    door: &KinesisDoor,
    call: &KinesisCall,
    reach: &Reach,
    reader: Option<&str>,
) -> Result<Response, KinesisError> {
    let request: GetRecordsJson = call.parse()?;
    let (ShardIterator(from), limit) = request.check()?;
    let _permit = door
        .reads
        .acquire()
        .await
        .map_err(|_closed| KinesisError::internal())?;
    let page = door
        .page(from, limit, reach)
        .await
        .map_err(|_unreadable| KinesisError::internal())?;
    let behind = door.behind(&page);
    let format = call.format;
    let offsets = page.records.iter().map(|record| record.offset.get());
    let note = AuditNote::of_shown(ShownEvents::of_offsets(offsets));
    // The caller of a call that shows no events needs no entry.
    let note = if note.shown.count > 0 {
        let actor = reader.unwrap_or("local");
        Some(note.by(actor, reach.clone(), "events.read"))
    } else {
        None
    };
    let answer = on_cpu(page.bytes, move || format.answer(&page.to_json(behind)));
    let mut response = answer.await?;
    if let Some(mut note) = note {
        note.object = Some("kinesis".to_owned());
        response.extensions_mut().insert(note);
    }
    Ok(response)
}

/// Consecutive records, and the offset after them.
struct RecordPage {
    records: Vec<Record>,
    /// The size of all records in bytes.
    bytes: usize,
    next: Offset,
}

impl KinesisDoor {
    /// Reads at most `limit` records in reach from `from` on, as many as fit into `MAX_BYTES` but at least one unless the next
    /// `MAX_BLOCKS` blocks have none.
    async fn page(
        &self,
        from: Offset,
        limit: usize,
        reach: &Reach,
    ) -> Result<RecordPage, ReadError> {
        let mut page = RecordPage {
            records: Vec::new(),
            bytes: 0,
            next: from,
        };
        let mut reader = Reader::new(Arc::clone(self.intake.log()), from);
        let mut skipped_count = 0;
        while skipped_count < MAX_BLOCKS
            && let Some(found) = reader.try_next().await?
        {
            let shown_before = page.records.len();
            if let Found::Block { block, from } = &found {
                for record in block.records_from(*from) {
                    let is_shown =
                        !is_operator_event(&record.event_type) && self.shows(reach, &record);
                    if is_shown && !page.has_room_for(&record, limit) {
                        return Ok(page);
                    }
                    page.next = record.offset.next();
                    if !is_shown {
                        continue;
                    }
                    page.bytes += record.bytes.len();
                    page.records.push(record);
                }
            }
            page.next = reader.position();
            skipped_count += usize::from(page.records.len() == shown_before);
        }
        Ok(page)
    }

    /// Returns true if a caller with this reach may see a record.
    fn shows(&self, reach: &Reach, record: &Record) -> bool {
        let account = EventAccount {
            event_type: &record.event_type,
            id: record.provenance.root_account_id.as_deref(),
            uuid: record.provenance.root_account_uuid.as_deref(),
        };
        let facts = FilterFacts::new(&record.bytes);
        self.reach_rules.covers(reach, account, &facts)
    }

    /// Returns how long ago the last record of the page was appended. Zero if the page ends at the
    /// head.
    fn behind(&self, page: &RecordPage) -> SignedDuration {
        if page.next >= self.intake.log().bounds().borrow().head {
            return SignedDuration::ZERO;
        }
        match page.records.last() {
            Some(last) => self.intake.now().duration_since(last.appended_at),
            None => SOMEWHAT_BEHIND,
        }
    }
}

impl RecordPage {
    fn has_room_for(&self, record: &Record, limit: usize) -> bool {
        let fits = self.records.is_empty() || self.bytes + record.bytes.len() <= MAX_BYTES;
        fits && self.records.len() < limit
    }

    fn to_json(&self, behind: SignedDuration) -> GetRecordsAnswerJson {
        GetRecordsAnswerJson {
            records: self.records.iter().map(ReadRecordJson::from).collect(),
            next_shard_iterator: ShardIterator(self.next),
            millis_behind_latest: u64::try_from(behind.as_millis()).unwrap_or(0),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRecordsJson {
    shard_iterator: Option<String>,
    limit: Option<i64>,
}

impl GetRecordsJson {
    fn check(&self) -> Result<(ShardIterator, usize), KinesisError> {
        let mut violations = Violations::default();
        violations.check_range("limit", self.limit, &(1..=MAX_RECORDS));
        let iterator = violations.require("shardIterator", self.shard_iterator.as_deref());
        violations.check()?;
        let iterator = ShardIterator::parse(iterator.unwrap_or_default())?;
        let limit = usize::try_from(self.limit.unwrap_or(MAX_RECORDS));
        Ok((iterator, limit.unwrap_or(usize::MAX)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetRecordsAnswerJson {
    records: Vec<ReadRecordJson>,
    next_shard_iterator: ShardIterator,
    millis_behind_latest: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReadRecordJson {
    sequence_number: Sequence,
    approximate_arrival_timestamp: ShownTime,
    data: ShownBlob,
    partition_key: Hyphenated,
    encryption_type: &'static str,
}

impl From<&Record> for ReadRecordJson {
    fn from(record: &Record) -> Self {
        Self {
            sequence_number: Sequence::Event(record.offset),
            approximate_arrival_timestamp: ShownTime(record.appended_at),
            data: ShownBlob(record.bytes.clone()),
            partition_key: record.id.hyphenated(),
            encryption_type: "NONE",
        }
    }
}
