//! The queries of `examples/analytics`: all rows of their answers are those that the events give.
//!
//! The expected answers are computed from the JSON of the events, without SQL.

mod answer;
mod answers;
mod term;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tokio_postgres::SimpleQueryMessage;

use crate::campus::{item, send, sink};
use answer::{NULL, Parameters, time_cell};
use answers::Rows;
use easel_testkit::{Postgres, TableReader};

/// Computes an answer from the events.
type Answer = fn(&[Value], Parameters) -> Rows;

/// All queries, with the columns of their answers.
const QUERIES: [(&str, &str, Answer); 10] = [
    (
        "active_users_by_day",
        "day active_users working_users actions",
        answers::active_users_by_day,
    ),
    (
        "discussion_participation",
        "course_id students students_who_posted participation_percent posts replies last_posted_at",
        answers::discussion_participation,
    ),
    (
        "enrollments_and_drops_by_week",
        "course_id week_starts_on joined dropped students",
        answers::enrollments_and_drops_by_week,
    ),
    (
        "grade_changes_after_posting",
        "changed_at course_id assignment_id assignment_name student_id grader_id \
         score_before score_after grade_before grade_after days_after_posting",
        answers::grade_changes_after_posting,
    ),
    (
        "late_submissions_by_assignment",
        "course_id assignment_id title due_at submitted late late_percent median_hours_late",
        answers::late_submissions_by_assignment,
    ),
    (
        "logins_by_hour_of_week",
        "weekday hour logins users",
        answers::logins_by_hour_of_week,
    ),
    (
        "most_used_resources",
        "course_id week_starts_on place asset_type asset_id asset_name students views",
        answers::most_used_resources,
    ),
    (
        "submissions_before_deadline",
        "course_id assignment_id title due_at hours_before_due submissions resubmissions students",
        answers::submissions_before_deadline,
    ),
    (
        "time_to_grade",
        "course_id grader_id graded median_hours p90_hours max_hours within_days_percent",
        answers::time_to_grade,
    ),
    (
        "who_is_falling_behind",
        "course_id student_id student_name assignments_due submitted late missing last_submitted_at",
        answers::who_is_falling_behind,
    ),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/analytics")
}

fn query(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.sql"))).unwrap()
}

/// Returns the query with other values in its first part, as a user edits it.
fn with_parameters(sql: &str, parameters: Parameters) -> String {
    let Parameters {
        starts_at,
        ends_at,
        as_of,
        ..
    } = parameters;
    let local = |at| format!("timestamp '{}'", answer::in_oslo(at).datetime());
    let course = parameters.course.unwrap();
    sql.replace(
        "null::bigint as course_id",
        &format!("{course} as course_id"),
    )
    .replace(
        "timestamp '-infinity' as starts_at",
        &format!("{} as starts_at", local(starts_at)),
    )
    .replace(
        "timestamp 'infinity' as ends_at",
        &format!("{} as ends_at", local(ends_at)),
    )
    .replace(
        "now() as as_of",
        &format!("timestamptz '{}' as as_of", time_cell(as_of)),
    )
}

/// Runs a query. Returns the names of its columns, and its rows.
async fn run(reader: &TableReader, sql: &str) -> (String, Rows) {
    let (mut columns, mut rows) = (String::new(), Vec::new());
    for message in reader.client.simple_query(sql).await.unwrap() {
        match message {
            SimpleQueryMessage::RowDescription(names) => {
                let names: Vec<_> = names
                    .iter()
                    .map(|column| column.name().to_owned())
                    .collect();
                columns = names.join(" ");
            }
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|index| row.get(index).unwrap_or(NULL).to_owned());
                rows.push(cells.collect());
            }
            _ => (),
        }
    }
    (columns, rows)
}

/// Fails with the first row that differs.
fn assert_same(name: &str, rows: &Rows, expected: &Rows) {
    for (number, (row, expected)) in rows.iter().zip(expected).enumerate() {
        assert_eq!(row, expected, "{name}, row {number}");
    }
    assert_eq!(rows.len(), expected.len(), "{name}: number of rows");
}

#[tokio::test]
async fn every_query_answers_what_the_events_say() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let term = term::term();
    let sink = sink(&postgres.url());
    let mut offset = 0;
    for events in term.chunks(1_000) {
        let items = (offset..).zip(events);
        let items = items.map(|(offset, event)| item(offset, &event.to_string()));
        send(&sink, items.collect()).await.unwrap();
        offset += 1_000;
    }
    assert_eq!(sink.mismatch_count(), 0);
    let reader = postgres.reader().await;
    reader.execute("set timezone = 'UTC'; analyze").await;
    let whole_term = Parameters {
        course: None,
        starts_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        ends_at: "2027-01-01T00:00:00Z".parse().unwrap(),
        as_of: "2026-05-01T00:00:00Z".parse().unwrap(),
    };
    let as_of = format!("timestamptz '{}' as as_of", time_cell(whole_term.as_of));
    let mut whole_answers = Vec::new();
    for (name, columns, answer) in QUERIES {
        let sql = query(name).replace("now() as as_of", &as_of);
        let (found_columns, rows) = run(&reader, &sql).await;
        assert_eq!(found_columns, columns, "{name}");
        assert!(rows.len() >= 12, "{name}: {} rows", rows.len());
        let expected = answer(&term, whole_term);
        assert_same(name, &rows, &expected);
        whole_answers.push(expected);
    }
    let two_weeks = Parameters {
        course: Some(a_course_that_lost_a_student(&term)),
        starts_at: "2026-03-22T23:00:00Z".parse().unwrap(),
        ends_at: "2026-04-05T22:00:00Z".parse().unwrap(),
        as_of: "2026-04-11T12:00:00Z".parse().unwrap(),
    };
    for ((name, _columns, answer), whole_answer) in QUERIES.iter().zip(whole_answers) {
        let sql = query(name);
        let edited = with_parameters(&sql, two_weeks);
        assert_ne!(edited, sql, "{name} has no parameters");
        let (_columns, rows) = run(&reader, &edited).await;
        let expected = answer(&term, two_weeks);
        assert!(!expected.is_empty(), "{name}: no rows for a course");
        assert_ne!(expected, whole_answer, "{name}: parameters change nothing");
        assert_same(name, &rows, &expected);
    }
}

/// Returns the local id of the first course that a student left.
fn a_course_that_lost_a_student(term: &[Value]) -> u64 {
    let updated = answer::of_types(term, &["enrollment_updated"]);
    let dropped = updated
        .iter()
        .find(|event| event.text("workflow_state") == Some("deleted"));
    term::local_id(dropped.unwrap().id("course_id").unwrap())
}

#[test]
fn every_file_of_the_folder_is_tested_and_listed_on_its_page() {
    let mut tested: BTreeSet<_> = QUERIES
        .iter()
        .map(|(name, _, _)| format!("{name}.sql"))
        .collect();
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    for name in &tested {
        let link = format!("| [{name}]({name}) | ");
        assert_eq!(page.matches(&link).count(), 1, "README.md: {name}");
    }
    tested.insert("README.md".to_owned());
    let files = fs::read_dir(folder()).unwrap();
    let files: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, tested);
}

#[test]
fn every_query_begins_with_what_it_needs_and_what_its_columns_mean() {
    for (name, columns, _answer) in QUERIES {
        let sql = query(name);
        let (comment, statement) = sql
            .split_once("\nwith parameters as not materialized (\n")
            .expect(name);
        assert!(comment.lines().all(|line| line.starts_with("--")), "{name}");
        assert!(!statement.contains("select *\n"), "{name}");
        let (_, explained) = comment.split_once("\n-- Columns:\n").expect(name);
        let explained: Vec<_> = explained
            .lines()
            .map(|line| line.split_whitespace().nth(1).unwrap())
            .collect();
        assert_eq!(explained.join(" "), columns, "{name}");
        let (_, tables) = comment.split_once("\n-- Tables: ").expect(name);
        let tables = tables.split("\n--\n").next().unwrap();
        for part in statement.split("live.").skip(1) {
            let table = part
                .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                .next()
                .unwrap();
            assert!(tables.contains(table), "{name}: {table} is not listed");
        }
    }
}
