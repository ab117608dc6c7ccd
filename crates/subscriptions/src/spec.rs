//! What a subscriber asked for.
//!
//! A [`Spec`] is read from the JSON of the API, from `easel.toml` and from the store, all by
//! [`SpecJson`]. It may hold secrets, so it is written through [`SpecJson`] alone, which asks who is
//! to see it.

mod delivery;
mod json;
mod validate;

use std::borrow::Borrow;
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

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

use crate::Schedule;

/// One standing order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "SpecJson")]
pub struct Spec {
    /// What operators call it; unique.
    pub name: Name,
    /// The event types it wants; one match is enough. All of them when left out.
    pub events: Vec<EventGlob>,
    /// What an event's metadata must say besides.
    pub conditions: Conditions,
    /// The form in which events are sent.
    pub format: Format,
    /// Where in the log it begins; read once, when the subscription is made.
    pub start: Start,
    /// How many batches may be under way at once; for a webhook these are requests.
    pub in_flight: InFlight,
    /// Events a second that are sent at most. No limit when left out.
    pub max_rate: Option<MaxRate>,
    /// In which order they are sent.
    pub order: OrderBy,
    /// The field to keep in order by; the acting user, else the context, when left out.
    pub key: Option<KeyField>,
    /// When a delivery that failed is tried again.
    pub retry: Schedule,
    /// What becomes of a delivery after its last attempt.
    pub on_exhausted: OnExhausted,
    /// Where and how events are sent.
    pub sink: SinkSpec,
}

impl Spec {
    /// Whether it asks for events of Easel itself. Such a subscription causes no operator events
    /// about itself, or each of them could cause the next.
    pub fn wants_operator_events(&self) -> bool {
        self.events.iter().any(|glob| is_operator_event(&glob.0))
    }
}

/// Where and how events are sent: one way for each subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSpec {
    /// Posted to an endpoint.
    Webhook(WebhookSpec),
}

/// The webhook of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSpec {
    /// The endpoint each event is posted to.
    pub url: SecretUrl,
    /// How long one attempt may take: `1s` to `5m`.
    pub timeout: Duration,
    /// How many events one request may have in its envelope, in a Caliper format.
    pub batch: BatchSize,
}

impl WebhookSpec {
    /// Reads how long one attempt may take: `1s` to `5m`.
    ///
    /// # Errors
    ///
    /// What a time-out must be.
    pub fn parse_timeout(text: &str) -> Result<Duration, String> {
        json::time_limit::parse(text)
    }
}

/// What an event's metadata must say: each list that is not empty must contain the event's value.
///
/// Ids are compared as they are written in the event, so Canvas's global ids.
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
}

/// The values of a condition. An empty list would be taken for no condition, and let through what
/// the subscriber must not see.
fn values<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let values = Vec::deserialize(from)?;
    if values.is_empty() {
        return Err(de::Error::custom(
            "a condition must have at least one value; without the condition, any value will do",
        ));
    }
    Ok(values)
}

/// The form in which events are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The event's own JSON, `{"metadata":…,"body":…}`.
    #[default]
    Canvas,
    /// An envelope of IMS Caliper 1.1 with the event as Canvas publishes it in that form.
    Caliper,
    /// The same, with the event as the standard wants it.
    CaliperStrict,
}

impl Format {
    /// Whether events are sent in envelopes of Caliper.
    pub const fn is_caliper(self) -> bool {
        match self {
            Self::Canvas => false,
            Self::Caliper | Self::CaliperStrict => true,
        }
    }
}

/// Why a part of a spec was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The name.
    #[error(
        "a name is 1 to 64 of a-z, 0-9, `-`, `_` and `.`, and starts with a letter or digit; \
         {name:?} is not"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// An event glob.
    #[error("an event glob is 1 to 128 characters; {glob:?} is not")]
    Glob {
        /// What was given.
        glob: String,
    },
    /// The start.
    #[error(
        "a start is `now`, `earliest`, a time such as 2026-11-22T00:00:00Z, or an offset; {start:?} is not"
    )]
    Start {
        /// What was given.
        start: String,
    },
    /// The number of events in one request.
    #[error("batch is 1 to 100; {number} is not")]
    Batch {
        /// What was given.
        number: u16,
    },
    /// The number of events a second.
    #[error("max_rate is 1 to 100000 events a second; {number} is not")]
    MaxRate {
        /// What was given.
        number: u32,
    },
    /// The number of deliveries under way.
    #[error("in_flight is 1 to 256; {number} is not")]
    InFlight {
        /// What was given.
        number: u16,
    },
}

/// A subscription's name: 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`.
///
/// It travels in a header and in paths, so it needs no escaping in either.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = SpecError;

    fn from_str(name: &str) -> Result<Self, SpecError> {
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts_well && name.len() <= 64 && name.chars().all(allowed) {
            return Ok(Self(name.to_owned()));
        }
        Err(SpecError::Name {
            name: name.to_owned(),
        })
    }
}

/// A pattern of event types: `*` stands for any run of characters, `?` for one.
///
/// Events of Easel itself, whose types begin with `easel.`, match only if the pattern begins so too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EventGlob(String);

impl EventGlob {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says of event types whether they match; made once, asked often.
    pub fn matcher(&self) -> impl Fn(&str) -> bool + use<> {
        let matcher = EventMatcher::new(self);
        move |event_type| matcher.matches(event_type)
    }

    pub(crate) fn all() -> Vec<Self> {
        vec![Self("*".to_owned())]
    }
}

/// A pattern of event types, made ready to be asked often.
#[derive(Clone, Debug)]
pub(crate) struct EventMatcher {
    pattern: WildMatch,
    takes_operator_events: bool,
}

impl EventMatcher {
    pub(crate) fn new(glob: &EventGlob) -> Self {
        Self {
            pattern: WildMatch::new(&glob.0),
            takes_operator_events: is_operator_event(&glob.0),
        }
    }

    pub(crate) fn matches(&self, event_type: &str) -> bool {
        (self.takes_operator_events || !is_operator_event(event_type))
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
    /// With the next event accepted.
    #[default]
    Now,
    /// With the oldest event kept.
    Earliest,
    /// With the first event accepted at this time or later.
    Time(Timestamp),
    /// With the event at this offset.
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

/// How many deliveries of one subscription may be under way at once: 1 to 256, 16 unless said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct InFlight(NonZeroU16);

impl InFlight {
    /// The number.
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
            Some(wanted) if number <= 256 => Ok(Self(wanted)),
            _ => Err(SpecError::InFlight { number }),
        }
    }
}

/// How many events one request may have: 1 to 100, 1 unless said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BatchSize(NonZeroU16);

impl BatchSize {
    /// The number.
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
            Some(wanted) if number <= 100 => Ok(Self(wanted)),
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
