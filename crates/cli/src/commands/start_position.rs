//! `--from`: the start position in the log.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::client::{self, Client, escape};
use crate::exit_code::Failure;

/// A start position in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartPosition {
    /// The oldest stored event.
    Earliest,
    /// The next accepted event.
    Latest,
    /// The event at this offset.
    Offset(u64),
    /// The first event accepted at this time or later.
    Time(Timestamp),
}

/// The bounds of the log: `[tail, head)`.
#[derive(Deserialize)]
pub(super) struct BoundsJson {
    pub(super) head: u64,
    pub(super) tail: u64,
}

#[derive(Deserialize)]
struct FirstEventJson {
    events: Vec<EventOffsetJson>,
    next: u64,
}

#[derive(Deserialize)]
struct EventOffsetJson {
    offset: u64,
}

impl BoundsJson {
    /// Requests the bounds from the server.
    pub(super) async fn read(client: &Client) -> Result<Self, Failure> {
        client::read(&client.get("/v1/balance").await?)
    }
}

impl StartPosition {
    /// Returns the offset of this position in a log with these bounds.
    pub(super) async fn offset(self, client: &Client, bounds: &BoundsJson) -> Result<u64, Failure> {
        match self {
            Self::Earliest => Ok(bounds.tail),
            Self::Latest => Ok(bounds.head),
            Self::Offset(offset) => Ok(offset),
            Self::Time(time) => first_since(client, time).await,
        }
    }

    /// Parses a position. An age is subtracted from `now`.
    fn parse_at(text: &str, now: Timestamp) -> Option<Self> {
        match text {
            "earliest" => return Some(Self::Earliest),
            "latest" => return Some(Self::Latest),
            _ => (),
        }
        if let Ok(offset) = text.parse() {
            return Some(Self::Offset(offset));
        }
        if let Ok(age) = humantime::parse_duration(text) {
            let age = SignedDuration::try_from(age).ok()?;
            return now.checked_sub(age).ok().map(Self::Time);
        }
        if let Ok(time) = text.parse() {
            return Some(Self::Time(time));
        }
        // A time or day without a zone is UTC, like all times that Easel prints.
        let civil: DateTime = text.parse().ok()?;
        let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
        Some(Self::Time(zoned.timestamp()))
    }
}

/// Returns the offset of the first event accepted at `time` or later.
async fn first_since(client: &Client, time: Timestamp) -> Result<u64, Failure> {
    let time = escape(&time.to_string());
    let answer = client
        .get(&format!("/v1/events?time={time}&limit=1"))
        .await?;
    let page: FirstEventJson = client::read(&answer)?;
    Ok(page.events.first().map_or(page.next, |first| first.offset))
}

impl FromStr for StartPosition {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_at(text, Timestamp::now()).ok_or(
            "must be an offset, `earliest`, `latest`, a time such as 2026-11-22T08:00:00Z or an age \
             such as 1h",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_words_times_and_ages_are_distinguished() {
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let time = |text: &str| Some(StartPosition::Time(text.parse().unwrap()));
        for (text, wanted) in [
            ("earliest", Some(StartPosition::Earliest)),
            ("latest", Some(StartPosition::Latest)),
            ("7", Some(StartPosition::Offset(7))),
            ("1h", time("2026-11-22T07:00:00Z")),
            ("2days 30m", time("2026-11-20T07:30:00Z")),
            ("2026-11-21T05:00:00+02:00", time("2026-11-21T03:00:00Z")),
            ("2026-11-21T05:00:00", time("2026-11-21T05:00:00Z")),
            ("2026-11-21", time("2026-11-21T00:00:00Z")),
            ("yesterday", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(StartPosition::parse_at(text, now), wanted, "{text:?}");
        }
    }
}
