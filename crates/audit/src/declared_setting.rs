//! What the settings file declares, and how it differs from what it declared before.
//!
//! The file stores no value of a setting, only an HMAC of it. Nobody can guess a secret from that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Map;

use crate::audit_entry::{AuditActor, NewAuditEntry};
use crate::audit_store::SettingRow;
use crate::chain_key::{ChainKey, MacUse};

/// Something that the settings file declares, such as a subscription or a section of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredSetting {
    /// The kind: `subscription`, `source`, `kinesis_key` or `setting`.
    pub kind: &'static str,
    /// The name or id.
    pub name: String,
    /// The members with their values. The values are compared and never stored.
    pub members: Vec<(String, Vec<u8>)>,
}

/// The members of a setting, with the HMACs of their values.
type Fingerprints<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Returns the rows of the declared settings.
pub(crate) fn rows_of(key: &ChainKey, declared: &[DeclaredSetting]) -> Vec<SettingRow> {
    let mut rows = Vec::new();
    for DeclaredSetting {
        kind,
        name,
        members,
    } in declared
    {
        for (member, value) in members {
            let mut message = Vec::new();
            for part in [kind.as_bytes(), name.as_bytes(), member.as_bytes(), value] {
                message.extend_from_slice(&(part.len() as u64).to_be_bytes());
                message.extend_from_slice(part);
            }
            rows.push(SettingRow {
                kind: (*kind).to_owned(),
                name: name.clone(),
                member: member.clone(),
                fingerprint: key.mac(MacUse::Setting, &message).as_bytes().to_vec(),
            });
        }
    }
    rows
}

/// Returns the entries for what is different between `old` and `new`. Without old rows, plain settings make no
/// entries.
pub(crate) fn changes(old: &[SettingRow], new: &[SettingRow], at: Timestamp) -> Vec<NewAuditEntry> {
    let (before, after) = (by_name(old), by_name(new));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let mut entries = Vec::new();
    for (kind, name) in names {
        let (was, is) = (before.get(&(kind, name)), after.get(&(kind, name)));
        let change = match (was, is) {
            (None, _) if kind == "setting" && old.is_empty() => continue,
            (Some(was), Some(is)) if was == is => continue,
            (None, _) if kind != "setting" => "create",
            (_, None) if kind != "setting" => "remove",
            _ => "change",
        };
        let mut details = Map::new();
        if let (Some(was), Some(is)) = (was, is) {
            let members: BTreeSet<_> = was.keys().chain(is.keys()).copied().collect();
            let changed = members
                .into_iter()
                .filter(|member| !member.is_empty() && was.get(member) != is.get(member));
            let changed: Vec<_> = changed.collect();
            if !changed.is_empty() {
                details.insert("changed".to_owned(), changed.into());
            }
        }
        entries.push(NewAuditEntry {
            at,
            actor: AuditActor::settings(),
            action: format!("{kind}.{change}"),
            object: name.to_owned(),
            details,
        });
    }
    entries
}

fn by_name(rows: &[SettingRow]) -> BTreeMap<(&str, &str), Fingerprints<'_>> {
    let mut by_name: BTreeMap<_, Fingerprints<'_>> = BTreeMap::new();
    for row in rows {
        let members = by_name.entry((row.kind.as_str(), row.name.as_str()));
        members
            .or_default()
            .insert(row.member.as_str(), row.fingerprint.as_slice());
    }
    by_name
}
