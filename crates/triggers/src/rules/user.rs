//! Users, and the accounts they belong to.

use crate::gate::Gate;
use crate::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::insert("User", "user_created").behind(&[REAL]),
    Rule::update("User", "user_updated").behind(&[REAL]),
    Rule::insert("UserAccountAssociation", "user_account_association_created"),
];

const REAL: Gate = Gate {
    opens: "it is no shadow of another shard",
    closed: "it is a shadow of another shard",
    needs: None,
    is_open: |scene| !scene.is_shadow(),
};
