//! The bound on all accounts together.

use easel_catalog::Drift;
use easel_log::Offset;
use jiff::Timestamp;
use uuid::Uuid;

use super::{MAX_OF_ACCOUNT, MAX_SIGHTINGS, Sightings};
use crate::sighting::{Example, Key, Sighting};

fn sighting(account: usize, path: usize) -> Sighting {
    Sighting {
        key: Key {
            root_account: account.to_string(),
            event_type: "course_created".to_owned(),
            drift: Drift::UnknownField,
            path: format!("/body/{path}"),
            which: String::new(),
        },
        declared: None,
        found: "integer".to_owned(),
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        count: 1,
        example: Example {
            offset: Offset::ZERO,
            id: Uuid::nil(),
            value: "9".to_owned(),
        },
    }
}

#[test]
fn there_are_no_more_than_the_bound_and_the_rest_is_counted() {
    let mut sightings = Sightings::default();
    for account in 0..10 {
        for path in 0..MAX_OF_ACCOUNT {
            sightings.count(sighting(account, path));
        }
    }
    assert_eq!(sightings.all.len(), MAX_SIGHTINGS);
    let untold = sightings
        .progress
        .untold
        .each()
        .map(|(_, count)| count)
        .sum::<u64>();
    assert_eq!(
        untold,
        u64::try_from(10 * MAX_OF_ACCOUNT - MAX_SIGHTINGS).unwrap()
    );
    // What is known is still counted.
    sightings.count(sighting(0, 0));
    assert_eq!(sightings.all[&sighting(0, 0).key].count, 2);
}
