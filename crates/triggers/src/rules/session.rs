//! Actions that change no row: users log in, log out and open content.

use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::act("logged_in", "logged_in"),
    TriggerRule::act("logged_out", "logged_out"),
    TriggerRule::act("asset_accessed", "asset_accessed"),
    TriggerRule::act("heartbeat", "heartbeat"),
];
