//! Whose a record of the log is.

use easel_catalog::EventAccount;
use easel_log::Record;

/// Returns what says whose an event is.
pub fn event_account(record: &Record) -> EventAccount<'_> {
    EventAccount {
        event_type: &record.event_type,
        id: record.provenance.root_account_id.as_deref(),
        uuid: record.provenance.root_account_uuid.as_deref(),
    }
}
