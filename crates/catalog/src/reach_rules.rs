//! Whose an event is: the one place that decides whether an event is within a reach.
//!
//! An event belongs to the root account that it names. Two kinds of events do not, unless the operator says
//! otherwise: events of jobs, whose root account is not always the one that they concern, and events that name
//! no root account. Everybody without a confined reach sees them.

use crate::event_type::EventOrigin;
use crate::{FilterFacts, Reach, is_operator_event};

/// The operator's rules about events whose root account is not certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReachRules {
    /// Whether an event of a job belongs to the root account that it names.
    pub job_events: bool,
    /// Whether an event that names no root account is within every reach. An event that Easel itself sends to
    /// its operators never is.
    pub events_without_root_account: bool,
}

/// What says whose an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventAccount<'a> {
    /// The event type.
    pub event_type: &'a str,
    /// The global id of the root account that the record names.
    pub id: Option<&'a str>,
    /// The UUID of the root account that the record names.
    pub uuid: Option<&'a str>,
}

impl ReachRules {
    /// Returns true if an event is within a reach. Reads the facts only if the root account matches.
    pub fn covers(self, reach: &Reach, account: EventAccount<'_>, facts: &FilterFacts<'_>) -> bool {
        if *reach == Reach::Everything {
            return true;
        }
        let is_named = reach.covers(account.id, account.uuid);
        (is_named || self.is_for_everybody(account)) && self.may_be_confined(facts)
    }

    /// Returns true if an event that belongs to this root account is within every reach, unless it is of a job.
    pub fn is_for_everybody(self, account: EventAccount<'_>) -> bool {
        self.events_without_root_account
            && account.id.is_none()
            && account.uuid.is_none()
            && !is_operator_event(account.event_type)
    }

    /// Returns true if an event can be within a confined reach whatever its root account is.
    pub fn may_be_confined(self, facts: &FilterFacts<'_>) -> bool {
        self.job_events || facts.details().origin != EventOrigin::Job
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventDetails, Facts};
    use EventOrigin::{Job, Neither, Request};

    const STRICT: ReachRules = ReachRules {
        job_events: false,
        events_without_root_account: false,
    };

    #[test]
    fn jobs_and_events_without_a_root_account_are_outside_of_every_reach_unless_it_is_allowed() {
        let [id, uuid] = ["root_account:7", "root_account:aB"].map(|text| text.parse().unwrap());
        let with_jobs = ReachRules {
            job_events: true,
            ..STRICT
        };
        let open = ReachRules {
            job_events: true,
            events_without_root_account: true,
        };
        let only_open = ReachRules {
            job_events: false,
            ..open
        };
        let rules = [STRICT, with_jobs, only_open, open];
        let check = |reach: &Reach, (event_type, id, uuid), origin, wanted: [bool; 4]| {
            let details = EventDetails {
                origin,
                ..EventDetails::default()
            };
            let facts = FilterFacts::from_parts(Facts::default(), details);
            let account = EventAccount {
                event_type,
                id,
                uuid,
            };
            let covered = rules.map(|rules| rules.covers(reach, account, &facts));
            assert_eq!(covered, wanted, "{reach} {account:?} {origin:?}");
        };
        for origin in [Request, Neither] {
            check(&id, ("a", Some("7"), None), origin, [true; 4]);
            check(&id, ("a", Some("7"), Some("x")), origin, [true; 4]);
            check(&uuid, ("a", Some("8"), Some("aB")), origin, [true; 4]);
            check(&id, ("a", Some("8"), None), origin, [false; 4]);
            check(&id, ("a", None, Some("7")), origin, [false; 4]);
            check(&uuid, ("a", Some("7"), None), origin, [false; 4]);
            check(&id, ("a", None, None), origin, [false, false, true, true]);
            check(&id, ("easel.x", None, None), origin, [false; 4]);
            check(&id, ("easel.x", Some("7"), None), origin, [true; 4]);
            check(&Reach::Everything, ("a", None, None), origin, [true; 4]);
        }
        check(&id, ("a", Some("7"), None), Job, [false, true, false, true]);
        check(&id, ("a", None, None), Job, [false, false, false, true]);
        check(&id, ("a", Some("8"), None), Job, [false; 4]);
        check(&Reach::Everything, ("a", Some("8"), None), Job, [true; 4]);
    }
}
