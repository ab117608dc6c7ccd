//! Marks: what happened to quarantined records later.
//!
//! A newer version of Easel may admit a record that an older version rejected. A log changes nothing
//! in place, so a *mark* is appended. A mark is a record of the type `retry`. It has the members of
//! every quarantined record, and `offsets`, the offsets of the marked records. A mark with the `code`
//! `trying` is appended before the events of these records are appended to the event log, and a mark
//! with the `code` `admitted` after. Marks and admitted records are neither listed nor counted.
//!
//! After a crash between the two marks, a record is known as tried. The next retry then searches the
//! event log for its event first.

use std::collections::BTreeSet;

use easel_log::{NewRecord, Offset, ReadError, Record};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::quarantined::new_record;

/// The event type of marks.
const MARK: &str = "retry";

/// Returns whether records of this type are marks.
pub(crate) fn is_mark(event_type: &str) -> bool {
    event_type == MARK
}

/// The content of all marks.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The offsets of all marks and of all admitted records.
    pub(crate) hidden: BTreeSet<Offset>,
    /// The offsets of records whose events may be in the event log already.
    pub(crate) tried: BTreeSet<Offset>,
}

/// The state that a mark gives its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RetryMark {
    Trying,
    Admitted,
}

impl Marks {
    /// Parses the mark in this record and adds it.
    pub(crate) fn add_from(&mut self, record: &Record) -> Result<(), ReadError> {
        let failed = |error: serde_json::Error| ReadError::Failed {
            reason: error.to_string(),
        };
        let mark: MarkJson = serde_json::from_slice(&record.bytes).map_err(failed)?;
        self.add(record.offset, mark.code, &mark.offsets);
        Ok(())
    }

    /// Adds the mark at `mark_offset`, which gives `records` this state.
    pub(crate) fn add(&mut self, mark_offset: Offset, state: RetryMark, records: &[Offset]) {
        self.hidden.insert(mark_offset);
        match state {
            RetryMark::Trying => self.tried.extend(records),
            RetryMark::Admitted => {
                for record in records {
                    self.tried.remove(record);
                    self.hidden.insert(*record);
                }
            }
        }
    }

    /// Forgets all offsets before `tail`.
    pub(crate) fn forget_before(&mut self, tail: Offset) {
        self.hidden = self.hidden.split_off(&tail);
        self.tried = self.tried.split_off(&tail);
    }
}

/// The parsed members of a mark.
#[derive(Deserialize)]
struct MarkJson {
    code: RetryMark,
    offsets: Vec<Offset>,
}

/// Returns a mark as a record for the log.
#[expect(clippy::expect_used, reason = "numbers and strings always become JSON")]
pub(crate) fn to_record(code: RetryMark, records: &[Offset], marked_at: Timestamp) -> NewRecord {
    let json = serde_json::json!({
        "door": MARK, "code": code, "detail": "", "received_at": marked_at, "data": "",
        "offsets": records,
    });
    let bytes = serde_json::to_vec(&json).expect("a mark becomes JSON");
    new_record(MARK, bytes)
}
