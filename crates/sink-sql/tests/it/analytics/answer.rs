//! What an answer is made of: the events in the order of time, and values as PostgreSQL writes them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::hash::Hash;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use serde_json::Value;

use super::term::local_id;

/// What PostgreSQL's answer has for NULL.
pub(crate) const NULL: &str = "NULL";

/// When summer time begins in Oslo.
const SUMMER_TIME: Timestamp = Timestamp::constant(1_774_746_000, 0);

/// The parameters of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters {
    /// The local id of a course; `None` for every course.
    pub(crate) course: Option<u64>,
    /// The start of the period, included.
    pub(crate) starts_at: Timestamp,
    /// The end of the period, excluded.
    pub(crate) ends_at: Timestamp,
    /// The time that counts as now.
    pub(crate) as_of: Timestamp,
}

impl Parameters {
    pub(crate) fn has_course(self, id: u64) -> bool {
        self.course.is_none_or(|course| course == local_id(id))
    }

    pub(crate) fn has_time(self, at: Timestamp) -> bool {
        self.starts_at <= at && at < self.ends_at
    }
}

/// An event.
#[derive(Debug)]
pub(crate) struct TermEvent<'a> {
    pub(crate) at: Timestamp,
    pub(crate) offset: usize,
    metadata: &'a Value,
    body: &'a Value,
}

impl<'a> TermEvent<'a> {
    pub(crate) fn text(&self, field: &str) -> Option<&'a str> {
        self.body[field].as_str()
    }

    pub(crate) fn id(&self, field: &str) -> Option<u64> {
        Some(self.text(field)?.parse().unwrap())
    }

    pub(crate) fn time(&self, field: &str) -> Option<Timestamp> {
        Some(self.text(field)?.parse().unwrap())
    }

    pub(crate) fn number(&self, field: &str) -> Option<f64> {
        self.body[field].as_f64()
    }

    pub(crate) fn flag(&self, field: &str) -> Option<bool> {
        self.body[field].as_bool()
    }

    /// Returns the user who acted, unless it is somebody else in disguise.
    pub(crate) fn actor(&self) -> Option<u64> {
        let real_user = self.metadata.get("real_user_id");
        let user = self.metadata["user_id"].as_str()?.parse().unwrap();
        real_user.is_none().then_some(user)
    }

    /// Returns the course of the context.
    pub(crate) fn course(&self) -> Option<u64> {
        let id = self.metadata["context_id"].as_str()?.parse().unwrap();
        (self.metadata["context_type"] == "Course").then_some(id)
    }

    /// Returns when the work of the event was submitted.
    pub(crate) fn submitted_at(&self) -> Option<Timestamp> {
        self.time("submitted_at")
    }
}

/// Returns the events of these types, in the order of time.
pub(crate) fn of_types<'a>(term: &'a [Value], event_types: &[&str]) -> Vec<TermEvent<'a>> {
    let mut events = Vec::new();
    for (offset, event) in term.iter().enumerate() {
        let metadata = &event["metadata"];
        if event_types.contains(&metadata["event_name"].as_str().unwrap()) {
            events.push(TermEvent {
                at: metadata["event_time"].as_str().unwrap().parse().unwrap(),
                offset,
                metadata,
                body: &event["body"],
            });
        }
    }
    events.sort_by_key(|event| (event.at, event.offset));
    events
}

/// Returns the newest event for each key.
pub(crate) fn newest<'a, K: Ord + Hash>(
    events: Vec<TermEvent<'a>>,
    key: impl Fn(&TermEvent<'a>) -> K,
) -> BTreeMap<K, TermEvent<'a>> {
    let events = events.into_iter();
    events.map(|event| (key(&event), event)).collect()
}

/// Returns the newest event of each assignment.
pub(crate) fn assignments(term: &[Value]) -> BTreeMap<u64, TermEvent<'_>> {
    let events = of_types(term, &["assignment_created", "assignment_updated"]);
    newest(events, |event| event.id("assignment_id").unwrap())
}

/// Returns the time in Oslo.
pub(crate) fn in_oslo(at: Timestamp) -> Zoned {
    let hours = if at < SUMMER_TIME { 1 } else { 2 };
    at.to_zoned(TimeZone::fixed(Offset::constant(hours)))
}

/// Returns the Monday of the week of a time, in Oslo.
pub(crate) fn monday(at: Timestamp) -> Date {
    let date = in_oslo(at).date();
    date - i64::from(date.weekday().to_monday_zero_offset()).days()
}

/// Writes a value.
pub(crate) fn cell(value: impl Display) -> String {
    value.to_string()
}

/// Writes a value, or NULL.
pub(crate) fn cell_or_null(value: Option<impl Display>) -> String {
    value.map_or_else(|| NULL.to_owned(), cell)
}

/// Writes a time in UTC.
pub(crate) fn time_cell(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    format!("{}+00", text.trim_end_matches('Z'))
}

/// Writes a quotient with one decimal. A half is rounded away from zero.
pub(crate) fn tenths(dividend: i128, divisor: i128) -> String {
    let tenths = (dividend.abs() * 20 + divisor) / (2 * divisor);
    let sign = if dividend < 0 && tenths > 0 { "-" } else { "" };
    format!("{sign}{}.{}", tenths / 10, tenths % 10)
}

/// Writes a length of time in hours.
pub(crate) fn hours_cell(length: SignedDuration) -> String {
    tenths(length.as_millis(), 3_600_000)
}

/// Writes a share in percent.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return NULL.to_owned();
    }
    tenths(
        100 * i128::try_from(part).unwrap(),
        i128::try_from(whole).unwrap(),
    )
}

/// Returns the smallest of the sorted values that at least `percent` of them do not exceed.
pub(crate) fn percentile(sorted: &[SignedDuration], percent: usize) -> Option<SignedDuration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// A key in descending order.
pub(crate) const fn descending(count: usize) -> Reverse<usize> {
    Reverse(count)
}

#[test]
fn quotients_are_rounded_as_in_postgresql() {
    assert_eq!(tenths(5, 100), "0.1");
    assert_eq!(tenths(-5, 100), "-0.1");
    assert_eq!(tenths(-4, 100), "0.0");
    assert_eq!(tenths(26, 3), "8.7");
    assert_eq!(percent(0, 0), NULL);
}
