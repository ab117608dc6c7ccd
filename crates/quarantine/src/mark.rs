//! What became of records since they were put into quarantine.
//!
//! A record can be admitted later, by a version that accepts what an older one did not. Since a log
//! changes nothing in place, a *mark* says so: a record of the type `retry` with the members of the
//! others and `offsets`, the records that it speaks of. Its `code` is `trying`, written before their
//! events are put on the log of events, or `admitted`, written after. Marks and admitted records are
//! not listed and not counted. After a crash between the two, a record is known as tried, so that
//! whoever tries again can look for its event first.

use std::collections::BTreeSet;

use easel_log::{NewRecord, Offset, ReadError, Record};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::quarantined::new_record;

/// The type of the records that are marks.
const MARK: &str = "retry";

/// Whether records of this type are marks.
pub(crate) fn is_mark(event_type: &str) -> bool {
    event_type == MARK
}

/// What the marks say.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Marks, and the records that were admitted.
    pub(crate) hidden: BTreeSet<Offset>,
    /// Records whose events may be on the log of events already.
    pub(crate) tried: BTreeSet<Offset>,
}

/// What a mark says of some records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RetryMark {
    Trying,
    Admitted,
}

impl Marks {
    /// Adds what the mark in this record says.
    pub(crate) fn read(&mut self, record: &Record) -> Result<(), ReadError> {
        let failed = |error: serde_json::Error| ReadError::Failed {
            reason: error.to_string(),
        };
        let mark: MarkJson = serde_json::from_slice(&record.bytes).map_err(failed)?;
        self.add(record.offset, mark.code, &mark.offsets);
        Ok(())
    }

    /// Adds what the mark at `place` says of these records.
    pub(crate) fn add(&mut self, place: Offset, mark: RetryMark, records: &[Offset]) {
        self.hidden.insert(place);
        match mark {
            RetryMark::Trying => self.tried.extend(records),
            RetryMark::Admitted => {
                for record in records {
                    self.tried.remove(record);
                    self.hidden.insert(*record);
                }
            }
        }
    }

    /// Forgets what lies before `tail`.
    pub(crate) fn forget_before(&mut self, tail: Offset) {
        self.hidden = self.hidden.split_off(&tail);
        self.tried = self.tried.split_off(&tail);
    }
}

/// What is read of a mark.
#[derive(Deserialize)]
struct MarkJson {
    code: RetryMark,
    offsets: Vec<Offset>,
}

/// A mark as the log takes it.
#[expect(
    clippy::expect_used,
    reason = "numbers and strings become JSON without fail"
)]
pub(crate) fn to_record(code: RetryMark, records: &[Offset], marked_at: Timestamp) -> NewRecord {
    let json = serde_json::json!({
        "door": MARK, "code": code, "detail": "", "received_at": marked_at, "data": "",
        "offsets": records,
    });
    let bytes = serde_json::to_vec(&json).expect("a mark becomes JSON");
    new_record(MARK, bytes)
}
