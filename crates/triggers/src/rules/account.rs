//! Accounts, and the notifications to all users of an account.

use crate::gate::Gate;
use crate::rule::{Evidence, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Account", "account_created")
        .with_gates(&[REAL])
        .known_by(Evidence::Newest),
    TriggerRule::update("Account", "account_updated")
        .with_gates(&[REAL])
        .known_by(Evidence::Newest),
    TriggerRule::insert("AccountNotification", "account_notification_created"),
];

const REAL: Gate = Gate {
    condition: "it is not the placeholder and not a shadow of another shard",
    closed_text: "it is the placeholder or a shadow of another shard",
    needs: None,
    is_open: |ctx| !ctx.is_dummy() && !ctx.is_shadow(),
};
