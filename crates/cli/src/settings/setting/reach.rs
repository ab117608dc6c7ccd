//! The settings that say whose an event is if its root account is not certain.

use super::{Setting, put};

const SWITCH: &str = "true or false";

pub(super) const JOB_EVENTS: Setting = Setting {
    key: "reach.job_events",
    requirement: SWITCH,
    set: |config, text| put(&mut config.reach.job_events, text.parse().ok()),
    is_secret: false,
    show: |config| config.reach.job_events.to_string(),
};

pub(super) const EVENTS_WITHOUT_ROOT_ACCOUNT: Setting = Setting {
    key: "reach.events_without_root_account",
    requirement: SWITCH,
    set: |config, text| {
        put(
            &mut config.reach.events_without_root_account,
            text.parse().ok(),
        )
    },
    is_secret: false,
    show: |config| config.reach.events_without_root_account.to_string(),
};
