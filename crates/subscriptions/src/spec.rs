//! The specification of a subscription.
//!
//! A [`Spec`] is parsed from the JSON of the API, from `easel.toml` and from the store, always through
//! [`SpecJson`]. It may contain secrets, so it is only written through [`SpecJson`], with or without
//! the secrets.

mod delivery;
mod json;
mod secrets;
mod sql;
mod sqs;
mod time_limit;
mod validate;
mod webhook;

use std::borrow::Borrow;
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use easel_catalog::{KeyField, is_operator_event};
use easel_keys::SecretUrl;
use easel_log::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;
use utoipa::ToSchema;
use wildmatch::WildMatch;

pub use delivery::{MaxRate, OnExhausted, OrderBy};
pub use json::SpecJson;
pub use sql::{Promote, SqlLayout, SqlSpec};
pub use sqs::{QueueCredentials, SqsSpec};
pub use webhook::{Authentication, ClientCertificate, Signing, WebhookSpec};

use crate::Schedule;

/// The specification of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SpecJson")]
pub struct Spec {
    /// The unique name for operators.
    pub name: Name,
    /// The patterns of event types, whatever made the events. The default is all types, or no type if there are
    /// `user_events` or `system_events`. An event must match a pattern of one of the three lists.
    pub events: Vec<EventGlob>,
    /// The patterns of the types of events that a request made.
    pub user_events: Vec<EventGlob>,
    /// The patterns of the types of events that no request made. Jobs make most of them.
    pub system_events: Vec<EventGlob>,
    /// The conditions on an event.
    pub conditions: Conditions,
    /// The format in which events are sent.
    pub format: Format,
    /// Whether secret values in the URLs of events are masked.
    pub masking: Masking,
    /// Where in the log the subscription begins. Used once, when the subscription is created.
    pub start: Start,
    /// The most batches that are in flight together. A webhook sends one request per batch.
    pub in_flight: InFlight,
    /// The most events per second. `None` means no limit.
    pub max_rate: Option<MaxRate>,
    /// The order in which events are sent.
    pub order: OrderBy,
    /// The field of the order key. The default is the acting user, or the context if the event has
    /// no user.
    pub key: Option<KeyField>,
    /// When a failed delivery is retried.
    pub retry: Schedule,
    /// What to do with a delivery after its last attempt.
    pub on_exhausted: OnExhausted,
    /// Where and how events are sent.
    pub sink: SinkSpec,
}

impl Spec {
    /// Returns true if a pattern matches events of Easel itself. Such a subscription causes no operator
    /// events about itself, because each of them could cause the next.
    pub fn wants_operator_events(&self) -> bool {
        self.all_events().any(|glob| is_operator_event(&glob.0))
    }

    /// Iterates over the patterns of all three lists.
    pub(crate) fn all_events(&self) -> impl Iterator<Item = &EventGlob> {
        let events = self.events.iter();
        events.chain(&self.user_events).chain(&self.system_events)
    }
}

/// Where and how events are sent. Each subscription has one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSpec {
    /// HTTP POST to an endpoint.
    Webhook(WebhookSpec),
    /// Rows in tables of a database.
    Sql(SqlSpec),
    /// Messages in a queue of Amazon SQS.
    Sqs(SqsSpec),
}

impl SinkSpec {
    /// Returns the webhook; `None` for another kind of sink.
    pub const fn webhook(&self) -> Option<&WebhookSpec> {
        match self {
            Self::Webhook(webhook) => Some(webhook),
            Self::Sql(_) | Self::Sqs(_) => None,
        }
    }

    /// Returns the tables; `None` for another kind of sink.
    pub const fn sql(&self) -> Option<&SqlSpec> {
        match self {
            Self::Sql(sql) => Some(sql),
            Self::Webhook(_) | Self::Sqs(_) => None,
        }
    }

    /// Returns the queue; `None` for another kind of sink.
    pub const fn sqs(&self) -> Option<&SqsSpec> {
        match self {
            Self::Sqs(sqs) => Some(sqs),
            Self::Webhook(_) | Self::Sql(_) => None,
        }
    }

    /// Returns the URL of the endpoint, the database or the queue.
    pub const fn url(&self) -> &SecretUrl {
        match self {
            Self::Webhook(webhook) => &webhook.url,
            Self::Sql(sql) => &sql.url,
            Self::Sqs(sqs) => &sqs.queue_url,
        }
    }

    /// Returns true if both write to the same place. Other secrets are the same place. Webhooks and
    /// queues store no position, so all webhooks count as the same place, and all queues too.
    pub(crate) fn has_same_destination(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Webhook(_), Self::Webhook(_)) | (Self::Sqs(_), Self::Sqs(_)) => true,
            (Self::Sql(sql), Self::Sql(other)) => {
                sql.url.without_secrets() == other.url.without_secrets()
                    && sql.schema == other.schema
            }
            (Self::Webhook(_), Self::Sql(_) | Self::Sqs(_))
            | (Self::Sql(_), Self::Webhook(_) | Self::Sqs(_))
            | (Self::Sqs(_), Self::Webhook(_) | Self::Sql(_)) => false,
        }
    }

    /// Returns the place of the URL in the JSON of the spec.
    pub const fn url_path(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook.url",
            Self::Sql(_) => "sql.url",
            Self::Sqs(_) => "sqs.queue_url",
        }
    }
}

/// Conditions on an event. Each list that is not empty must contain the event's value.
///
/// Ids are compared as text, in the form they have in the event: Canvas's global ids. Only an assignment is
/// also found by its local id. All values but the last two are in the metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// `root_account_id` or `root_account_uuid`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "values")]
    pub root_account: Vec<String>,
    /// `context_account_id`, or `context_id` when the context is an account.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "values")]
    pub account: Vec<String>,
    /// `context_id` when the context is a course.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "values")]
    pub course: Vec<String>,
    /// `user_id`, the acting user.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "values")]
    pub user: Vec<String>,
    /// `producer`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "values")]
    pub producer: Vec<String>,
    /// `context_type`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "values")]
    pub context_type: Vec<String>,
    /// `assignment_id` in the body, or `context_id` in the body when the context is an assignment. The id can
    /// be global or local.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "values")]
    pub assignment: Vec<String>,
    /// `associated_integration_id` in the body: the GUID of the LTI 2 tool that the event is for.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "values")]
    pub associated_integration: Vec<String>,
}

/// Parses the values of a condition. Rejects an empty list: it would mean no condition, and the
/// subscriber would receive events that it must not see.
fn values<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let values = Vec::deserialize(from)?;
    if values.is_empty() {
        return Err(de::Error::custom(
            "a condition must have at least one value; omit the condition to accept any value",
        ));
    }
    Ok(values)
}

/// The format in which events are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The event's own JSON, `{"metadata":…,"body":…}`.
    #[default]
    Canvas,
    /// An envelope of IMS Caliper 1.1, with the event as Canvas publishes it in Caliper.
    Caliper,
    /// An envelope of IMS Caliper 1.1, with the event as the standard requires it.
    CaliperStrict,
}

impl Format {
    /// Returns true if events are sent in Caliper envelopes.
    pub const fn is_caliper(self) -> bool {
        match self {
            Self::Canvas => false,
            Self::Caliper | Self::CaliperStrict => true,
        }
    }
}

/// Whether the values of secret query parameters, such as `access_token`, are masked in the URLs of
/// events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Masking {
    /// Secret values are masked.
    #[default]
    On,
    /// URLs are sent unchanged.
    Off,
}

/// Why a part of a spec is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The name is invalid.
    #[error(
        "name {name:?} is invalid: use 1 to 64 of a-z, 0-9, `-`, `_` and `.`, starting with a \
         letter or digit"
    )]
    Name {
        /// The invalid name.
        name: String,
    },
    /// The length of an event glob is invalid.
    #[error("an event glob must be 1 to 128 characters long, not {glob:?}")]
    Glob {
        /// The invalid glob.
        glob: String,
    },
    /// The start is invalid.
    #[error(
        "the start must be `now`, `earliest`, a time such as 2026-11-22T00:00:00Z, or an offset, \
         not {start:?}"
    )]
    Start {
        /// The invalid start.
        start: String,
    },
    /// The batch size is out of range.
    #[error("batch must be 1 to 100, not {number}")]
    Batch {
        /// The invalid number.
        number: u16,
    },
    /// The rate limit is out of range.
    #[error("max_rate must be 1 to 100000 events a second, not {number}")]
    MaxRate {
        /// The invalid number.
        number: u32,
    },
    /// The spec has no sink, or several.
    #[error("exactly one of `webhook`, `sql` and `sqs` is required")]
    Sink,
    /// The credentials of a queue are incomplete, or there are two kinds of them.
    #[error(
        "sqs.access_key_id and sqs.secret_access_key are required together, or sqs.profile alone, or \
         none of them"
    )]
    QueueCredentials,
    /// The number of batches in flight is out of range.
    #[error("in_flight must be 1 to 256, not {number}")]
    InFlight {
        /// The invalid number.
        number: u16,
    },
}

/// A subscription's name: 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`.
///
/// The name is used in a header and in paths, so no character needs escaping there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = SpecError;

    fn from_str(name: &str) -> Result<Self, SpecError> {
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let is_start_valid = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if is_start_valid && name.len() <= 64 && name.chars().all(allowed) {
            return Ok(Self(name.to_owned()));
        }
        Err(SpecError::Name {
            name: name.to_owned(),
        })
    }
}

/// A pattern of event types: `*` matches any number of characters, `?` matches one.
///
/// Operator events have types that begin with `easel.`. Only a pattern that begins with `easel.`
/// matches them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EventGlob(String);

impl EventGlob {
    /// Returns the pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a compiled function that matches event types.
    pub fn matcher(&self) -> impl Fn(&str) -> bool + use<> {
        let matcher = EventMatcher::new(self);
        move |event_type| matcher.matches(event_type)
    }

    /// Returns one pattern, which matches all event types except those of operator events.
    pub(crate) fn all() -> Vec<Self> {
        vec![Self("*".to_owned())]
    }
}

/// A compiled pattern of event types.
#[derive(Clone, Debug)]
pub(crate) struct EventMatcher {
    pattern: WildMatch,
    matches_operator_events: bool,
}

impl EventMatcher {
    pub(crate) fn new(glob: &EventGlob) -> Self {
        Self {
            pattern: WildMatch::new(&glob.0),
            matches_operator_events: is_operator_event(&glob.0),
        }
    }

    pub(crate) fn matches(&self, event_type: &str) -> bool {
        (self.matches_operator_events || !is_operator_event(event_type))
            && self.pattern.matches(event_type)
    }
}

impl FromStr for EventGlob {
    type Err = SpecError;

    fn from_str(glob: &str) -> Result<Self, SpecError> {
        if (1..=128).contains(&glob.chars().count()) {
            return Ok(Self(glob.to_owned()));
        }
        Err(SpecError::Glob {
            glob: glob.to_owned(),
        })
    }
}

/// Where in the log a subscription begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the next accepted event.
    #[default]
    Now,
    /// At the oldest event in the log.
    Earliest,
    /// At the first event accepted at this time or later.
    Time(Timestamp),
    /// At this offset.
    Offset(Offset),
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Earliest => f.write_str("earliest"),
            Self::Time(time) => fmt::Display::fmt(time, f),
            Self::Offset(offset) => fmt::Display::fmt(offset, f),
        }
    }
}

impl FromStr for Start {
    type Err = SpecError;

    fn from_str(start: &str) -> Result<Self, SpecError> {
        match start {
            "now" => return Ok(Self::Now),
            "earliest" => return Ok(Self::Earliest),
            _ => (),
        }
        if let Ok(number) = start.parse() {
            return Ok(Self::Offset(Offset::new(number)));
        }
        match start.parse() {
            Ok(time) => Ok(Self::Time(time)),
            Err(_not_a_time) => Err(SpecError::Start {
                start: start.to_owned(),
            }),
        }
    }
}

/// The most batches of one subscription that are in flight together: 1 to 256, by default 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct InFlight(NonZeroU16);

impl InFlight {
    /// Returns the number.
    pub fn get(self) -> usize {
        usize::from(self.0.get())
    }
}

impl Default for InFlight {
    fn default() -> Self {
        const { Self(NonZeroU16::new(16).unwrap()) }
    }
}

impl TryFrom<u16> for InFlight {
    type Error = SpecError;

    fn try_from(number: u16) -> Result<Self, SpecError> {
        match NonZeroU16::new(number) {
            Some(batches) if number <= 256 => Ok(Self(batches)),
            _ => Err(SpecError::InFlight { number }),
        }
    }
}

/// The most events in one request: 1 to 100, by default 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BatchSize(NonZeroU16);

impl BatchSize {
    /// Returns the number.
    pub fn get(self) -> usize {
        usize::from(self.0.get())
    }
}

impl Default for BatchSize {
    fn default() -> Self {
        Self(NonZeroU16::MIN)
    }
}

impl TryFrom<u16> for BatchSize {
    type Error = SpecError;

    fn try_from(number: u16) -> Result<Self, SpecError> {
        match NonZeroU16::new(number) {
            Some(events) if number <= 100 => Ok(Self(events)),
            _ => Err(SpecError::Batch { number }),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for EventGlob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for InFlight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer)?
            .try_into()
            .map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer)?
            .try_into()
            .map_err(de::Error::custom)
    }
}

impl Serialize for Start {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Offset(offset) => offset.serialize(serializer),
            Self::Now | Self::Earliest | Self::Time(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StartVisitor)
    }
}

struct StartVisitor;

impl de::Visitor<'_> for StartVisitor {
    type Value = Start;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`now`, `earliest`, a time or an offset")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Start, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Start, E> {
        Ok(Start::Offset(Offset::new(number)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Start, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_negative) => Err(E::custom(SpecError::Start {
                start: number.to_string(),
            })),
        }
    }
}
