//! What people do that changes no record: they log in and out, and open things.

use crate::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::act("logged_in", "logged_in"),
    Rule::act("logged_out", "logged_out"),
    Rule::act("asset_accessed", "asset_accessed"),
    Rule::act("heartbeat", "heartbeat"),
];
