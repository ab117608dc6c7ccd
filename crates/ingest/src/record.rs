//! How an event becomes a record of the log, and what an older log reads from its bytes.

use std::sync::Arc;

use easel_catalog::{Event, Facts, parse_timestamp};
use easel_log::{NewRecord, Provenance, RecordFacts, Shape};

/// The most bytes of what is taken for an id or a UUID of a root account.
const MAX_ACCOUNT_BYTES: usize = 64;

/// An event as the log takes it. It shares its provenance with the record before, if that is the
/// same: so the log has little to compare, and many events take little memory.
pub(crate) fn record(event: Event, before: Option<&NewRecord>) -> NewRecord {
    let Event {
        id,
        event_type,
        occurred_at,
        root_account_id,
        root_account_uuid,
        bytes,
    } = event;
    let provenance = provenance(root_account_id, root_account_uuid);
    let known = before.map(|it| &it.provenance);
    // Written out: a record that was made without would allocate a provenance for nothing.
    NewRecord {
        id,
        event_type,
        occurred_at: Some(occurred_at),
        provenance: match known.filter(|known| ***known == provenance) {
            Some(known) => Arc::clone(known),
            None => Arc::new(provenance),
        },
        arrival: None,
        bytes,
    }
}

/// What a stored event says of itself, for blocks that an older version wrote without that. It is
/// what [`admit`](easel_catalog::admit) found when the event came in.
pub fn event_facts(stored: &[u8]) -> RecordFacts {
    let Facts {
        event_time,
        root_account_id,
        root_account_uuid,
        ..
    } = Facts::of(stored);
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
        let record = record(admit(text.as_bytes(), &Limits::default()).unwrap(), None);
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
    fn what_an_older_block_does_not_tell_is_read_as_admission_reads_it() {
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
    fn what_is_too_long_for_an_account_is_none() {
        let most = "7".repeat(MAX_ACCOUNT_BYTES);
        check(&format!(r#","root_account_id":"{most}""#), Some(&most));
        check(&format!(r#","root_account_id":"{most}7""#), None);
    }

    #[test]
    fn records_of_one_account_in_a_row_share_their_provenance() {
        let account = |id: &str| {
            let text = format!(
                r#"{{"metadata":{{"event_name":"x","event_time":"2019-11-05T07:38:00Z","root_account_id":"{id}"}},"body":{{}}}}"#
            );
            admit(text.as_bytes(), &Limits::default()).unwrap()
        };
        let first = record(account("7"), None);
        let second = record(account("7"), Some(&first));
        let third = record(account("8"), Some(&second));
        assert!(Arc::ptr_eq(&first.provenance, &second.provenance));
        assert_eq!(third.provenance.root_account_id.as_deref(), Some("8"));
    }

    #[test]
    fn what_is_no_event_has_no_facts() {
        assert_eq!(event_facts(b"[]"), RecordFacts::default());
    }
}
