//! The answers of the queries, computed from the events.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::Value;

use super::answer::{
    NULL, Parameters, TermEvent, assignments, cell, cell_or_null, descending, hours_cell, in_oslo,
    monday, newest, of_types, percent, percentile, tenths, time_cell,
};
use super::term::local_id;

/// The rows of an answer.
pub(crate) type Rows = Vec<Vec<String>>;

/// The enrollments of a student in a course.
struct Student<'a> {
    name: &'a str,
    enrolled_at: Timestamp,
}

/// Returns the active students, by course and id.
fn students(term: &[Value], parameters: Parameters) -> BTreeMap<(u64, u64), Student<'_>> {
    let events = of_types(term, &["enrollment_created", "enrollment_updated"]);
    let mut students: BTreeMap<_, Student<'_>> = BTreeMap::new();
    for (_, event) in newest(events, |event| event.id("enrollment_id")) {
        let (course, user) = (event.id("course_id").unwrap(), event.id("user_id").unwrap());
        let is_student = event.text("type") == Some("StudentEnrollment")
            && event.text("workflow_state") == Some("active");
        if !is_student || !parameters.has_course(course) {
            continue;
        }
        let (name, enrolled_at) = (
            event.text("user_name").unwrap(),
            event.time("created_at").unwrap(),
        );
        let student = students
            .entry((course, user))
            .or_insert(Student { name, enrolled_at });
        student.name = std::cmp::max(student.name, name);
        student.enrolled_at = std::cmp::min(student.enrolled_at, enrolled_at);
    }
    students
}

/// Returns the newest event of the work of each student, by assignment and student.
fn work(term: &[Value], before: Timestamp) -> BTreeMap<(u64, u64), TermEvent<'_>> {
    let mut events = of_types(term, &["submission_created", "submission_updated"]);
    events.retain(|event| event.at < before);
    newest(events, |event| {
        (
            event.id("assignment_id").unwrap(),
            event.id("user_id").unwrap(),
        )
    })
}

/// Returns true if work was submitted late.
fn is_late(work: &TermEvent<'_>, due_at: Timestamp) -> bool {
    let submitted_at = work.submitted_at();
    submitted_at.is_some_and(|at| work.flag("late").unwrap_or(at > due_at))
}

pub(crate) fn active_users_by_day(term: &[Value], parameters: Parameters) -> Rows {
    let visits = ["logged_in", "asset_accessed"];
    let work = [
        "submission_created",
        "discussion_entry_created",
        "quiz_submitted",
    ];
    let mut days: BTreeMap<_, (HashSet<u64>, HashSet<u64>, u64)> = BTreeMap::new();
    for (is_work, event_types) in [(false, &visits[..]), (true, &work[..])] {
        for event in of_types(term, event_types) {
            let Some(user) = event.actor().filter(|_| parameters.has_time(event.at)) else {
                continue;
            };
            let (users, workers, actions) = days.entry(in_oslo(event.at).date()).or_default();
            users.insert(user);
            if is_work {
                workers.insert(user);
            }
            *actions += 1;
        }
    }
    let mut rows = Vec::new();
    let (mut day, last) = (*days.keys().next().unwrap(), *days.keys().last().unwrap());
    while day <= last {
        let (users, workers, actions) = days.remove(&day).unwrap_or_default();
        rows.push(vec![
            cell(day),
            cell(users.len()),
            cell(workers.len()),
            cell(actions),
        ]);
        day += 1.day();
    }
    rows
}

pub(crate) fn submissions_before_deadline(term: &[Value], parameters: Parameters) -> Rows {
    let assignments = assignments(term);
    let mut hours: BTreeMap<_, (u64, u64, HashSet<u64>)> = BTreeMap::new();
    for event in of_types(term, &["submission_created"]) {
        let id = event.id("assignment_id").unwrap();
        let assignment = &assignments[&id];
        let course = assignment.id("context_id").unwrap();
        let Some(due_at) = assignment.time("due_at") else {
            continue;
        };
        if assignment.text("workflow_state") == Some("deleted") || !parameters.has_course(course) {
            continue;
        }
        let early = due_at.duration_since(event.submitted_at().unwrap_or(event.at));
        let hours_before = early.as_millis().div_euclid(3_600_000);
        if (-24..48).contains(&hours_before) {
            let key = (course, due_at, id, -hours_before);
            let (submissions, resubmissions, students) = hours.entry(key).or_default();
            *submissions += 1;
            *resubmissions += u64::from(event.number("attempt").unwrap() > 1.0);
            students.insert(event.id("user_id").unwrap());
        }
    }
    let mut rows = Vec::new();
    for ((course, due_at, id, hours_after), (submissions, resubmissions, students)) in hours {
        rows.push(vec![
            cell(course),
            cell(id),
            cell(assignments[&id].text("title").unwrap()),
            time_cell(due_at),
            cell(-hours_after),
            cell(submissions),
            cell(resubmissions),
            cell(students.len()),
        ]);
    }
    rows
}

pub(crate) fn who_is_falling_behind(term: &[Value], parameters: Parameters) -> Rows {
    let assignments = assignments(term);
    let work = work(term, parameters.as_of);
    let mut rows = BTreeMap::new();
    for ((course, user), student) in students(term, parameters) {
        let (mut due, mut submitted, mut late, mut missing) = (0, 0, 0, 0);
        let mut last_submitted_at = None;
        for (id, assignment) in &assignments {
            let takes_submissions = assignment
                .text("submission_types")
                .unwrap()
                .contains("online_");
            let due_at = assignment.time("due_at");
            let Some(due_at) =
                due_at.filter(|at| *at < parameters.as_of && *at >= student.enrolled_at)
            else {
                continue;
            };
            if assignment.id("context_id") != Some(course)
                || assignment.text("workflow_state") != Some("published")
                || !takes_submissions
            {
                continue;
            }
            due += 1;
            let newest = work.get(&(*id, user));
            let submitted_at = newest.and_then(TermEvent::submitted_at);
            last_submitted_at = std::cmp::max(last_submitted_at, submitted_at);
            if submitted_at.is_some() {
                submitted += 1;
                late += usize::from(newest.is_some_and(|work| is_late(work, due_at)));
            } else {
                let is_graded = newest.is_some_and(|work| {
                    work.text("workflow_state") == Some("graded")
                        && work.flag("missing") != Some(true)
                });
                missing += usize::from(!is_graded);
            }
        }
        if late + missing >= 2 {
            let row = vec![
                cell(course),
                cell(user),
                cell(student.name),
                cell(due),
                cell(submitted),
                cell(late),
                cell(missing),
                last_submitted_at.map_or_else(|| NULL.to_owned(), time_cell),
            ];
            rows.insert((course, descending(missing), descending(late), user), row);
        }
    }
    rows.into_values().collect()
}

pub(crate) fn grade_changes_after_posting(term: &[Value], parameters: Parameters) -> Rows {
    /// What is known of a submission.
    #[derive(Default)]
    struct Known<'a> {
        grade: (Option<f64>, Option<&'a str>),
        posted_at: Option<Timestamp>,
    }
    let mut submissions: BTreeMap<_, Known<'_>> = BTreeMap::new();
    let mut rows = Vec::new();
    for event in of_types(term, &["grade_change"]) {
        let known = submissions.entry(event.id("submission_id")).or_default();
        let grade = (event.number("score"), event.text("grade"));
        let before = std::mem::replace(&mut known.grade, grade);
        let course = event.course().unwrap();
        let is_wanted = parameters.has_course(course) && parameters.has_time(event.at);
        if let Some(posted_at) = known.posted_at.filter(|_| is_wanted && before != grade) {
            rows.push(vec![
                time_cell(event.at),
                cell(course),
                cell_or_null(event.id("assignment_id")),
                cell_or_null(event.text("assignment_name")),
                cell_or_null(event.id("student_id")),
                cell_or_null(event.id("grader_id")),
                cell_or_null(before.0),
                cell_or_null(grade.0),
                cell_or_null(before.1),
                cell_or_null(grade.1),
                tenths(event.at.duration_since(posted_at).as_millis(), 86_400_000),
            ]);
        }
        let has_grade = grade != (None, None);
        if known.posted_at.is_none() && has_grade && event.flag("muted") == Some(false) {
            known.posted_at = Some(event.at);
        }
    }
    rows
}

pub(crate) fn late_submissions_by_assignment(term: &[Value], parameters: Parameters) -> Rows {
    let work = work(term, Timestamp::MAX);
    let mut rows = BTreeMap::new();
    for (id, assignment) in assignments(term) {
        let course = assignment.id("context_id").unwrap();
        let due_at = assignment.time("due_at");
        let Some(due_at) = due_at.filter(|at| *at < parameters.as_of) else {
            continue;
        };
        if assignment.text("workflow_state") == Some("deleted") || !parameters.has_course(course) {
            continue;
        }
        let mut submitted = 0;
        let mut lateness = Vec::new();
        for ((assignment_id, _user), newest) in &work {
            let Some(at) = newest.submitted_at().filter(|_| *assignment_id == id) else {
                continue;
            };
            submitted += 1;
            if is_late(newest, due_at) {
                lateness.push(at.duration_since(due_at));
            }
        }
        lateness.sort();
        let row = vec![
            cell(course),
            cell(id),
            cell(assignment.text("title").unwrap()),
            time_cell(due_at),
            cell(submitted),
            cell(lateness.len()),
            percent(lateness.len(), submitted),
            cell_or_null(percentile(&lateness, 50).map(hours_cell)),
        ];
        rows.insert((course, due_at, id), row);
    }
    rows.into_values().collect()
}

pub(crate) fn most_used_resources(term: &[Value], parameters: Parameters) -> Rows {
    let mut weeks: BTreeMap<_, BTreeMap<_, (HashSet<u64>, usize, &str)>> = BTreeMap::new();
    for event in of_types(term, &["asset_accessed"]) {
        let (Some(course), Some(user)) = (event.course(), event.actor()) else {
            continue;
        };
        let is_wanted = event.text("role") == Some("StudentEnrollment")
            && event.text("asset_subtype").is_none()
            && parameters.has_course(course)
            && parameters.has_time(event.at);
        if is_wanted {
            let week = weeks.entry((course, monday(event.at))).or_default();
            let asset = (
                event.text("asset_type").unwrap(),
                event.id("asset_id").unwrap(),
            );
            let (users, views, name) = week.entry(asset).or_default();
            users.insert(user);
            *views += 1;
            *name = event.text("asset_name").unwrap();
        }
    }
    let mut rows = Vec::new();
    for ((course, week), assets) in weeks {
        let mut assets: Vec<_> = assets.into_iter().collect();
        assets.sort_by_key(|(asset, (users, views, _name))| {
            (descending(users.len()), descending(*views), *asset)
        });
        for (place, ((kind, id), (users, views, name))) in (1..=5).zip(assets) {
            rows.push(vec![
                cell(course),
                cell(week),
                cell(place),
                cell(kind),
                cell(id),
                cell(name),
                cell(users.len()),
                cell(views),
            ]);
        }
    }
    rows
}

pub(crate) fn time_to_grade(term: &[Value], parameters: Parameters) -> Rows {
    let mut attempts: BTreeMap<_, Vec<TermEvent<'_>>> = BTreeMap::new();
    for attempt in of_types(term, &["submission_created"]) {
        let submission = attempt.id("submission_id").unwrap();
        attempts.entry(submission).or_default().push(attempt);
    }
    let mut graded = HashSet::new();
    let mut waits: BTreeMap<_, Vec<SignedDuration>> = BTreeMap::new();
    for event in of_types(term, &["grade_change"]) {
        let submission = event.id("submission_id").unwrap();
        let (Some(grader), Some(_grade)) = (event.id("grader_id"), event.text("grade")) else {
            continue;
        };
        let course = event.course().unwrap();
        if !graded.insert(submission)
            || !parameters.has_course(course)
            || !parameters.has_time(event.at)
        {
            continue;
        }
        let attempts = attempts.get(&submission).map_or(&[][..], Vec::as_slice);
        let attempt = attempts.iter().rfind(|attempt| attempt.at < event.at);
        if let Some(attempt) = attempt {
            let submitted_at = attempt.submitted_at().unwrap_or(attempt.at);
            let wait = event.at.duration_since(submitted_at);
            waits.entry((course, grader)).or_default().push(wait);
        }
    }
    let row = |((course, grader), mut waits): ((u64, u64), Vec<SignedDuration>)| {
        waits.sort();
        let in_time = waits
            .iter()
            .filter(|wait| **wait <= SignedDuration::from_hours(72));
        vec![
            cell(course),
            cell(grader),
            cell(waits.len()),
            cell_or_null(percentile(&waits, 50).map(hours_cell)),
            cell_or_null(percentile(&waits, 90).map(hours_cell)),
            cell_or_null(waits.last().copied().map(hours_cell)),
            percent(in_time.count(), waits.len()),
        ]
    };
    waits.into_iter().map(row).collect()
}

pub(crate) fn logins_by_hour_of_week(term: &[Value], parameters: Parameters) -> Rows {
    let mut logins: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for event in of_types(term, &["logged_in"]) {
        if let Some(user) = event.actor().filter(|_| parameters.has_time(event.at)) {
            let local = in_oslo(event.at);
            let weekday = local.weekday().to_monday_one_offset();
            logins
                .entry((weekday, local.hour()))
                .or_default()
                .push(user);
        }
    }
    let mut rows = Vec::new();
    for weekday in 1..=7 {
        for hour in 0..24 {
            let users = logins.remove(&(weekday, hour)).unwrap_or_default();
            let distinct: HashSet<_> = users.iter().collect();
            rows.push(vec![
                cell(weekday),
                cell(hour),
                cell(users.len()),
                cell(distinct.len()),
            ]);
        }
    }
    rows
}

pub(crate) fn enrollments_and_drops_by_week(term: &[Value], parameters: Parameters) -> Rows {
    let mut enrolled = HashSet::new();
    let mut weeks: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for event in of_types(term, &["enrollment_created", "enrollment_updated"]) {
        let (id, course) = (event.id("enrollment_id"), event.id("course_id").unwrap());
        if event.text("type") != Some("StudentEnrollment") || !parameters.has_course(course) {
            continue;
        }
        let left = ["deleted", "inactive"].map(Some);
        let (joined, dropped) = if left.contains(&event.text("workflow_state")) {
            (0, i64::from(enrolled.remove(&id)))
        } else {
            (i64::from(enrolled.insert(id)), 0)
        };
        if joined + dropped > 0 {
            let week = weeks.entry((course, monday(event.at))).or_default();
            *week = (week.0 + joined, week.1 + dropped);
        }
    }
    let mut students: BTreeMap<u64, i64> = BTreeMap::new();
    let row = |((course, week), (joined, dropped))| {
        let students = students.entry(course).or_default();
        *students += joined - dropped;
        vec![
            cell(course),
            cell(week),
            cell(joined),
            cell(dropped),
            cell(students),
        ]
    };
    weeks.into_iter().map(row).collect()
}

pub(crate) fn discussion_participation(term: &[Value], parameters: Parameters) -> Rows {
    let mut courses: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for ((course, user), _student) in students(term, parameters) {
        courses.entry(course).or_default().insert(local_id(user));
    }
    let entries = of_types(term, &["discussion_entry_created"]);
    let row = |(course, students): (u64, BTreeSet<u64>)| {
        let author = |post: &TermEvent<'_>| local_id(post.id("user_id").unwrap());
        let posts: Vec<_> = entries
            .iter()
            .filter(|post| post.course() == Some(course) && parameters.has_time(post.at))
            .filter(|post| students.contains(&author(post)))
            .collect();
        let authors: HashSet<_> = posts.iter().map(|post| author(post)).collect();
        let replies = posts
            .iter()
            .filter(|post| post.id("parent_discussion_entry_id").is_some());
        vec![
            cell(course),
            cell(students.len()),
            cell(authors.len()),
            percent(authors.len(), students.len()),
            cell(posts.len()),
            cell(replies.count()),
            cell_or_null(posts.last().map(|post| time_cell(post.at))),
        ]
    };
    courses.into_iter().map(row).collect()
}
