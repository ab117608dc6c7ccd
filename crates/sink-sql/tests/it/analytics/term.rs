//! The events of a term: those of the simulator, and cases that its term lacks.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use easel_catalog::Catalog;
use easel_simulator::{Campus, TermOptions};
use easel_triggers::{TriggerOptions, Triggers};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The shard of all ids.
const SHARD: u64 = 7;

/// The number of ids in a shard.
const IDS_PER_SHARD: u64 = 10_000_000_000_000;

/// Returns the events of a term, in the order of the log. Summer time begins in the middle of the term.
pub(crate) fn term() -> Vec<Value> {
    let options = TriggerOptions {
        shard: SHARD,
        ..TriggerOptions::default()
    };
    let triggers = Triggers::new(Arc::new(Catalog::built_in()), options).unwrap();
    let campus = Campus::new(TermOptions {
        seed: 16,
        students: 90,
        days: 28,
        // Monday, 16 March 2026.
        begins: Timestamp::constant(1_773_619_200, 0),
    });
    let changes = campus.flat_map(|change| {
        let outcome = triggers.events(&change, Timestamp::UNIX_EPOCH).unwrap();
        outcome.events
    });
    let mut events: Vec<Value> = changes
        .map(|event| serde_json::from_slice(&event.bytes).unwrap())
        .collect();
    // Added events are at the end of the log, so its order is not the order of time.
    submit_late(&mut events);
    omit_late_flags(&mut events);
    change_assignments(&mut events);
    change_grades(&mut events);
    grade_without_submission(&mut events);
    drop_students(&mut events);
    return_dropped_students(&mut events);
    enroll_late(&mut events);
    submit_after_grading(&mut events);
    masquerade(&mut events);
    submit_for_students(&mut events);
    change_posts(&mut events);
    events
}

/// Returns the local id of a global id.
pub(crate) fn local_id(id: u64) -> u64 {
    id % IDS_PER_SHARD
}

/// Returns true if the event has this event type.
fn is(event: &Value, event_type: &str) -> bool {
    event["metadata"]["event_name"] == event_type
}

/// Returns the indexes of the events of a type.
fn indexes(events: &[Value], event_type: &str) -> Vec<usize> {
    let all = events.iter().enumerate();
    all.filter(|(_, event)| is(event, event_type))
        .map(|(index, _)| index)
        .collect()
}

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

/// Moves a time of the event.
fn shift(time: &mut Value, by: SignedDuration) {
    let at: Timestamp = time.as_str().unwrap().parse().unwrap();
    *time = (at + by).to_string().into();
}

/// Removes a field of an object.
fn remove(object: &mut Value, field: &str) {
    object.as_object_mut().unwrap().remove(field);
}

/// Returns a copy of an event that happened later.
fn later(event: &Value, by: SignedDuration) -> Value {
    let mut copy = event.clone();
    shift(&mut copy["metadata"]["event_time"], by);
    copy
}

/// Lets every ninth student submit after the due date. The simulator's students rarely do.
fn submit_late(events: &mut [Value]) {
    let first_attempts = indexes(events, "submission_created")
        .into_iter()
        .filter(|index| events[*index]["body"]["attempt"] == 1);
    let late: HashSet<Value> = first_attempts
        .step_by(9)
        .map(|index| events[index]["body"]["submission_id"].clone())
        .collect();
    for event in events {
        let is_created = is(event, "submission_created");
        if !is_created && !is(event, "submission_updated")
            || !late.contains(&event["body"]["submission_id"])
        {
            continue;
        }
        shift(&mut event["body"]["submitted_at"], hours(26));
        event["body"]["late"] = true.into();
        if is_created {
            shift(&mut event["body"]["updated_at"], hours(26));
            shift(&mut event["metadata"]["event_time"], hours(26));
        }
    }
}

/// Removes some flags, so that the due date decides what is late.
fn omit_late_flags(events: &mut [Value]) {
    let submissions = ["submission_created", "submission_updated"];
    let submissions = events
        .iter_mut()
        .filter(|event| submissions.iter().any(|name| is(event, name)));
    for event in submissions.step_by(4) {
        remove(&mut event["body"], "late");
    }
}

/// Moves some due dates, deletes or withdraws some assignments, and lets some take work on paper.
fn change_assignments(events: &mut Vec<Value>) {
    for (number, index) in indexes(events, "assignment_created")
        .into_iter()
        .enumerate()
    {
        let mut change = |by, field: &str, value: Value| {
            let mut updated = later(&events[index], by);
            updated["metadata"]["event_name"] = "assignment_updated".into();
            updated["body"][field] = value;
            events.push(updated);
        };
        match number % 12 {
            2 | 5 => {
                let mut due_at = events[index]["body"]["due_at"].clone();
                shift(&mut due_at, hours(24));
                let mut updated = later(&events[index], hours(1));
                updated["metadata"]["event_name"] = "assignment_updated".into();
                updated["body"]["due_at"] = due_at;
                events.push(updated);
            }
            6 => change(hours(20 * 24), "workflow_state", "deleted".into()),
            7 => change(hours(20 * 24), "workflow_state", "unpublished".into()),
            8 => change(hours(20 * 24), "submission_types", "on_paper".into()),
            9 => change(hours(20 * 24), "due_at", Value::Null),
            _ => (),
        }
    }
}

/// Lets teachers hide grades, change them and post them again. The simulator's teachers grade once.
fn change_grades(events: &mut Vec<Value>) {
    for (number, index) in indexes(events, "grade_change").into_iter().enumerate() {
        let original = events[index].clone();
        let graded = |by, added: f64, muted: bool| {
            let mut event = later(&original, by);
            let body = &mut event["body"];
            let (score, grade) = (body["score"].clone(), body["grade"].clone());
            let new_score = score.as_f64().unwrap() + added;
            body["score"] = new_score.into();
            body["grade"] = new_score.to_string().into();
            body["old_score"] = score;
            body["old_grade"] = grade;
            body["muted"] = muted.into();
            event
        };
        if number % 5 == 0 {
            events.push(graded(hours(26), 1.0, false));
        }
        if number % 5 == 1 {
            events.push(graded(hours(30), 0.0, false));
        }
        if number % 7 == 3 {
            events[index]["body"]["muted"] = true.into();
            events.push(graded(hours(1), 0.5, true));
            events.push(graded(hours(2), 0.5, false));
            events.push(graded(hours(70), 0.25, true));
            events.push(graded(hours(72), 0.25, false));
        }
        if number % 9 == 7 {
            let mut event = graded(hours(50), 0.0, false);
            remove(&mut event["body"], "score");
            remove(&mut event["body"], "grade");
            events.push(event);
        }
        if number % 11 == 4 {
            remove(&mut events[index]["body"], "grader_id");
            events.push(graded(hours(3), 0.0, false));
        }
        if number % 17 == 6 {
            remove(&mut events[index]["body"], "score");
            remove(&mut events[index]["body"], "grade");
            events.push(graded(hours(4), 0.0, false));
        }
    }
}

/// Grades work that was not submitted. Half of it is graded by the policy for missing work.
fn grade_without_submission(events: &mut Vec<Value>) {
    let mut students: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for event in events
        .iter()
        .filter(|event| is(event, "enrollment_created"))
    {
        let body = &event["body"];
        if body["type"] == "StudentEnrollment" {
            let course = students.entry(text(&body["course_id"])).or_default();
            course.insert(text(&body["user_id"]));
        }
    }
    let submitted: HashSet<_> = events
        .iter()
        .filter(|event| is(event, "submission_created"))
        .map(|event| {
            (
                text(&event["body"]["assignment_id"]),
                text(&event["body"]["user_id"]),
            )
        })
        .collect();
    let template = events[indexes(events, "submission_updated")[0]].clone();
    let mut added = Vec::new();
    let mut number = 0_u64;
    for assignment in events
        .iter()
        .filter(|event| is(event, "assignment_created"))
    {
        let id = text(&assignment["body"]["assignment_id"]);
        for student in &students[&text(&assignment["body"]["context_id"])] {
            if submitted.contains(&(id.clone(), student.clone())) {
                continue;
            }
            number += 1;
            if !number.is_multiple_of(4) {
                continue;
            }
            let mut event = template.clone();
            event["metadata"]["context_id"] = assignment["body"]["context_id"].clone();
            event["metadata"]["event_time"] = assignment["body"]["due_at"].clone();
            shift(&mut event["metadata"]["event_time"], hours(60));
            for field in ["submitted_at", "submission_type", "attempt", "body", "late"] {
                remove(&mut event["body"], field);
            }
            event["body"]["submission_id"] = (SHARD * IDS_PER_SHARD + 900_000 + number)
                .to_string()
                .into();
            event["body"]["assignment_id"] = id.clone().into();
            event["body"]["user_id"] = student.clone().into();
            event["body"]["missing"] = number.is_multiple_of(8).into();
            added.push(event);
        }
    }
    events.extend(added);
}

/// Lets some students drop a course. In the simulator's term, few do.
fn drop_students(events: &mut Vec<Value>) {
    let enrolled = indexes(events, "enrollment_created").into_iter();
    for (number, index) in enrolled.step_by(15).enumerate() {
        let mut event = later(
            &events[index],
            hours(24 * i64::try_from(1 + number % 23).unwrap()),
        );
        event["metadata"]["event_name"] = "enrollment_updated".into();
        let states = ["deleted", "inactive", "completed"];
        event["body"]["workflow_state"] = states[number % 3].into();
        events.push(event);
    }
}

/// Lets every second student who dropped a course return to it.
fn return_dropped_students(events: &mut Vec<Value>) {
    let dropped = indexes(events, "enrollment_updated").into_iter();
    let dropped = dropped.filter(|index| events[*index]["body"]["workflow_state"] == "deleted");
    for index in dropped.step_by(2).collect::<Vec<_>>() {
        let mut event = later(&events[index], hours(50));
        event["body"]["workflow_state"] = "active".into();
        events.push(event);
    }
}

/// Adds logins of administrators as somebody else, and lets some requests come from nobody.
fn masquerade(events: &mut Vec<Value>) {
    for index in indexes(events, "logged_in").into_iter().step_by(50) {
        let mut event = later(&events[index], hours(9));
        event["metadata"]["real_user_id"] = events[index]["metadata"]["user_id"].clone();
        events.push(event);
    }
    for index in indexes(events, "asset_accessed").into_iter().step_by(40) {
        remove(&mut events[index]["metadata"], "user_id");
    }
}

/// Lets some students enroll after the first assignments were due.
fn enroll_late(events: &mut [Value]) {
    let enrolled = indexes(events, "enrollment_created").into_iter();
    for index in enrolled.step_by(7) {
        shift(&mut events[index]["body"]["created_at"], hours(9 * 24));
    }
}

/// Lets some students submit once more, late, after their work was graded.
fn submit_after_grading(events: &mut Vec<Value>) {
    let submitted = indexes(events, "submission_created").into_iter();
    for index in submitted.step_by(12) {
        let mut event = later(&events[index], hours(9 * 24));
        shift(&mut event["body"]["submitted_at"], hours(9 * 24));
        event["body"]["attempt"] = 5.into();
        event["body"]["late"] = true.into();
        events.push(event);
    }
}

/// Lets a teacher submit for some students.
fn submit_for_students(events: &mut [Value]) {
    let enrolled = indexes(events, "enrollment_created").into_iter();
    let mut enrolled = enrolled.map(|index| &events[index]["body"]);
    let teacher = enrolled.find(|body| body["type"] == "TeacherEnrollment");
    let teacher = teacher.unwrap()["user_id"].clone();
    for index in indexes(events, "submission_created")
        .into_iter()
        .step_by(30)
    {
        events[index]["metadata"]["user_id"] = teacher.clone();
    }
}

/// Makes replies of some posts, and gives some the global ids of older releases.
fn change_posts(events: &mut [Value]) {
    for (number, index) in indexes(events, "discussion_entry_created")
        .into_iter()
        .enumerate()
    {
        let body = &mut events[index]["body"];
        if number % 3 == 0 {
            body["parent_discussion_entry_id"] = json!("955");
        }
        if number % 4 == 0 {
            let local: u64 = body["user_id"].as_str().unwrap().parse().unwrap();
            body["user_id"] = (SHARD * IDS_PER_SHARD + local).to_string().into();
        }
    }
}
