//! Lists what needs an operator.
//!
//! The alert rules of `docs/operating.md` report the same problems.

use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

use super::StatusJson;
use super::lane::LaneJson;
use crate::DiskSpace;

/// A lane that is behind for longer than this needs attention.
const BEHIND_FOR: SignedDuration = SignedDuration::from_mins(5);
/// The maximum number of names in one sentence.
const MAX_NAMES: usize = 3;

/// A problem that needs an operator.
#[derive(Serialize, ToSchema)]
#[schema(as = Attention)]
pub(crate) struct AttentionJson {
    /// The kind of problem, for programs: `audit_failing`, `audit_damaged`, `log_refusing`, `log_unreadable`,
    /// `log_damaged`, `cursors_unsaved`, `lanes_missing`, `balance`, `disk`, `certificate`, `losing_events`,
    /// `deactivated`, `waits_for_operator`,
    /// `holding`, `paused_by_endpoint`, `unguarded`, `dead_letters`, `behind`, `source_unreachable`,
    /// `source_failing`, `quarantine` or `drift`.
    code: &'static str,
    /// The problem, for people.
    detail: String,
}

/// Lists what needs an operator, most urgent first.
pub(super) fn attention(status: &StatusJson) -> Vec<AttentionJson> {
    let mut found = Vec::new();
    let mut note = |code, detail| found.push(AttentionJson { code, detail });
    if !status.log.writable || !status.quarantine.writable {
        let detail = "a log refuses writes after a failed write; fix the cause and restart";
        note("log_refusing", detail.to_owned());
    }
    if status.audit.failing {
        let detail = "the audit cannot be written, so nothing can be changed or read";
        note("audit_failing", detail.to_owned());
    }
    if status.audit.damaged > 0 {
        let faults = counted(status.audit.damaged, "fault");
        let detail =
            format!("the start found {faults} of the audit; `easel audit verify` shows them");
        note("audit_damaged", detail);
    }
    if !status.log.readable {
        note("log_unreadable", "the log cannot be read".to_owned());
    }
    if let Some(damaged @ 1..) = status.log.damaged {
        let detail = format!("{damaged} records of the log are unreadable");
        note("log_damaged", detail);
    }
    if !status.cursors_saved {
        let detail = "the cursors of the subscriptions could not be saved";
        note("cursors_unsaved", detail.to_owned());
    }
    let active_lanes = status.lanes.iter().filter(|lane| lane.state == "active");
    let active_count = active_lanes.count();
    if let Some(running) = status.lanes_running
        && running < active_count
    {
        let detail =
            format!("only {running} of {active_count} active subscriptions are being served");
        note("lanes_missing", detail);
    }
    if let Some(disk) = &status.disk {
        let space = DiskSpace {
            free_bytes: disk.free_bytes,
            total_bytes: disk.total_bytes,
        };
        if space.free_bytes < space.low_below_bytes() {
            note("disk", "the disk is nearly full".to_owned());
        }
    }
    if let Some(problem) = &status.tls_problem {
        note("certificate", problem.clone());
    }
    note_lanes(status, &mut note);
    for source in &status.sources {
        let name = &source.source;
        if let (Some(reason), "active") = (&source.unreachable, source.state) {
            note(
                "source_unreachable",
                format!("source {name} cannot be reached: {reason}"),
            );
        }
        if source.failing {
            let failed = source.failed_last_day;
            let detail = format!(
                "source {name} failed {failed} times within 24 h; hosted Canvas will switch this stream off"
            );
            note("source_failing", detail);
        }
    }
    if let Some(records @ 1..) = status.quarantine.records {
        let records = counted(records, "record");
        note("quarantine", format!("{records} in quarantine"));
    }
    if status.drift.new > 0 {
        let new = counted(status.drift.new, "new drift finding");
        note("drift", format!("{new} within 24 h"));
    }
    found
}

/// Lists the subscriptions that need an operator.
fn note_lanes(status: &StatusJson, note: &mut impl FnMut(&'static str, String)) {
    let lanes_where = |applies: &dyn Fn(&LaneJson) -> bool| -> Vec<&LaneJson> {
        let lanes = status.lanes.iter();
        lanes.filter(|lane| applies(lane)).collect()
    };
    let mut note_names =
        |code, what: &str, lanes: &[&LaneJson], show: &dyn Fn(&LaneJson) -> String| {
            if !lanes.is_empty() {
                let names: Vec<_> = lanes.iter().map(|lane| show(lane)).collect();
                note(code, format!("{what}: {}", listed(&names)));
            }
        };
    let name = |lane: &LaneJson| lane.subscription.clone();
    let found = lanes_where(&|lane| !lane.adds_up);
    note_names("balance", "the balance does not add up", &found, &name);
    let found = lanes_where(&|lane| is_losing(lane, status));
    let loses_at = found.iter().filter_map(|lane| lane.loses_events_at).min();
    let time_left = loses_at.map_or(SignedDuration::ZERO, |at| at.duration_since(status.now));
    let what = if time_left.is_positive() {
        format!(
            "will begin to lose events in {}",
            format_duration(time_left)
        )
    } else {
        "loses events".to_owned()
    };
    note_names("losing_events", &what, &found, &name);
    let found = lanes_where(&|lane| lane.state == "deactivated" && lane.reason.is_some());
    note_names("deactivated", "deactivated", &found, &|lane| {
        let reason = lane.reason.as_deref().unwrap_or_default();
        format!("{} ({reason})", lane.subscription)
    });
    let found = lanes_where(&|lane| lane.waits_for_operator > 0);
    let count = found.iter().map(|lane| lane.waits_for_operator).sum();
    let what = format!("{} for an operator", waiting(count));
    note_names("waits_for_operator", &what, &found, &name);
    let found = lanes_where(&|lane| lane.next_attempt_at.is_some());
    note_names("holding", "on hold after a failed attempt", &found, &name);
    let found = lanes_where(&|lane| lane.state == "paused" && lane.reason.is_some());
    note_names(
        "paused_by_endpoint",
        "paused by the endpoint",
        &found,
        &name,
    );
    let found = lanes_where(&|lane| lane.unguarded);
    let what = "older than the address guard, which does not apply yet";
    note_names("unguarded", what, &found, &name);
    let found = lanes_where(&|lane| lane.dead_letters > 0);
    let count = found.iter().map(|lane| lane.dead_letters).sum();
    note_names(
        "dead_letters",
        &counted(count, "dead letter"),
        &found,
        &name,
    );
    let found = lanes_where(&|lane| {
        lane.state == "active"
            && lane.next_attempt_at.is_none()
            && lane.waiting_time(status.now) > BEHIND_FOR
    });
    note_names("behind", "behind", &found, &name);
}

/// Returns whether a subscription is about to lose events: less than a quarter of `max_age` is left
/// until the log drops its oldest open event.
fn is_losing(lane: &LaneJson, status: &StatusJson) -> bool {
    let max_age = status.log.max_age_seconds.unwrap_or(0);
    let quarter = i64::try_from(max_age / 4).unwrap_or(i64::MAX);
    let is_late = lane.behind || lane.parked > 0;
    is_late
        && lane
            .loses_events_at
            .is_some_and(|at| at.duration_since(status.now).as_secs() < quarter)
}

/// Returns a phrase such as `2 deliveries wait`.
fn waiting(count: u64) -> String {
    match count {
        1 => "1 delivery waits".to_owned(),
        count => format!("{count} deliveries wait"),
    }
}

/// Formats a duration in one unit, rounded down.
fn format_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..259_200 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Returns a count with its noun, such as `2 records`.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Lists the first names, and the number of the others.
fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use easel_log::Offset;
    use jiff::Timestamp;

    use crate::server_facts::MIN_FREE_BYTES;

    use super::super::{AuditStatusJson, DiskJson, DriftStatusJson, LogJson, QuarantineJson};
    use super::*;

    /// Returns a status without problems.
    fn healthy() -> StatusJson {
        let now = Timestamp::UNIX_EPOCH;
        StatusJson {
            version: "1",
            address: String::new(),
            now,
            started_at: now,
            log: LogJson {
                writable: true,
                readable: true,
                events: Some(0),
                bytes: Some(0),
                tail: Offset::ZERO,
                head: Offset::ZERO,
                oldest_at: None,
                events_per_second: None,
                damaged: Some(0),
                max_age_seconds: None,
                max_bytes: None,
            },
            disk: None,
            audit: AuditStatusJson {
                failing: false,
                damaged: 0,
            },
            drift: DriftStatusJson {
                sightings: 0,
                new: 0,
                last_seen: None,
                pending: Some(0),
            },
            quarantine: QuarantineJson {
                writable: true,
                records: Some(0),
            },
            lanes_running: Some(1),
            tls_problem: None,
            cursors_saved: true,
            lanes: vec![LaneJson {
                subscription: "grades".to_owned(),
                state: "active",
                behind: false,
                pending: 0,
                parked: 0,
                waits_for_operator: 0,
                dead_letters: 0,
                expired: 0,
                other_format: 0,
                adds_up: true,
                owner: None,
                unguarded: false,
                pending_since: None,
                reason: None,
                held_since: None,
                next_attempt_at: None,
                loses_events_at: None,
            }],
            sources: Vec::new(),
            attention: Vec::new(),
        }
    }

    #[test]
    fn problems_are_listed_most_urgent_first() {
        assert!(attention(&healthy()).is_empty());
        let mut status = healthy();
        status.quarantine = QuarantineJson {
            writable: false,
            records: Some(1),
        };
        status.audit = AuditStatusJson {
            failing: true,
            damaged: 2,
        };
        status.log.readable = false;
        status.log.damaged = Some(2);
        status.log.max_age_seconds = Some(400);
        status.cursors_saved = false;
        status.lanes_running = Some(0);
        status.disk = Some(DiskJson {
            free_bytes: MIN_FREE_BYTES,
            total_bytes: MIN_FREE_BYTES * 21,
        });
        status.tls_problem = Some("the certificate expired".to_owned());
        status.drift.new = 3;
        status.now += SignedDuration::from_secs(301);
        let [lane] = status.lanes.as_mut_slice() else {
            panic!("one lane");
        };
        lane.behind = true;
        lane.adds_up = false;
        lane.pending_since = Some(Timestamp::UNIX_EPOCH);
        lane.loses_events_at = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(400));
        lane.waits_for_operator = 1;
        lane.dead_letters = 2;
        let attention = attention(&status);
        let problems: Vec<_> = attention
            .iter()
            .map(|problem| (problem.code, problem.detail.as_str()))
            .collect();
        let wanted = [
            (
                "log_refusing",
                "a log refuses writes after a failed write; fix the cause and restart",
            ),
            (
                "audit_failing",
                "the audit cannot be written, so nothing can be changed or read",
            ),
            (
                "audit_damaged",
                "the start found 2 faults of the audit; `easel audit verify` shows them",
            ),
            ("log_unreadable", "the log cannot be read"),
            ("log_damaged", "2 records of the log are unreadable"),
            (
                "cursors_unsaved",
                "the cursors of the subscriptions could not be saved",
            ),
            (
                "lanes_missing",
                "only 0 of 1 active subscriptions are being served",
            ),
            ("disk", "the disk is nearly full"),
            ("certificate", "the certificate expired"),
            ("balance", "the balance does not add up: grades"),
            ("losing_events", "will begin to lose events in 99 s: grades"),
            (
                "waits_for_operator",
                "1 delivery waits for an operator: grades",
            ),
            ("dead_letters", "2 dead letters: grades"),
            ("behind", "behind: grades"),
            ("quarantine", "1 record in quarantine"),
            ("drift", "3 new drift findings within 24 h"),
        ];
        assert_eq!(problems, wanted);
    }

    #[test]
    fn a_deactivated_subscription_shows_its_reason_unless_it_was_removed_from_the_file() {
        let mut status = healthy();
        let [lane] = status.lanes.as_mut_slice() else {
            panic!("one lane");
        };
        lane.state = "deactivated";
        assert!(attention(&status).is_empty());
        let [lane] = status.lanes.as_mut_slice() else {
            panic!("one lane");
        };
        lane.reason = Some("it was on hold for 3days: send: the endpoint answered 503".to_owned());
        let attention = attention(&status);
        let problems: Vec<_> = attention
            .iter()
            .map(|problem| (problem.code, problem.detail.as_str()))
            .collect();
        let wanted =
            "deactivated: grades (it was on hold for 3days: send: the endpoint answered 503)";
        assert_eq!(problems, [("deactivated", wanted)]);
    }

    #[test]
    fn a_sentence_names_at_most_three_subscriptions() {
        let listed = |names: &str| {
            let names: Vec<_> = names.split(' ').map(str::to_owned).collect();
            super::listed(&names)
        };
        assert_eq!(listed("a"), "a");
        assert_eq!(listed("a b c"), "a, b, c");
        assert_eq!(listed("a b c d e"), "a, b, c and 2 more");
    }
}
