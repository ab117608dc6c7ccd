//! Accounts and what is said to all of one.

use crate::gate::Gate;
use crate::rule::{Fact, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Account", "account_created")
        .behind(&[REAL])
        .known_by(Fact::Newest),
    TriggerRule::update("Account", "account_updated")
        .behind(&[REAL])
        .known_by(Fact::Newest),
    TriggerRule::insert("AccountNotification", "account_notification_created"),
];

const REAL: Gate = Gate {
    opens: "it is neither the placeholder nor a shadow of another shard",
    closed: "it is the placeholder, or a shadow of another shard",
    needs: None,
    is_open: |scene| !scene.is_dummy() && !scene.is_shadow(),
};
