//! Formats the status for a screen of 80 columns and usually at most 24 lines.

use std::borrow::Cow;
use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};

use super::{LaneJson, StatusJson};
use crate::amount::{number, size};
use crate::output;

/// The width of a screen in columns.
const WIDTH: usize = 80;
/// The column in which values begin.
const INDENT: usize = 12;
/// The maximum number of lanes shown, of all lanes that are behind. The others are only counted.
const MAX_LANES: usize = 4;
/// The maximum number of lines for one wrapped text, such as the text of one lane.
const MAX_WRAPPED: usize = 3;

/// Returns the lines of the status of the server at `address`.
pub(super) fn lines(status: &StatusJson, address: impl Display) -> Vec<String> {
    let now = status.now;
    let mut lines = Vec::new();
    let uptime = time_since(now, status.started_at);
    let heading = format!("version {} at {address}, up for {uptime}", status.version);
    row(&mut lines, "easel", &heading);
    if let Some(log) = log(status) {
        row(&mut lines, "log", &log);
        let disk = match &status.disk {
            Some(disk) => {
                let (free, total) = (size(disk.free_bytes), size(disk.total_bytes));
                format!("{free} of {total} free")
            }
            None => "free space is unknown".to_owned(),
        };
        row(&mut lines, "disk", &disk);
    }
    row(&mut lines, "lanes", &lane_counts(&status.lanes));
    lanes(&mut lines, status);
    if !status.sources.is_empty() {
        row(&mut lines, "sources", &sources(status));
    }
    row(&mut lines, "drift", &drift(status));
    if let Some(records) = status.quarantine.records {
        row(&mut lines, "quarantine", &counted(records, "record"));
    }
    match status.attention.as_slice() {
        [] => row(&mut lines, "attention", "nothing needs attention"),
        [first, more @ ..] => {
            row(&mut lines, "attention", &first.detail);
            for attention in more {
                row(&mut lines, "", &attention.detail);
            }
        }
    }
    lines
}

/// Returns the line about the log; `None` for a token of one root account.
fn log(status: &StatusJson) -> Option<String> {
    let log = &status.log;
    let mut parts = vec![counted(log.events?, "event"), size(log.bytes?)];
    if let Some(oldest_at) = log.oldest_at {
        parts.push(format!(
            "the oldest {} old",
            time_since(status.now, oldest_at)
        ));
    }
    if let Some(rate) = log.events_per_second {
        parts.push(format!("{rate:.1} events/s"));
    }
    Some(parts.join(", "))
}

fn drift(status: &StatusJson) -> String {
    let drift = &status.drift;
    let mut parts = vec![counted(drift.sightings, "finding")];
    if let Some(last_seen) = drift.last_seen {
        parts.push(format!("{} new", number(drift.new)));
        parts.push(format!(
            "the last {} ago",
            time_since(status.now, last_seen)
        ));
    }
    if let Some(pending @ 1..) = drift.pending {
        let pending = counted(pending, "event");
        parts.push(format!("{pending} not yet checked"));
    }
    parts.join(", ")
}

fn lane_counts(lanes: &[LaneJson]) -> String {
    let mut parts = Vec::new();
    for state in ["active", "paused", "deactivated"] {
        let count = lanes.iter().filter(|lane| lane.state == state).count();
        if count > 0 || state == "active" {
            parts.push(format!("{count} {state}"));
        }
    }
    let behind = lanes.iter().filter(|lane| lane.behind).count();
    if behind > 0 {
        parts.push(format!("{behind} behind"));
    } else if !lanes.is_empty() {
        parts.push("none behind".to_owned());
    }
    let expired = lanes.iter().map(|lane| lane.expired).sum();
    if expired > 0 {
        parts.push(format!("{} lost", counted(expired, "event")));
    }
    let other_format = lanes.iter().map(|lane| lane.other_format).sum();
    if other_format > 0 {
        let events = counted(other_format, "event");
        parts.push(format!("{events} without a form in the format"));
    }
    parts.join(", ")
}

fn sources(status: &StatusJson) -> String {
    let sources = &status.sources;
    let mut parts = Vec::new();
    for state in ["active", "paused"] {
        let count = sources
            .iter()
            .filter(|source| source.state == state)
            .count();
        if count > 0 || state == "active" {
            parts.push(format!("{count} {state}"));
        }
    }
    let unreachable = sources.iter().filter(|source| source.unreachable.is_some());
    match unreachable.count() {
        0 => (),
        count => parts.push(format!("{count} unreachable")),
    }
    let last = sources
        .iter()
        .filter_map(|source| source.last_event_at)
        .max();
    parts.push(match last {
        Some(at) => format!("the last event {} ago", time_since(status.now, at)),
        None => "no event yet".to_owned(),
    });
    parts.join(", ")
}

/// Appends the lanes that are behind. Lanes that lose events soonest come first.
fn lanes(lines: &mut Vec<String>, status: &StatusJson) {
    let mut behind: Vec<_> = status.lanes.iter().filter(|lane| lane.behind).collect();
    behind.sort_by_key(|lane| {
        let loses_at = lane.loses_events_at.unwrap_or(Timestamp::MAX);
        (loses_at, std::cmp::Reverse(lane.pending))
    });
    for lane in behind.iter().take(MAX_LANES) {
        wrap(lines, "  ", "    ", &lane_text(lane, status.now));
    }
    if let Some(more @ 1..) = behind.len().checked_sub(MAX_LANES) {
        lines.push(format!("  and {more} more; easel status --json lists all"));
    }
}

fn lane_text(lane: &LaneJson, now: Timestamp) -> String {
    let pending = number(lane.pending);
    let name = match &lane.owner {
        Some(owner) => format!("{} (of {owner})", lane.subscription),
        None => lane.subscription.clone(),
    };
    let backlog = match lane.pending_since {
        Some(since) => format!("{name}: {pending} pending for {}", time_since(now, since)),
        None => format!("{name}: {pending} pending"),
    };
    let state = match (lane.state.as_str(), lane.next_attempt_at) {
        ("active", Some(at)) => {
            let left = duration(std::cmp::max(at.duration_since(now), SignedDuration::ZERO));
            format!("on hold, next attempt in {left}")
        }
        ("active", None) if lane.held_since.is_some() => "waits for an operator".to_owned(),
        ("active", None) => "catching up".to_owned(),
        (state, _) => state.to_owned(),
    };
    let state = match &lane.reason {
        Some(reason) => format!("{state} ({})", output::printable(reason)),
        None => state,
    };
    let mut parts = vec![backlog, state];
    match lane.loses_events_at {
        Some(at) if at > now => {
            let left = duration(at.duration_since(now));
            parts.push(format!("will begin to lose events in {left}"));
        }
        Some(_past) => parts.push("loses events now".to_owned()),
        None => (),
    }
    parts.join("; ")
}

/// Appends a value with its name.
fn row(lines: &mut Vec<String>, name: &str, value: &str) {
    let first_indent = format!("{name:<INDENT$}");
    wrap(lines, &first_indent, &" ".repeat(INDENT), value);
}

/// Appends a wrapped text. The text is cut after [`MAX_WRAPPED`] lines.
fn wrap(lines: &mut Vec<String>, first_indent: &str, next_indent: &str, text: &str) {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first_indent)
        .subsequent_indent(next_indent);
    let mut wrapped = textwrap::wrap(text, options).into_iter();
    lines.extend(wrapped.by_ref().take(MAX_WRAPPED).map(Cow::into_owned));
    if wrapped.next().is_some()
        && let Some(last) = lines.last_mut()
    {
        let start: String = last.chars().take(WIDTH - 2).collect();
        *last = format!("{} …", start.trim_end());
    }
}

/// Formats a count with its noun.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", number(count))
}

/// Formats the time since `start`; at least 0 s, even if the clock was set back.
fn time_since(now: Timestamp, start: Timestamp) -> String {
    duration(std::cmp::max(
        now.duration_since(start),
        SignedDuration::ZERO,
    ))
}

/// Formats a duration in one unit, rounded down.
fn duration(duration: SignedDuration) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let seconds = duration.as_secs();
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / MINUTE),
        7_200..259_200 => format!("{} h", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AttentionJson, DiskJson, DriftStatusJson, LogJson, QuarantineJson};
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn lane(name: &str) -> LaneJson {
        LaneJson {
            subscription: name.to_owned(),
            owner: None,
            state: "active".to_owned(),
            behind: false,
            pending: 0,
            expired: 0,
            other_format: 0,
            pending_since: None,
            reason: None,
            held_since: None,
            next_attempt_at: None,
            loses_events_at: None,
        }
    }

    /// Returns a status with `holding` lanes on hold and one paused lane.
    fn status(holding: usize) -> StatusJson {
        let now = time("2026-11-25T08:00:00Z");
        let mut lanes = vec![lane("fine")];
        for number in 0..holding {
            lanes.push(LaneJson {
                behind: true,
                pending: 1_204,
                pending_since: Some(time("2026-11-24T01:00:00Z")),
                reason: Some("send: the endpoint answered 503".to_owned()),
                next_attempt_at: Some(time("2026-11-25T08:04:10Z")),
                loses_events_at: Some(time("2026-11-27T01:30:00Z")),
                ..lane(&format!("grades-of-campus-{number}"))
            });
        }
        lanes.push(LaneJson {
            state: "paused".to_owned(),
            behind: true,
            pending: 3,
            expired: 12,
            other_format: 7,
            pending_since: Some(time("2026-11-20T08:00:00Z")),
            loses_events_at: Some(time("2026-11-25T07:00:00Z")),
            ..lane("attic")
        });
        StatusJson {
            version: "0.1.0".to_owned(),
            now,
            started_at: time("2026-11-21T08:00:00Z"),
            log: LogJson {
                events: Some(1_204_331),
                bytes: Some(432_013_312),
                oldest_at: Some(time("2026-10-27T08:00:00Z")),
                events_per_second: Some(12.34),
            },
            disk: Some(DiskJson {
                free_bytes: 87_509_958_656,
                total_bytes: 107_374_182_400,
            }),
            drift: DriftStatusJson {
                sightings: 3,
                new: 1,
                last_seen: Some(time("2026-11-25T06:00:00Z")),
                pending: Some(0),
            },
            quarantine: QuarantineJson { records: Some(1) },
            lanes,
            sources: Vec::new(),
            attention: vec![AttentionJson {
                detail: "on hold after a failed attempt: grades-of-campus-0".to_owned(),
            }],
        }
    }

    #[test]
    fn a_lane_that_is_behind_is_shown_with_its_backlog_its_state_and_its_time_of_loss() {
        let screen = lines(&status(1), "http://127.0.0.1:4567").join("\n");
        insta::assert_snapshot!(screen, @r"
        easel       version 0.1.0 at http://127.0.0.1:4567, up for 4 days
        log         1,204,331 events, 412 MiB, the oldest 29 days old, 12.3 events/s
        disk        81.4 GiB of 100 GiB free
        lanes       2 active, 1 paused, 2 behind, 12 events lost, 7 events without a
                    form in the format
          attic: 3 pending for 5 days; paused; loses events now
          grades-of-campus-0: 1,204 pending for 31 h; on hold, next attempt in 4 min
            (send: the endpoint answered 503); will begin to lose events in 41 h
        drift       3 findings, 1 new, the last 2 h ago
        quarantine  1 record
        attention   on hold after a failed attempt: grades-of-campus-0
        ");
    }

    #[test]
    fn a_lane_on_hold_without_a_next_attempt_waits_for_an_operator() {
        let mut waits = lane("grades");
        let now = time("2026-11-25T08:00:00Z");
        assert!(lane_text(&waits, now).ends_with("catching up"));
        waits.held_since = Some(now);
        assert!(lane_text(&waits, now).ends_with("waits for an operator"));
    }

    #[test]
    fn the_screen_fits_however_many_lanes_are_behind() {
        for holding in [0, 1, 4, 500] {
            let mut status = status(holding);
            status.lanes.iter_mut().for_each(|lane| {
                lane.reason = lane.reason.take().map(|reason| reason.repeat(20));
            });
            let lines = lines(&status, "http://127.0.0.1:4567");
            assert!(lines.len() <= 24, "{} lines: {lines:#?}", lines.len());
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert!(widest <= Some(WIDTH), "{widest:?} columns: {lines:#?}");
        }
    }

    #[test]
    fn durations_are_shown_in_one_unit() {
        let seconds = |seconds| duration(SignedDuration::from_secs(seconds));
        assert_eq!(seconds(119), "119 s");
        assert_eq!(seconds(120), "2 min");
        assert_eq!(seconds(41 * 3600 + 59), "41 h");
        assert_eq!(seconds(30 * 24 * 3600), "30 days");
    }
}
