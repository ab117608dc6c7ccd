//! What the server itself writes into the audit: its starts and stops, the settings, and what it does alone.

use std::collections::BTreeMap;
use std::fmt::Debug;

use easel_audit::{Audit, AuditActor, AuditUnavailable, DeclaredSetting, NewAuditEntry};
use easel_catalog::OperatorEvent;
use easel_keys::{Keys, SigningAlgorithm};
use easel_sources::SourceJson;
use easel_subscriptions::SpecJson;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::Config;

/// Returns an entry for what the server does by itself.
pub(crate) fn server_entry(
    at: Timestamp,
    action: &str,
    object: impl Into<String>,
    details: &[(&str, Value)],
) -> NewAuditEntry {
    let details = details.iter();
    NewAuditEntry {
        at,
        actor: AuditActor::server(),
        action: action.to_owned(),
        object: object.into(),
        details: details
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
}

/// Returns what the settings declare: subscriptions, sources and key pairs by name, and all other settings by
/// section. Only HMACs of the values are stored.
pub(crate) fn declared_settings(config: &Config) -> Vec<DeclaredSetting> {
    let subscriptions = config.subscriptions.iter().map(|declared| DeclaredSetting {
        kind: "subscription",
        name: declared.full_name().to_string(),
        members: members(&SpecJson::with_secrets(&declared.spec)),
    });
    let sources = config.sources.iter().map(|spec| DeclaredSetting {
        kind: "source",
        name: spec.name.to_string(),
        members: members(&SourceJson::with_secrets(spec)),
    });
    let pairs = config.kinesis.keys.iter().map(|pair| DeclaredSetting {
        kind: "kinesis_key",
        name: pair.access_key_id.clone(),
        members: vec![
            (
                "secret_access_key".to_owned(),
                pair.secret_access_key.expose().as_bytes().to_vec(),
            ),
            ("reach".to_owned(), pair.reach.to_string().into_bytes()),
        ],
    });
    let section = |name: &str, value: &dyn Debug| DeclaredSetting {
        kind: "setting",
        name: name.to_owned(),
        members: vec![(String::new(), format!("{value:?}").into_bytes())],
    };
    let sections = [
        section("listen", &config.listen),
        section("tls", &config.tls),
        section("metrics", &config.metrics),
        section("auth", &config.auth),
        section("oidc", &config.oidc),
        section("reach", &config.reach),
        section("delivery", &config.delivery),
        section("drain", &config.drain),
        section("catalog", &config.catalog),
        section("caliper", &config.caliper),
        section("triggers", &config.triggers),
        section("log", &config.log),
        section("quarantine", &config.quarantine),
        section("audit", &config.audit),
        section("ingest", &config.ingest),
        section("kinesis.stream", &config.kinesis.stream),
        section("canvas_service", &config.canvas_service),
        section("webhook", &config.webhook),
        section("masking", &config.masking),
        section("keys", &config.keys),
    ];
    subscriptions
        .chain(sources)
        .chain(pairs)
        .chain(sections)
        .collect()
}

/// Returns the members of a definition with their values.
fn members(definition: &impl Serialize) -> Vec<(String, Vec<u8>)> {
    match serde_json::to_value(definition) {
        Ok(Value::Object(members)) => members
            .into_iter()
            .map(|(name, value)| (name, value.to_string().into_bytes()))
            .collect(),
        // A definition is always an object.
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// Returns the entry for an operator event that reports a change which the server made.
pub(crate) fn entry_of_operator_event(
    at: Timestamp,
    event: &OperatorEvent,
) -> Option<NewAuditEntry> {
    match event {
        OperatorEvent::SubscriptionDeactivated {
            subscription,
            reach,
            reason,
            ..
        } => {
            let mut entry = server_entry(
                at,
                "subscription.deactivate",
                subscription,
                &[("reason", reason.as_str().into())],
            );
            entry.actor.reach = reach.clone();
            Some(entry)
        }
        OperatorEvent::SubscriptionHeld { .. }
        | OperatorEvent::SubscriptionResumed { .. }
        | OperatorEvent::ManyDeadLetters { .. }
        | OperatorEvent::DriftFound { .. }
        | OperatorEvent::DiskLow { .. }
        | OperatorEvent::TrimmedPastCursor { .. }
        | OperatorEvent::SourceFailing { .. } => None,
    }
}

/// The ids of the current signing keys, by algorithm.
pub(crate) type CurrentKeys = BTreeMap<SigningAlgorithm, String>;

/// Returns the ids of the current signing keys.
pub(crate) fn current_keys(keys: &Keys) -> CurrentKeys {
    let sets = keys.signing().sets().into_iter();
    sets.map(|(algorithm, set)| (algorithm, set.current.kid().to_owned()))
        .collect()
}

/// Records the signing keys that the server has created or rotated since `before`.
pub(crate) async fn record_key_changes(
    audit: &Audit,
    before: &CurrentKeys,
    after: &CurrentKeys,
) -> Result<(), AuditUnavailable> {
    for (algorithm, kid) in after {
        let action = match before.get(algorithm) {
            Some(old) if old == kid => continue,
            Some(_) => "signing_key.rotate",
            None => "signing_key.create",
        };
        let details = [("kid", kid.as_str().into())];
        let entry = server_entry(audit.now(), action, algorithm.as_str(), &details);
        audit.record(entry).await?;
    }
    Ok(())
}

/// Returns the details of a start.
pub(crate) fn start_details(generation: u64) -> [(&'static str, Value); 2] {
    [
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("generation", generation.into()),
    ]
}
