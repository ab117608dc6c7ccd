//! What people do that changes no record: they log in and out, and open things.

use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::act("logged_in", "logged_in"),
    TriggerRule::act("logged_out", "logged_out"),
    TriggerRule::act("asset_accessed", "asset_accessed"),
    TriggerRule::act("heartbeat", "heartbeat"),
];
