//! The order and the rate limit of a subscription, and what happens after the last attempt.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use super::SpecError;
use crate::Schedule;

/// The order in which events are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderBy {
    /// In any order, many at once.
    #[default]
    None,
    /// Events with the same key one after another. Events with other keys do not wait.
    Key,
}

/// What to do with a delivery after its last attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// The delivery becomes a dead letter. The others continue.
    #[default]
    DeadLetter,
    /// The delivery and all others with the same key stay parked until an operator redelivers or
    /// discards it.
    HoldKey,
    /// The delivery stays parked and the whole subscription is on hold until an operator redelivers or
    /// discards it.
    HoldLane,
}

/// The most events per second: 1 to 100,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MaxRate(NonZeroU32);

impl MaxRate {
    /// Returns the number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl TryFrom<u32> for MaxRate {
    type Error = SpecError;

    fn try_from(number: u32) -> Result<Self, SpecError> {
        match NonZeroU32::new(number) {
            Some(rate) if number <= 100_000 => Ok(Self(rate)),
            _ => Err(SpecError::MaxRate { number }),
        }
    }
}

impl<'de> Deserialize<'de> for MaxRate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(from)?;
        number.try_into().map_err(de::Error::custom)
    }
}

/// Serializes the name, or the list of pauses.
impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => out.serialize_str(name),
            None => {
                let pauses = self.pauses().iter();
                let pauses = pauses.map(|pause| humantime::format_duration(*pause).to_string());
                out.collect_seq(pauses)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScheduleVisitor)
    }
}

struct ScheduleVisitor;

impl<'de> de::Visitor<'de> for ScheduleVisitor {
    type Value = Schedule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`default`, `hosted`, or a list of pauses")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Schedule, E> {
        name.parse().map_err(E::custom)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Schedule, A::Error> {
        let mut pauses = Vec::new();
        while let Some(pause) = list.next_element::<String>()? {
            pauses.push(pause);
        }
        Schedule::from_pauses(&pauses).map_err(de::Error::custom)
    }
}
