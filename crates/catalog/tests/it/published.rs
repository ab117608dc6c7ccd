//! Published payloads give only the expected findings. Each expected finding has a reason.

use std::collections::BTreeSet;
use std::path::Path;

use easel_catalog::{Catalog, Limits, admit};

use crate::payloads::{each_payload, shared};

/// The expected findings: the finding, the reason, and the folders. Each payload is invalid, or older than
/// the catalogue.
const EXPECTED: &[(&str, &str, &str)] = &[
    (
        "assignment_created new_value /body/workflow_state",
        "the example has `created`, which the published list of states lacks",
        "examples",
    ),
    (
        "user_updated not_a_timestamp /body/updated_at",
        "the year has three digits",
        "examples",
    ),
    (
        "plagiarism_resubmit global_id /body/group_id",
        "Canvas sends the local id, the example has a global one",
        "examples",
    ),
    // The payload of a grade_override that has the event_name grade_change.
    (
        "grade_change unknown_field /body/score_id",
        "a grade_override has the event_name grade_change",
        "both",
    ),
    (
        "grade_change unknown_field /body/enrollment_id",
        "the same",
        "both",
    ),
    (
        "grade_change unknown_field /body/course_id",
        "the same",
        "both",
    ),
    (
        "grade_change unknown_field /body/grading_period_id",
        "the same",
        "both",
    ),
    (
        "grade_change unknown_field /body/override_score",
        "the same",
        "both",
    ),
    (
        "grade_change unknown_field /body/old_override_score",
        "the same",
        "both",
    ),
    (
        "grade_change unknown_field /body/updated_at",
        "the same",
        "both",
    ),
    (
        "grade_change missing /body/assignment_id",
        "the same",
        "both",
    ),
    (
        "grade_change missing /body/grading_complete",
        "the same",
        "both",
    ),
    ("grade_change missing /body/muted", "the same", "both"),
    ("grade_change missing /body/student_id", "the same", "both"),
    (
        "grade_change missing /body/submission_id",
        "the same",
        "both",
    ),
    (
        "rubric_assessed missing /body/submitted_at",
        "the older example lacks it",
        "seeds",
    ),
    (
        "rubric_assessed missing /body/created_at",
        "the older example lacks it",
        "seeds",
    ),
    (
        "rubric_assessed missing /body/updated_at",
        "the older example lacks it",
        "seeds",
    ),
];

fn check_folder(folder: &str) {
    let Some(path) = shared(&format!("{folder}/canvas")) else {
        return;
    };
    let catalog = Catalog::built_in();
    let mut found = BTreeSet::new();
    let count = each_payload(&path, |payload, path: &Path| {
        let event = admit(payload.as_bytes(), &Limits::default()).expect("an event");
        catalog.check(&event.event_type, &event.bytes, |finding| {
            let (rule, pointer) = (finding.rule.code(), finding.pointer());
            found.insert(format!("{} {rule} {pointer}", event.event_type));
        });
        // The original form gives as many findings as the stored form.
        let mut difference = 0;
        catalog.check(&event.event_type, payload.as_bytes(), |_| difference += 1);
        catalog.check(&event.event_type, &event.bytes, |_| difference -= 1);
        assert_eq!(difference, 0, "{}", path.display());
    });
    assert!(count > 0, "{folder} is empty");
    let expected = EXPECTED
        .iter()
        .filter(|(_, _, folders)| [folder, "both"].contains(folders));
    let expected: BTreeSet<_> = expected
        .map(|(finding, _, _)| (*finding).to_owned())
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_published_seeds_have_only_expected_findings() {
    check_folder("seeds");
}

#[test]
fn the_published_examples_have_only_expected_findings() {
    check_folder("examples");
}
