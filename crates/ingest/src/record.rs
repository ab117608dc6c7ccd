//! Converts an event to a record of the log. Reads the facts of an event from its stored bytes.

use std::sync::Arc;

use easel_catalog::{Event, Facts, parse_timestamp};
use easel_log::{NewRecord, Provenance, RecordFacts, Shape};

/// The most bytes of an id or a UUID of a root account.
const MAX_ACCOUNT_BYTES: usize = 64;

/// Converts an event to a record. The record shares the provenance of the `previous` one if they are
/// equal. So many events take little memory, and the log has little to compare.
pub(crate) fn to_record(event: Event, previous: Option<&NewRecord>) -> NewRecord {
    let Event {
        id,
        event_type,
        occurred_at,
        root_account_id,
        root_account_uuid,
        bytes,
    } = event;
    let provenance = provenance(root_account_id, root_account_uuid);
    let previous_provenance = previous.map(|record| &record.provenance);
    // A struct literal, because `NewRecord::new` would allocate a provenance that is not needed.
    NewRecord {
        id,
        event_type,
        occurred_at: Some(occurred_at),
        provenance: match previous_provenance.filter(|previous| ***previous == provenance) {
            Some(previous) => Arc::clone(previous),
            None => Arc::new(provenance),
        },
        arrival: None,
        bytes,
    }
}

/// Reads the facts of a stored event, for blocks that an older version wrote without them. They equal
/// the facts that [`admit`](easel_catalog::admit) found when the event arrived.
pub fn event_facts(stored: &[u8]) -> RecordFacts {
    let Facts {
        event_time,
        root_account_id,
        root_account_uuid,
        ..
    } = Facts::from_event(stored);
    RecordFacts {
        occurred_at: event_time.and_then(|time| parse_timestamp(&time)),
        provenance: provenance(
            root_account_id.map(Arc::from),
            root_account_uuid.map(Arc::from),
        ),
    }
}

fn provenance(id: Option<Arc<str>>, uuid: Option<Arc<str>>) -> Provenance {
    let is_short = |text: &Arc<str>| text.len() <= MAX_ACCOUNT_BYTES;
    Provenance {
        root_account_id: id.filter(is_short),
        root_account_uuid: uuid.filter(is_short),
        source: None,
        shape: Shape::Canvas,
    }
}

#[cfg(test)]
mod tests {
    use easel_catalog::{Limits, admit};

    use super::*;

    #[track_caller]
    fn check(members: &str, account: Option<&str>) {
        let text = format!(
            r#"{{"attributes":{{"event_name":"x","event_time":"2019-11-05 07:38:00.25 -0800"{members}}},"body":{{}}}}"#
        );
        let record = to_record(admit(text.as_bytes(), &Limits::default()).unwrap(), None);
        let facts = event_facts(&record.bytes);
        assert_eq!(record.occurred_at, facts.occurred_at, "{members}");
        assert_eq!(*record.provenance, facts.provenance, "{members}");
        assert_eq!(
            record.occurred_at,
            "2019-11-05T15:38:00.25Z".parse().ok(),
            "{members}"
        );
        assert_eq!(
            record.provenance.root_account_id.as_deref(),
            account,
            "{members}"
        );
    }

    #[test]
    fn facts_of_stored_bytes_equal_those_of_admission() {
        check("", None);
        check(r#","root_account_id":"7""#, Some("7"));
        check(
            r#","root_account_uuid":"u","root_account_id": 7"#,
            Some("7"),
        );
        check(r#","root_account_id":"\u0037""#, Some("7"));
        check(r#","root_account_id":[7]"#, None);
    }

    #[test]
    fn an_account_id_that_is_too_long_is_dropped() {
        let most = "7".repeat(MAX_ACCOUNT_BYTES);
        check(&format!(r#","root_account_id":"{most}""#), Some(&most));
        check(&format!(r#","root_account_id":"{most}7""#), None);
    }

    #[test]
    fn consecutive_records_of_one_account_share_their_provenance() {
        let account = |id: &str| {
            let text = format!(
                r#"{{"metadata":{{"event_name":"x","event_time":"2019-11-05T07:38:00Z","root_account_id":"{id}"}},"body":{{}}}}"#
            );
            admit(text.as_bytes(), &Limits::default()).unwrap()
        };
        let first = to_record(account("7"), None);
        let second = to_record(account("7"), Some(&first));
        let third = to_record(account("8"), Some(&second));
        assert!(Arc::ptr_eq(&first.provenance, &second.provenance));
        assert_eq!(third.provenance.root_account_id.as_deref(), Some("8"));
    }

    #[test]
    fn bytes_that_are_not_an_event_have_no_facts() {
        assert_eq!(event_facts(b"[]"), RecordFacts::default());
    }
}
