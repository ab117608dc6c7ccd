//! What the audit records about each operation of the OpenAPI document.
//!
//! Every operation has a row; a test of the server fails if one has none.

use std::collections::HashMap;

use axum::http::Method;
use utoipa::openapi::OpenApi;

/// What the audit records about an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditRule {
    /// Nothing: it changes nothing and shows no payload, or it is a door that receives events.
    Unrecorded,
    /// Each call that may have changed something, with this action.
    Change(&'static str),
    /// Each call that shows a payload, with this action.
    Look(&'static str),
}

use AuditRule::{Change, Look, Unrecorded};

/// The rule of each operation, by its id in the document.
pub const AUDIT_RULES: &[(&str, AuditRule)] = &[
    ("apply_tables", Change("tables.apply")),
    ("begin_import", Unrecorded),
    ("cancel_rebuild", Change("tables.cancel_rebuild")),
    ("cancel_replay", Change("replay.cancel")),
    ("change_subscription", Change("subscription.change")),
    ("change_token", Change("token.change")),
    ("check_envelope", Unrecorded),
    ("clear_drift", Change("drift.clear")),
    ("create_source", Change("source.create")),
    ("create_subscription", Change("subscription.create")),
    ("create_token", Change("token.create")),
    ("discard_dead_letters", Change("dead_letters.discard")),
    ("empty_quarantine", Change("quarantine.empty")),
    ("enforce_guard", Change("subscription.enforce_guard")),
    ("import_part", Unrecorded),
    ("list_attempts", Unrecorded),
    ("list_audit", Unrecorded),
    ("list_balances", Unrecorded),
    ("list_dead_letters", Look("dead_letters.read")),
    ("list_drift", Unrecorded),
    ("list_event_types", Unrecorded),
    ("list_events", Look("events.read")),
    ("list_imports", Unrecorded),
    ("list_keys", Unrecorded),
    ("list_parked", Unrecorded),
    ("list_quarantine", Look("quarantine.read")),
    ("list_replays", Unrecorded),
    ("list_sources", Unrecorded),
    ("list_subscriptions", Unrecorded),
    ("list_tokens", Unrecorded),
    ("pause_deliveries", Change("deliveries.pause")),
    ("pause_source", Change("source.pause")),
    ("pause_subscription", Change("subscription.pause")),
    ("plan_tables", Unrecorded),
    ("promote_field", Change("tables.promote_field")),
    ("redeliver_dead_letters", Change("dead_letters.redeliver")),
    ("remove_import", Change("import.remove")),
    ("remove_source", Change("source.remove")),
    ("remove_subscription", Change("subscription.remove")),
    ("remove_token", Change("token.remove")),
    ("replace_source", Change("source.change")),
    ("replace_subscription", Change("subscription.change")),
    ("resume_deliveries", Change("deliveries.resume")),
    ("resume_source", Change("source.resume")),
    ("resume_subscription", Change("subscription.resume")),
    ("retry_quarantine", Change("quarantine.retry")),
    ("rotate_master_key", Change("master_key.rotate")),
    ("rotate_signing_key", Change("signing_key.rotate")),
    ("rotate_token", Change("token.rotate")),
    ("send_changes", Unrecorded),
    ("send_events", Unrecorded),
    ("send_test", Change("test.send")),
    ("show_asyncapi", Unrecorded),
    ("show_balance", Unrecorded),
    ("show_dead_letter", Look("dead_letter.read")),
    ("show_deliveries", Unrecorded),
    ("show_event", Look("event.read")),
    ("show_event_schema", Unrecorded),
    ("show_event_type", Unrecorded),
    ("show_health", Unrecorded),
    ("show_import", Unrecorded),
    ("show_jwks", Unrecorded),
    ("show_metrics", Unrecorded),
    ("show_openapi", Unrecorded),
    ("show_readiness", Unrecorded),
    ("show_rebuild", Unrecorded),
    ("show_replay", Unrecorded),
    ("show_source", Unrecorded),
    ("show_status", Unrecorded),
    ("show_subscription", Unrecorded),
    ("show_tables", Unrecorded),
    ("start_rebuild", Change("tables.rebuild")),
    ("start_replay", Change("replay.start")),
    ("stream_events", Look("events.stream")),
    ("take_hosted_event", Unrecorded),
    ("take_hosted_event_with_secret", Unrecorded),
    ("verify_audit", Unrecorded),
];

/// The rules by method and path.
#[derive(Debug)]
pub(crate) struct AuditRules(HashMap<(Method, String), AuditRule>);

impl AuditRules {
    /// Reads the paths of all operations from the document.
    pub(crate) fn from_document(document: &OpenApi) -> Self {
        let mut rules = HashMap::new();
        for (path, item) in &document.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::DELETE, &item.delete),
                (Method::PATCH, &item.patch),
            ];
            for (method, operation) in operations {
                let id = operation
                    .as_ref()
                    .and_then(|operation| operation.operation_id.as_deref());
                let row = AUDIT_RULES.iter().find(|(name, _)| Some(*name) == id);
                if let Some((_, rule)) = row {
                    rules.insert((method, path.clone()), *rule);
                }
            }
        }
        Self(rules)
    }

    /// Returns the rule of a route; `None` if the document does not have it.
    pub(crate) fn get(&self, method: &Method, path: &str) -> Option<AuditRule> {
        self.0.get(&(method.clone(), path.to_owned())).copied()
    }
}
