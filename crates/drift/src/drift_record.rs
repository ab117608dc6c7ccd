//! Something that the catalogue does not know, and how often it came.

use easel_catalog::{Drift, Field, Finding, Privacy, Rule, ValueClass, mask};
use easel_log::{Offset, Record};
use jiff::Timestamp;
use uuid::Uuid;

/// The most characters of a path.
const MAX_PATH_CHARS: usize = 256;
/// The most characters of an example, and of a value that is told.
const MAX_VALUE_CHARS: usize = 64;
/// The most characters of an example of a whole event.
const MAX_EVENT_CHARS: usize = 1024;

/// Something that the catalogue does not know, and how often it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftRecord {
    /// What tells it from others.
    pub(crate) key: DriftKey,
    /// What the catalogue says of the field: a kind of value; nothing if it has no such field.
    pub declared: Option<String>,
    /// What came instead: a class of value, or the value that is not listed.
    pub found: String,
    /// When the first event with it was accepted.
    pub first_seen: Timestamp,
    /// When the last one was.
    pub last_seen: Timestamp,
    /// How many times it came; more than once in an event that has it several times.
    pub count: u64,
    /// The first time it came.
    pub example: Example,
    /// Whether it changed since it was last saved.
    pub(crate) is_unsaved: bool,
}

/// Where something was first seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The event's place in the log.
    pub offset: Offset,
    /// The event's id.
    pub id: Uuid,
    /// The value, masked; for an unknown event type, the event.
    pub value: String,
}

/// What tells a sighting from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DriftKey {
    /// The root account's global id; empty when the event tells none that is one.
    pub(crate) root_account: String,
    pub(crate) event_type: String,
    pub(crate) drift: Drift,
    pub(crate) path: String,
    /// What came, where different things make different sightings.
    pub(crate) which: String,
}

impl DriftRecord {
    /// What kind of drift it is.
    pub const fn drift(&self) -> Drift {
        self.key.drift
    }

    /// The global id of the root account that it came from, if the events tell.
    pub fn root_account(&self) -> Option<&str> {
        Some(self.key.root_account.as_str()).filter(|it| !it.is_empty())
    }

    /// The event type.
    pub fn event_type(&self) -> &str {
        &self.key.event_type
    }

    /// The JSON pointer to it, with `*` for every index; empty for the event itself. A long one is
    /// cut after 256 characters and ends in `…`.
    pub fn path(&self) -> &str {
        &self.key.path
    }

    /// The first sighting with this key: `finding`, in `record`.
    pub(crate) fn first(key: DriftKey, finding: &Finding<'_>, record: &Record) -> Self {
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
            found: found(finding),
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

    /// Counts `finding`, in `record`, as another of the same.
    pub(crate) fn again(&mut self, finding: &Finding<'_>, record: &Record) {
        self.count += 1;
        self.last_seen = std::cmp::max(self.last_seen, record.appended_at);
        self.is_unsaved = true;
        // A null says nothing about what a field is.
        if self.found == "null" && finding.found != ValueClass::Null {
            let Self { found, example, .. } = Self::first(self.key.clone(), finding, record);
            (self.found, self.example) = (found, example);
        }
    }
}

impl DriftKey {
    /// What `finding` in `record` is a sighting of, if it is drift.
    pub(crate) fn of(finding: &Finding<'_>, record: &Record, root_account: &str) -> Option<Self> {
        let drift = finding.rule.drift()?;
        Some(Self {
            root_account: root_account.to_owned(),
            event_type: record.event_type.as_ref().to_owned(),
            drift,
            path: cut(finding.pattern(), MAX_PATH_CHARS),
            which: match drift {
                // Whether it is null or not there at all, it is the same to consumers.
                Drift::UnknownEventType
                | Drift::UnknownField
                | Drift::NoValue
                | Drift::LongerText => String::new(),
                Drift::TypeChange | Drift::UnlistedValue => found(finding),
            },
        })
    }
}

impl DriftKey {
    /// Whether both are of the same drift of the same event type or field, whatever their root accounts.
    pub(crate) fn is_of_same_name(&self, other: &Self) -> bool {
        (self.drift, &self.event_type, &self.path) == (other.drift, &other.event_type, &other.path)
    }
}

/// What came: a class of value, or the value that is not listed.
fn found(finding: &Finding<'_>) -> String {
    match finding.rule {
        Rule::UnlistedValue | Rule::NewValue => told(finding.value, finding.field),
        _ => finding.found.code().to_owned(),
    }
}

/// A value that is not listed: as it is, where it is a word, as those for states and kinds are.
fn told(value: &[u8], field: Option<&Field>) -> String {
    let says_nothing = field.is_some_and(|field| field.privacy == Privacy::Nothing);
    let text = str::from_utf8(value).unwrap_or_default().trim_matches('"');
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:/".contains(&byte);
    if says_nothing && text.len() <= MAX_VALUE_CHARS && text.bytes().all(is_word) {
        text.to_owned()
    } else {
        mask(value, MAX_VALUE_CHARS)
    }
}

fn cut(mut text: String, max_chars: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(max_chars) {
        text.truncate(at);
        text.push('…');
    }
    text
}
