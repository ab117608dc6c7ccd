//! Users and their accounts.

use crate::gate::Gate;
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("User", "user_created").with_gates(&[REAL]),
    TriggerRule::update("User", "user_updated").with_gates(&[REAL]),
    TriggerRule::insert("UserAccountAssociation", "user_account_association_created"),
];

const REAL: Gate = Gate {
    condition: "it is not a shadow of another shard",
    closed_text: "it is a shadow of another shard",
    needs: None,
    is_open: |ctx| !ctx.is_shadow(),
};
