//! Accounts, and the notifications to all users of an account.

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
    opens: "it is not the placeholder and not a shadow of another shard",
    closed: "it is the placeholder or a shadow of another shard",
    needs: None,
    is_open: |ctx| !ctx.is_dummy() && !ctx.is_shadow(),
};
