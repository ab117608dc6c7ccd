//! The shapes of the tables in the lists of the settings file: keys, types and checks of values.
//!
//! A table is validated with its shape before serde parses the table. So one run finds all faults, and no
//! message has serde's words. A test compares the shapes with the serde types.

mod source;
mod sql;
mod sqs;
mod webhook;

use easel_catalog::{KeyField, Reach};
use easel_server::{EventGlob, InFlight, KinesisKey, MaxRate, Name, Schedule, Start};
use toml::de::DeValue;

use super::declaration::REACH;
pub(super) use source::SOURCE;

/// Checks a value. The error describes what is wrong.
pub(super) type ValueCheck = fn(&str) -> Result<(), String>;

/// One key of a table.
#[derive(Debug)]
pub(super) struct SettingKey {
    pub(super) name: &'static str,
    pub(super) shape: ValueShape,
    pub(super) presence: Presence,
}

/// Whether a table must have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// The table must have the key.
    Required,
    /// The table may have the key.
    Optional,
    /// The table must have exactly one of the keys with this presence.
    Alternative,
}

/// The type of a value, with a check.
#[derive(Debug)]
pub(super) enum ValueShape {
    /// A string.
    Text(ValueCheck),
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number(ValueCheck),
    /// A string or a whole number.
    TextOrNumber(ValueCheck),
    /// A list of at least one string.
    Texts(ValueCheck),
    /// A string, or a list of strings that may be empty.
    TextOrTexts {
        /// The check of a single string.
        text: ValueCheck,
        /// The check of each string of the list.
        item: ValueCheck,
    },
    /// A table.
    Table(&'static [SettingKey]),
    /// A table with exactly one of these keys.
    OneOf(&'static [SettingKey]),
    /// A table with any keys, whose values are strings.
    TextTable(ValueCheck),
}

impl ValueShape {
    /// Returns the expected type; reads after "must be".
    pub(super) const fn requirement(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Boolean => "true or false",
            Self::Number(_) => "a whole number",
            Self::TextOrNumber(_) => "a string or a whole number",
            Self::Texts(_) => "a list of strings",
            Self::TextOrTexts { .. } => "a string or a list of strings",
            Self::Table(_) | Self::OneOf(_) | Self::TextTable(_) => "a table",
        }
    }
}

/// Returns the name of a value's type for messages.
pub(super) const fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

const fn required(name: &'static str, shape: ValueShape) -> SettingKey {
    SettingKey {
        name,
        shape,
        presence: Presence::Required,
    }
}

const fn optional(name: &'static str, shape: ValueShape) -> SettingKey {
    SettingKey {
        name,
        shape,
        presence: Presence::Optional,
    }
}

const fn alternative(name: &'static str, shape: ValueShape) -> SettingKey {
    SettingKey {
        name,
        shape,
        presence: Presence::Alternative,
    }
}

/// A pair of `[[kinesis.keys]]`.
pub(super) const KINESIS_KEY: &[SettingKey] = &[
    required("access_key_id", ValueShape::Text(access_key_id)),
    required("secret_access_key", ValueShape::Text(secret_access_key)),
    optional("reach", ValueShape::Text(reach)),
];

/// A role of `[[caliper.roles]]`.
pub(super) const CALIPER_ROLE: &[SettingKey] = &[
    required("canvas", ValueShape::Text(not_blank)),
    required("segment", ValueShape::Text(not_blank)),
    required("roles", ValueShape::Texts(not_blank)),
];

/// A subscription of `[[subscriptions]]`.
pub(super) const SUBSCRIPTION: &[SettingKey] = &[
    required("name", ValueShape::Text(name)),
    optional(REACH, ValueShape::Text(reach)),
    optional("events", ValueShape::Texts(event_glob)),
    optional("user_events", ValueShape::Texts(event_glob)),
    optional("system_events", ValueShape::Texts(event_glob)),
    optional("conditions", ValueShape::Table(CONDITIONS)),
    optional("format", ValueShape::Text(format)),
    optional("masking", ValueShape::Text(masking)),
    optional("start", ValueShape::TextOrNumber(start)),
    optional("in_flight", ValueShape::Number(in_flight)),
    optional("max_rate", ValueShape::Number(max_rate)),
    optional("order", ValueShape::Text(order)),
    optional("key", ValueShape::Text(key)),
    optional(
        "retry",
        ValueShape::TextOrTexts {
            text: schedule,
            item: pause,
        },
    ),
    optional("on_exhausted", ValueShape::Text(on_exhausted)),
    alternative("webhook", ValueShape::Table(webhook::WEBHOOK)),
    alternative("sql", ValueShape::Table(sql::SQL)),
    alternative("sqs", ValueShape::Table(sqs::SQS)),
];

const CONDITIONS: &[SettingKey] = &[
    optional("root_account", ValueShape::Texts(not_blank)),
    optional("account", ValueShape::Texts(not_blank)),
    optional("course", ValueShape::Texts(not_blank)),
    optional("user", ValueShape::Texts(not_blank)),
    optional("producer", ValueShape::Texts(not_blank)),
    optional("context_type", ValueShape::Texts(not_blank)),
    optional("assignment", ValueShape::Texts(not_blank)),
    optional("associated_integration", ValueShape::Texts(not_blank)),
];

fn access_key_id(text: &str) -> Result<(), String> {
    KinesisKey::check_id(text).map_err(|fault| format!("`access_key_id` {fault}"))
}

fn secret_access_key(text: &str) -> Result<(), String> {
    KinesisKey::check_secret(text).map_err(|fault| format!("`secret_access_key` {fault}"))
}

/// Rejects an empty text and a text of only white space.
fn not_blank(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("a value must not be empty, not {text:?}"));
    }
    Ok(())
}

fn name(text: &str) -> Result<(), String> {
    parses_as::<Name>(text)
}

fn reach(text: &str) -> Result<(), String> {
    parses_as::<Reach>(text)
}

fn event_glob(text: &str) -> Result<(), String> {
    not_blank(text).and_then(|()| parses_as::<EventGlob>(text))
}

fn start(text: &str) -> Result<(), String> {
    parses_as::<Start>(text)
}

fn parses_as<T>(text: &str) -> Result<(), String>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse::<T>()
        .map(drop)
        .map_err(|error| error.to_string())
}

fn format(text: &str) -> Result<(), String> {
    match text {
        "canvas" | "caliper" | "caliper-strict" => Ok(()),
        _ => Err(format!(
            "`format` must be \"canvas\", \"caliper\" or \"caliper-strict\", not {text:?}"
        )),
    }
}

fn in_flight(text: &str) -> Result<(), String> {
    let parsed = text.parse::<u16>().ok().map(InFlight::try_from);
    match parsed {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err(format!("`in_flight` must be 1 to 256, not {text}")),
    }
}

fn masking(text: &str) -> Result<(), String> {
    match text {
        "on" | "off" => Ok(()),
        _ => Err(format!("`masking` must be \"on\" or \"off\", not {text:?}")),
    }
}

fn max_rate(text: &str) -> Result<(), String> {
    let parsed = text.parse::<u32>().ok().map(MaxRate::try_from);
    match parsed {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err(format!(
            "`max_rate` must be 1 to 100000 events a second, not {text}"
        )),
    }
}

fn order(text: &str) -> Result<(), String> {
    match text {
        "none" | "key" => Ok(()),
        _ => Err(format!("`order` must be \"none\" or \"key\", not {text:?}")),
    }
}

fn key(text: &str) -> Result<(), String> {
    parses_as::<KeyField>(text)
}

fn schedule(text: &str) -> Result<(), String> {
    parses_as::<Schedule>(text)
}

fn pause(text: &str) -> Result<(), String> {
    let schedule = Schedule::from_pauses(&[text.to_owned()]);
    schedule.map(drop).map_err(|error| error.to_string())
}

fn on_exhausted(text: &str) -> Result<(), String> {
    match text {
        "dead_letter" | "hold_key" | "hold_lane" => Ok(()),
        _ => Err(format!(
            "`on_exhausted` must be \"dead_letter\", \"hold_key\" or \"hold_lane\", not {text:?}"
        )),
    }
}
