//! The settings about events whose root account is not certain.

use super::{Setting, WordList, name_of, one_of, put};

pub(super) const JOB_EVENTS: Setting = Setting {
    key: "reach.job_events",
    requirement: REQUIREMENT,
    set: |config, text| put(&mut config.reach.job_events, one_of(text, &WORDS)),
    is_secret: false,
    show: |config| name_of(config.reach.job_events, &WORDS),
};

pub(super) const EVENTS_WITHOUT_ROOT_ACCOUNT: Setting = Setting {
    key: "reach.events_without_root_account",
    requirement: REQUIREMENT,
    set: |config, text| {
        let value = one_of(text, &WORDS);
        put(&mut config.reach.events_without_root_account, value)
    },
    is_secret: false,
    show: |config| name_of(config.reach.events_without_root_account, &WORDS),
};

const REQUIREMENT: &str = "\"hidden\" or \"shown\"";

/// Whether confined callers see such events.
const WORDS: WordList<bool> = [("hidden", false), ("shown", true)];
