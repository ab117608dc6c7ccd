//! A new Canvas release changes events: each change is reported with the right kind of drift.

use std::time::Duration;

use easel_catalog::Drift;

use crate::fixture::{Fixture, event, line};

#[tokio::test]
async fn every_change_of_a_release_has_one_record_with_count_times_and_a_masked_example() {
    let fixture = Fixture::new();
    let first = easel_log::Clock::now(&*fixture.clock);
    fixture
        .append(&[
            event("grade_change", "", ""),
            event("course_created", "", ""),
        ])
        .await;
    let scanner = fixture.scanner(&fixture.log);
    assert_eq!(fixture.report(&scanner).await.records, []);

    for _ in 0..3 {
        fixture.clock.advance(Duration::from_mins(1));
        fixture
            .append(&[
                event("grade_change", "grade_change", "grade_imported"),
                event(
                    "course_created",
                    "\"name\":",
                    "\"pace\":{\"weeks\":8},\"theme\":\"dark 7\",\"name\":",
                ),
                event("module_created", "\"position\":3", "\"position\":true"),
                event(
                    "group_created",
                    "\"workflow_state\":\"available\"",
                    "\"workflow_state\":\"archived\"",
                ),
            ])
            .await;
    }
    let report = fixture.report(&scanner).await;
    let mut lines: Vec<_> = report.records.iter().map(line).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "course_created unknown_field /body/pace -→object ×3",
            "course_created unknown_field /body/theme -→string ×3",
            "grade_imported unknown_event_type  -→nothing ×3",
            "group_created unlisted_value /body/workflow_state string→archived ×3",
            "module_created type_change /body/position integer→boolean ×3",
        ]
    );
    for record in &report.records {
        assert_eq!(record.root_account(), Some("70000000000001"));
        assert_eq!(record.first_seen, first + Duration::from_mins(1));
        assert_eq!(record.last_seen, first + Duration::from_mins(3));
        let example = fixture
            .log
            .find_id(record.example.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(example.event_type.as_ref(), record.event_type());
    }
    let example_of = |drift, path: &str| {
        let is_wanted =
            |record: &&easel_drift::DriftRecord| record.drift() == drift && record.path() == path;
        &report.records.iter().find(is_wanted).unwrap().example.value
    };
    assert_eq!(
        example_of(Drift::UnknownField, "/body/pace"),
        "{\"weeks\":9}"
    );
    assert_eq!(example_of(Drift::UnknownField, "/body/theme"), "\"xxxx 9\"");
    let masked_event = example_of(Drift::UnknownEventType, "");
    assert!(
        masked_event.starts_with("{\"metadata\":{\"event_name\":\"xxxxx_xxxxxxxx\","),
        "{masked_event}"
    );
}

#[tokio::test]
async fn no_personal_data_is_recorded() {
    let fixture = Fixture::new();
    fixture
        .append(&[
            event(
                "user_created",
                "\"name\":\"Ola Nordmann\"",
                "\"name\":[\"Ola Nordmann\"]",
            ),
            event("user_created", "\"registered\"", "\"Ola Nordmann\""),
            event(
                "user_created",
                "\"short_name\":",
                "\"nickname\":\"Ola\",\"short_name\":",
            ),
        ])
        .await;
    fixture
        .append(&[
            event("group_created", "\"available\"", "\"Ola Nordmann\""),
            event("group_created", "\"uuid\":", "\"Ola Nordmann\":7,\"uuid\":"),
            event(
                "group_created",
                "\"uuid\":",
                "\"scores\":{\"Ola@example.edu\":7},\"uuid\":",
            ),
            event("logged_out", "\"70000000000001\"", "\"Ola Nordmann\"")
                .replace("\"body\":{", "\"body\":{\"x\":1"),
        ])
        .await;
    let report = fixture.report(&fixture.scanner(&fixture.log)).await;
    assert_eq!(report.records.len(), 8);
    for record in report.records {
        let text = format!("{record:?}");
        assert!(
            !text.contains("Ola") && !text.contains("Nordmann"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn each_root_account_has_its_own_records() {
    let fixture = Fixture::new();
    let with_root_account = |member: &str| {
        let event = event("course_created", "\"name\":", "\"pace\":1,\"name\":");
        event.replacen("\"root_account_id\":\"70000000000001\"", member, 1)
    };
    fixture
        .append(
            &[
                with_root_account("\"root_account_id\":\"80000000000001\""),
                with_root_account("\"x\":1"),
                with_root_account(""),
            ]
            .map(|text| text.replace(",,", ",")),
        )
        .await;
    let report = fixture.report(&fixture.scanner(&fixture.log)).await;
    let mut accounts: Vec<_> = report
        .records
        .iter()
        .map(|record| (record.root_account(), record.path()))
        .collect();
    accounts.sort_unstable();
    assert_eq!(
        accounts,
        [
            (None, "/body/pace"),
            (None, "/metadata/root_account_id"),
            (None, "/metadata/x"),
            (Some("80000000000001"), "/body/pace"),
        ]
    );
}

#[tokio::test]
async fn a_null_does_not_hide_the_kind_of_a_field() {
    let fixture = Fixture::new();
    let with = |value: &str| {
        event(
            "course_created",
            "\"name\":",
            &format!("\"pace\":{value},\"name\":"),
        )
    };
    fixture
        .append(&[
            with("null"),
            with("null"),
            with("\"70000000000001\""),
            with("7"),
        ])
        .await;
    let report = fixture.report(&fixture.scanner(&fixture.log)).await;
    let lines: Vec<_> = report.records.iter().map(line).collect();
    assert_eq!(
        lines,
        ["course_created unknown_field /body/pace -→digits ×4"]
    );
    assert_eq!(report.records[0].example.value, "\"99999999999999\"");
}

#[tokio::test]
async fn a_missing_value_and_a_text_over_the_limit_are_drift() {
    let fixture = Fixture::new();
    let long = format!("\"body\":\"{}", "w".repeat(9000));
    fixture
        .append(&[
            event("course_created", "\"name\":\"Botany\"", "\"name\":null"),
            event("course_created", "\"name\":\"Botany\",", ""),
            event("wiki_page_created", "\"body\":\"", &long),
        ])
        .await;
    let report = fixture.report(&fixture.scanner(&fixture.log)).await;
    let lines: Vec<_> = report.records.iter().map(line).collect();
    for wanted in [
        "course_created no_value /body/name string→nothing ×2",
        "wiki_page_created longer_text /body/body string→string ×1",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{lines:?}");
    }
}
