//! A drift record: data that the catalogue does not know, and how often it arrived.

use easel_catalog::{Drift, Field, Finding, Privacy, Rule, ValueClass, mask};
use easel_log::{Offset, Record};
use jiff::Timestamp;
use uuid::Uuid;

/// The maximum length of a path, in characters.
const MAX_PATH_CHARS: usize = 256;
/// The maximum length of an example and of an unlisted value, in characters.
const MAX_VALUE_CHARS: usize = 64;
/// The maximum length of an example that is a whole event, in characters.
const MAX_EVENT_CHARS: usize = 1024;

/// Data that the catalogue does not know, and how often it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftRecord {
    /// The identity of this record.
    pub(crate) key: DriftKey,
    /// The kind of value that the catalogue declares; `None` if it does not know the field.
    pub declared: Option<String>,
    /// What arrived instead: a class of value, or an unlisted value.
    pub found: String,
    /// When the first event with this drift was accepted.
    pub first_seen: Timestamp,
    /// When the latest event with this drift was accepted.
    pub last_seen: Timestamp,
    /// How often it was found. One event can count several times.
    pub count: u64,
    /// The first occurrence.
    pub example: Example,
    /// True if it changed since the last save.
    pub(crate) is_unsaved: bool,
}

/// The first occurrence of drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The event's offset in the log.
    pub offset: Offset,
    /// The event's id.
    pub id: Uuid,
    /// The masked value. For an unknown event type, the masked event.
    pub value: String,
}

/// The identity of a drift record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DriftKey {
    /// The root account's global id; empty if the event has no valid one.
    pub(crate) root_account: String,
    pub(crate) event_type: String,
    pub(crate) drift: Drift,
    pub(crate) path: String,
    /// What arrived: a class of value, or an unlisted value. Empty for kinds of drift that do not have a
    /// record for each of these.
    pub(crate) which: String,
}

impl DriftRecord {
    /// Returns the kind of drift.
    pub const fn drift(&self) -> Drift {
        self.key.drift
    }

    /// Returns the global id of the root account, or else its UUID, if the events have one of them.
    pub fn root_account(&self) -> Option<&str> {
        Some(self.key.root_account.as_str()).filter(|id| !id.is_empty())
    }

    /// Returns the event type.
    pub fn event_type(&self) -> &str {
        &self.key.event_type
    }

    /// Returns the JSON pointer to the value, with `*` for every index; empty for the event itself. A
    /// long pointer is truncated to 256 characters, with `…` at the end.
    pub fn path(&self) -> &str {
        &self.key.path
    }

    /// Creates a record from the first `finding` with this key, in the log record `record`.
    pub(crate) fn from_finding(key: DriftKey, finding: &Finding<'_>, record: &Record) -> Self {
        let value = match key.drift {
            Drift::UnknownEventType => mask(&record.bytes, MAX_EVENT_CHARS),
            Drift::UnknownField
            | Drift::TypeChange
            | Drift::UnlistedValue
            | Drift::NoValue
            | Drift::LongerText => mask(finding.value, MAX_VALUE_CHARS),
        };
        Self {
            declared: finding.field.map(|field| field.kind.to_string()),
            found: what_arrived(finding),
            first_seen: record.appended_at,
            last_seen: record.appended_at,
            count: 1,
            example: Example {
                offset: record.offset,
                id: record.id,
                value,
            },
            is_unsaved: true,
            key,
        }
    }

    /// Counts another `finding` with the same key, in the log record `record`.
    pub(crate) fn count_again(&mut self, finding: &Finding<'_>, record: &Record) {
        self.count += 1;
        self.last_seen = std::cmp::max(self.last_seen, record.appended_at);
        self.is_unsaved = true;
        // A null does not show the kind of a field, so a later value replaces it.
        if self.found == "null" && finding.found != ValueClass::Null {
            let Self { found, example, .. } = Self::from_finding(self.key.clone(), finding, record);
            (self.found, self.example) = (found, example);
        }
    }
}

impl DriftKey {
    /// Returns the key of `finding` in `record`; `None` if the finding is not drift.
    pub(crate) fn new(finding: &Finding<'_>, record: &Record, root_account: &str) -> Option<Self> {
        let drift = finding.rule.drift()?;
        Some(Self {
            root_account: root_account.to_owned(),
            event_type: record.event_type.as_ref().to_owned(),
            drift,
            path: truncate(finding.pattern(), MAX_PATH_CHARS),
            which: match drift {
                // For consumers, a null and a missing field are the same, so both have one record.
                Drift::UnknownEventType
                | Drift::UnknownField
                | Drift::NoValue
                | Drift::LongerText => String::new(),
                Drift::TypeChange | Drift::UnlistedValue => what_arrived(finding),
            },
        })
    }
}

impl DriftKey {
    /// True if both are the same kind of drift of the same event type and field. The root accounts may differ.
    pub(crate) fn is_same_field(&self, other: &Self) -> bool {
        (self.drift, &self.event_type, &self.path) == (other.drift, &other.event_type, &other.path)
    }
}

/// Returns what arrived: a class of value, or an unlisted value.
fn what_arrived(finding: &Finding<'_>) -> String {
    match finding.rule {
        Rule::UnlistedValue | Rule::NewValue => word_or_mask(finding.value, finding.field),
        _ => finding.found.code().to_owned(),
    }
}

/// Returns an unlisted value as it is if it is one word, such as the name of a state. Masks any other value,
/// and any value that may be personal data.
fn word_or_mask(value: &[u8], field: Option<&Field>) -> String {
    let is_public = field.is_some_and(|field| field.privacy == Privacy::Nothing);
    let text = str::from_utf8(value).unwrap_or_default().trim_matches('"');
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:/".contains(&byte);
    if is_public && text.len() <= MAX_VALUE_CHARS && text.bytes().all(is_word) {
        text.to_owned()
    } else {
        mask(value, MAX_VALUE_CHARS)
    }
}

fn truncate(mut text: String, max_chars: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(max_chars) {
        text.truncate(end);
        text.push('…');
    }
    text
}
