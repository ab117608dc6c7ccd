//! Checks the log and the webhooks from outside the server. It knows which events they must have.

use std::collections::{HashMap, HashSet};
use std::fmt;

use easel_testkit::Received;
use serde_json::Value;
use uuid::Uuid;

use super::load::{Sent, numbered};
use crate::caller::{Balance, Shown};

/// The validated content of the log.
#[derive(Debug)]
pub(crate) struct Oracle {
    sent: Sent,
    /// The names and ids of the stored events, by number.
    stored: HashMap<u64, (String, String)>,
    /// The offsets of the stored events, by number.
    offsets: HashMap<u64, u64>,
    /// The number of offsets without an event of a producer, such as offsets of operator events.
    pub(crate) unseen: u64,
}

impl Oracle {
    /// Compares the log with the sent events. Each acknowledged event must be at its offset, no event may be
    /// stored twice, and each stored event must have been sent.
    pub(crate) fn check_log(sent: Sent, shown: &[Shown]) -> Self {
        let mut stored = HashMap::new();
        let mut offsets = HashMap::new();
        let mut next = 0;
        for record in shown {
            let offset = record.offset;
            assert!(offset >= next, "{offset} comes after {next}");
            next = offset + 1;
            let (number, name) = parse_event(record.bytes());
            assert!(sent.events.contains_key(&number), "{number} was never sent");
            let known = stored.insert(number, (name, record.id.clone()));
            assert_eq!(known, None, "{number} is in the log twice");
            offsets.insert(number, offset);
        }
        for (number, offset) in &sent.events {
            if offset.is_some() {
                assert_eq!(
                    offsets.get(number),
                    offset.as_ref(),
                    "{number} was acknowledged"
                );
            }
        }
        let unseen = next - count(shown.len());
        Self {
            sent,
            stored,
            offsets,
            unseen,
        }
    }

    /// Returns the numbers of the stored events whose names begin with `prefix`.
    pub(crate) fn numbers(&self, prefix: &str) -> HashSet<u64> {
        let stored = self.stored.iter();
        stored
            .filter_map(|(number, (name, _))| name.starts_with(prefix).then_some(*number))
            .collect()
    }

    /// Returns the id of a stored event.
    pub(crate) fn id(&self, number: u64) -> &str {
        &self.stored.get(&number).expect("the event is in the log").1
    }

    /// Returns the offset of a stored event.
    pub(crate) fn offset(&self, number: u64) -> u64 {
        self.offsets[&number]
    }

    /// Compares the requests of a webhook and the balance with the log. Its subscription wants the events
    /// whose names begin with `prefix`. Returns the number of repeated requests.
    pub(crate) fn check(&self, balance: &Balance, received: &[Received], prefix: &str) -> u64 {
        let wanted = self.numbers(prefix);
        let mut arrived = HashSet::new();
        for request in received {
            let (number, _) = parse_event(&request.body);
            let (name, id) = self.stored.get(&number).expect("the event is in the log");
            assert_eq!(request.header("webhook-id"), id);
            assert_eq!(request.header("easel-event-name"), name);
            arrived.insert(number);
        }
        let missing: Vec<_> = wanted.difference(&arrived).collect();
        assert!(missing.is_empty(), "never delivered: {missing:?}");
        let unwanted: Vec<_> = arrived.difference(&wanted).collect();
        assert!(
            unwanted.is_empty(),
            "delivered against the filter: {unwanted:?}"
        );

        let (all, wanted) = (count(self.stored.len()), count(wanted.len()));
        assert_eq!(balance.accepted, all);
        assert_eq!(balance.delivered, wanted);
        assert_eq!(balance.filtered, all - wanted);
        assert_eq!((balance.expired, balance.damaged), (0, 0));
        count(received.len()) - wanted
    }
}

/// Returns the number and name of an event. Its bytes must be unchanged.
fn parse_event(bytes: &[u8]) -> (u64, String) {
    let event: Value = serde_json::from_slice(bytes).expect("the event is JSON");
    let metadata = &event["metadata"];
    let request: Uuid = metadata["request_id"].as_str().unwrap().parse().unwrap();
    let number = u64::try_from(request.as_u128()).unwrap();
    assert_eq!(bytes, numbered(number), "event {number} was altered");
    (number, metadata["event_name"].as_str().unwrap().to_owned())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap()
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.sent.events.len();
        let known = self.sent.events.values().flatten().count();
        write!(
            f,
            "{sent} events sent, {known} acknowledged ({} of them again) and none lost; {} of {} \
             events without an answer stored",
            self.sent.again_count,
            self.stored.len() - known,
            sent - known,
        )
    }
}
