//! What is the same for the filters of all subscriptions.

use std::sync::Arc;

use easel_catalog::{Catalog, ReachRules};

/// What is the same for the filters of all subscriptions.
#[derive(Clone, Debug)]
pub struct MatchContext {
    /// Says which event types have a Caliper form.
    pub catalog: Arc<Catalog>,
    /// The rules about events whose root account is not certain.
    pub reach_rules: ReachRules,
}

/// With the default rules about reaches.
impl From<Arc<Catalog>> for MatchContext {
    fn from(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog,
            reach_rules: ReachRules::default(),
        }
    }
}
