//! Converts an event to a record of the log. Reads the facts of an event from its stored bytes.

use std::sync::Arc;

use easel_catalog::{
    Event, EventShape, Facts, Fault, Limits, Reach, admit_hosted, parse_timestamp,
};
use easel_log::{Arrival, NewRecord, Provenance, RecordFacts, Shape};

/// The most bytes of an id or a UUID of a root account.
const MAX_ACCOUNT_BYTES: usize = 64;

/// What came with an event that a hosted Canvas sent.
#[derive(Clone, Debug, Default)]
pub struct HostedArrival<'a> {
    /// The event name, such as the attribute `event_name` of SQS. It becomes the event type of a Caliper
    /// envelope, which has no event name of its own.
    pub event_name: Option<&'a str>,
    /// The name of the source.
    pub source: Option<Arc<str>>,
    /// The id and time that the source gave the message.
    pub arrival: Option<Arrival>,
}

/// Converts the bytes that a hosted Canvas sent, a Canvas event or a Caliper envelope, to a record. The record shares
/// the provenance of the `previous` one if they are equal.
///
/// # Errors
///
/// Fails if the bytes are neither, with the reason and its place.
pub fn hosted_record(
    bytes: &[u8],
    limits: &Limits,
    hosted: HostedArrival<'_>,
    previous: Option<&NewRecord>,
) -> Result<NewRecord, Fault> {
    let event = admit_hosted(bytes, limits, hosted.event_name)?;
    Ok(NewRecord {
        arrival: hosted.arrival.map(Arc::new),
        ..record_from(event, hosted.source, previous)
    })
}

/// Converts an event to a record. The record shares the provenance of the `previous` one if they are
/// equal. So many events take little memory, and the log has little to compare.
pub(crate) fn to_record(event: Event, previous: Option<&NewRecord>) -> NewRecord {
    record_from(event, None, previous)
}

fn record_from(event: Event, source: Option<Arc<str>>, previous: Option<&NewRecord>) -> NewRecord {
    let Event {
        id,
        event_type,
        occurred_at,
        root_account_id,
        root_account_uuid,
        shape,
        bytes,
    } = event;
    let provenance = Provenance {
        source,
        shape: match shape {
            EventShape::Canvas => Shape::Canvas,
            EventShape::Caliper => Shape::Caliper,
        },
        ..provenance(root_account_id, root_account_uuid)
    };
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
/// the facts that [`admit`](easel_catalog::admit) found when the event arrived. Such blocks have only
/// Canvas events.
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

/// Returns the reach of a sender for a record in quarantine.
pub(crate) fn quarantined_reach(reach: &Reach) -> Option<Arc<str>> {
    reach.root_account().map(|_| reach.to_string().into())
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
    fn a_hosted_event_keeps_its_source_its_arrival_and_its_shape() {
        let envelope =
            br#"{"data":[{"type":"Event","action":"Created","eventTime":"2019-11-05T07:38:00Z",
            "actor":{"extensions":{"com.instructure.canvas":{"root_account_id":"7"}}}}]}"#;
        let canvas =
            br#"{"metadata":{"event_name":"x","event_time":"2019-11-05T07:38:00Z"},"body":{}}"#;
        let arrival = Arrival {
            message_id: Some("m1".into()),
            sent_at: None,
        };
        let hosted = HostedArrival {
            event_name: Some("course_created"),
            source: Some("canvas_cloud".into()),
            arrival: Some(arrival.clone()),
        };
        let record = |bytes: &[u8], previous| {
            hosted_record(bytes, &Limits::default(), hosted.clone(), previous).unwrap()
        };
        let first = record(envelope, None);
        assert_eq!(&*first.event_type, "course_created");
        let wanted = Provenance {
            root_account_id: Some("7".into()),
            root_account_uuid: None,
            source: Some("canvas_cloud".into()),
            shape: Shape::Caliper,
        };
        assert_eq!(*first.provenance, wanted);
        assert_eq!(first.arrival.as_deref(), Some(&arrival));
        let second = record(envelope, Some(&first));
        assert!(Arc::ptr_eq(&first.provenance, &second.provenance));
        let third = record(canvas, Some(&second));
        assert_eq!(
            (&*third.event_type, third.provenance.shape),
            ("x", Shape::Canvas)
        );
        let fault = hosted_record(b"{}", &Limits::default(), hosted.clone(), None).unwrap_err();
        assert_eq!(fault.code.as_str(), "missing_metadata");
    }

    #[test]
    fn bytes_that_are_not_an_event_have_no_facts() {
        assert_eq!(event_facts(b"[]"), RecordFacts::default());
    }
}
