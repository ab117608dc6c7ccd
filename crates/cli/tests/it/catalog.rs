//! Tests of `easel catalog` and `easel check`, without a server.

use std::fs;
use std::process::Command;

use easel_testkit::report_missing;
use serde_json::Value;
use tempfile::tempdir;

use crate::easel::{Ran, check, command, easel, run_with_stdin};

const SCRIPT: &str = "tests/clients/schemas.py";

const BELL: &str = r#"
meaning = "A bell rang."
trigger = "Somebody rings it."

[body]
bell_id = { type = "id", scope = "local", about = "The bell.", example = "7" }
"#;

#[test]
fn an_event_type_has_a_page() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["catalog", "grade_change"]), @r#"
        exit 0
        --- stdout
        grade_change  grade, catalogue 2026.14
        A submission was graded, or its grade changed.

        TRIGGER
          A submission becomes graded, or its grade, score or excused status changes. Canvas also sends the
          event if the grade is posted or hidden, or if the points or the grading type of the assignment
          change. Automatically graded quizzes are included.

        NOTES
          - Context and root account in the metadata are those of the record, so events from jobs have them
            too.
          - Made from a change of the record `Submission`.
          - In Caliper: GradeEvent, Graded.

        BODY
          assignment_id        global id          Assignment that was graded.
          grade                string or null     Grade as displayed, in the grading scheme of the
                                                  assignment. (content)
          grader_id            global id or null  User who graded; null if Canvas graded automatically.
                                                  (direct identifier)
          grading_complete     boolean            Whether the work is completely graded. (content)
          muted                boolean            Whether the grade is still hidden from students.
          old_grade            string or null     Grade before the change. (content)
          old_points_possible  number or null     Maximum points before the change.
          old_score            number or null     Points before the change. (content)
          points_possible      number or null     Maximum points.
          score                number or null     Points. (content)
          student_id           global id          Student whose work was graded; always the same as
                                                  `user_id`. (direct identifier)
          student_sis_id       string or null     Id of the student in the student information system.
                                                  (direct identifier)
          submission_id        global id          The submission. (quasi-identifier)
          user_id              global id          Student whose work was graded. The metadata has the user
                                                  who graded it. (direct identifier)
          assignment_name      string             Title of the assignment, not truncated. Not in the
                                                  published documents. (content)

        METADATA
          - From a request: event_name, event_time, producer, root_account_id, root_account_uuid,
            root_account_lti_guid, context_type, context_id, context_account_id, context_sis_source_id,
            context_role, user_id, user_login, user_account_id, user_sis_id, real_user_id, time_zone,
            developer_key_id, request_id, session_id, hostname, http_method, user_agent, client_ip, url,
            referrer
          - From a job: event_name, event_time, producer, root_account_id, root_account_uuid,
            root_account_lti_guid, job_id, job_tag, context_type, context_id, context_account_id,
            context_sis_source_id

        EXAMPLE
          {
            "metadata": {
              "event_name": "grade_change",
              "event_time": "[time]",
              "producer": "canvas",
              "root_account_id": "70000000000001",
              "root_account_uuid": "tZ5mYw3QkVn8sLr2XbHd6cJfG9pA4uEe1oKi7yRq",
              "root_account_lti_guid": "tZ5mYw3QkVn8sLr2XbHd6cJfG9pA4uEe1oKi7yRq.lms.example.edu",
              "context_type": "Course",
              "context_id": "70000000000044",
              "context_account_id": "70000000000005",
              "context_sis_source_id": "2026-V-BIO1010",
              "context_role": "TeacherEnrollment",
              "user_id": "70000000000812",
              "user_login": "marit.sondergard",
              "user_account_id": "70000000000001",
              "user_sis_id": "E-0812",
              "time_zone": "Europe/Oslo",
              "request_id": "[id]",
              "session_id": "6f1b7c0e5d2a49838c11ab0f72d4e9b5",
              "hostname": "lms.example.edu",
              "http_method": "PUT",
              "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
              "client_ip": "192.0.2.17",
              "url": "https://lms.example.edu/api/v1/courses/44",
              "referrer": "https://lms.example.edu/courses/44"
            },
            "body": {
              "assignment_id": "70000000000009",
              "grade": "B+",
              "grader_id": "70000000000812",
              "grading_complete": true,
              "muted": false,
              "old_grade": "C",
              "old_points_possible": 10,
              "old_score": 6,
              "points_possible": 10,
              "score": 8.5,
              "student_id": "70000000000031",
              "student_sis_id": "S-20417",
              "submission_id": "70000000000233",
              "user_id": "70000000000031",
              "assignment_name": "Cell division"
            }
          }
        --- stderr
        "#);
    check!(easel(folder.path(), &["catalog", "course_completed"]), @r#"
        exit 0
        --- stdout
        course_completed  course, catalogue 2026.14
        A student met every module requirement of a course.

        TRIGGER
          A student meets the last open requirement, or the completion time is set or changed. A job sends
          the event two minutes later, at most once per student and course.

        NOTES
          - Name and e-mail address of the student are in the body.
          - The ids are local.
          - Made from the action `course_progress`.

        BODY
          course                                object             The course.
          course.account_id                     local id           Account of the course.
          course.id                             local id           The course.
          course.name                           string             Name of the course.
          course.sis_source_id                  string or null     Id of the course in the student
                                                                   information system.
          progress                              object             Progress of the student.
          progress.error                        object             Reason why no progress is sent. It is
                                                                   then the only field in `progress`. Only
                                                                   if the user is not a student of the
                                                                   course, or the course has no
                                                                   requirements. Not in the published
                                                                   documents.
          progress.error.message                string             Error text in English. Only if there is
                                                                   an `error`. Not in the published
                                                                   documents.
          progress.completed_at                 timestamp or null  When the last requirement was met; null
                                                                   before that. Only if there is no `error`.
                                                                   (quasi-identifier)
          progress.next_requirement_url         string or null     URL of the next module item. Optional
                                                                   items can remain after completion. Only
                                                                   if there is no `error`.
          progress.requirement_completed_count  integer            Number of requirements met. Only if there
                                                                   is no `error`. (quasi-identifier)
          progress.requirement_count            integer            Number of requirements. Only if there is
                                                                   no `error`.
          user                                  object             The student. (direct identifier)
          user.email                            string or null     E-mail address. If the user has no
                                                                   address, null is sent. (direct
                                                                   identifier)
          user.id                               local id           The student. (direct identifier)
          user.name                             string             Name. (direct identifier)

        METADATA
          - From a request: event_name, event_time, producer, root_account_id, root_account_uuid,
            root_account_lti_guid, context_type, context_id, context_account_id, context_sis_source_id,
            context_role, user_id, user_login, user_account_id, user_sis_id, real_user_id, time_zone,
            developer_key_id, request_id, session_id, hostname, http_method, user_agent, client_ip, url,
            referrer
          - From a job: event_name, event_time, producer, root_account_id, root_account_uuid,
            root_account_lti_guid, job_id, job_tag

        EXAMPLE
          {
            "metadata": {
              "event_name": "course_completed",
              "event_time": "[time]",
              "producer": "canvas",
              "root_account_id": "70000000000001",
              "root_account_uuid": "tZ5mYw3QkVn8sLr2XbHd6cJfG9pA4uEe1oKi7yRq",
              "root_account_lti_guid": "tZ5mYw3QkVn8sLr2XbHd6cJfG9pA4uEe1oKi7yRq.lms.example.edu",
              "context_type": "Course",
              "context_id": "70000000000044",
              "context_account_id": "70000000000005",
              "context_sis_source_id": "2026-V-BIO1010",
              "context_role": "TeacherEnrollment",
              "user_id": "70000000000812",
              "user_login": "marit.sondergard",
              "user_account_id": "70000000000001",
              "user_sis_id": "E-0812",
              "time_zone": "Europe/Oslo",
              "request_id": "[id]",
              "session_id": "6f1b7c0e5d2a49838c11ab0f72d4e9b5",
              "hostname": "lms.example.edu",
              "http_method": "PUT",
              "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
              "client_ip": "192.0.2.17",
              "url": "https://lms.example.edu/api/v1/courses/44",
              "referrer": "https://lms.example.edu/courses/44"
            },
            "body": {
              "course": {
                "account_id": "5",
                "id": "44",
                "name": "Botany",
                "sis_source_id": "2026-V-BIO1010"
              },
              "progress": {
                "completed_at": "[time]",
                "next_requirement_url": "https://lms.example.edu/courses/44/modules/items/415",
                "requirement_completed_count": 6,
                "requirement_count": 6
              },
              "user": {
                "email": "ola.nordmann@example.edu",
                "id": "31",
                "name": "Ola Nordmann"
              }
            }
          }
        --- stderr
        "#);
}

#[test]
fn the_page_of_an_event_type_known_only_from_columns_says_so() {
    let folder = tempdir().unwrap();
    let page = easel(folder.path(), &["catalog", "quizzes.qti_import_completed"]).stdout();
    assert!(
        page.lines()
            .next()
            .unwrap()
            .ends_with(", known only from columns"),
        "{page}"
    );
    for text in [
        "\n  What makes New Quizzes send it is not documented.\n",
        " Easel does not validate the body.\n",
        "\nMETADATA\n  - Always: event_name, event_time\n",
    ] {
        assert!(page.contains(text), "{text:?} is not in: {page}");
    }
}

#[test]
fn event_types_are_listed_by_glob() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["catalog", "*wiki*"]), @r"
        exit 0
        --- stdout
        CATEGORY  EVENT TYPE         MEANING
        wiki      wiki_page_created  A new page.
        wiki      wiki_page_deleted  A page was deleted.
        wiki      wiki_page_updated  A page changed.
        --- stderr
        3 event types, catalogue 2026.14; for details run `easel catalog NAME`
        ");
    check!(easel(folder.path(), &["catalog", "grade_chang"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: the catalogue has no event type "grade_chang"; did you mean grade_change?
        "#);
    check!(easel(folder.path(), &["catalog", "x*"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: the catalogue has no event type "x*"
        "#);
    let all = easel(folder.path(), &["catalog", "--json"]).stdout();
    let all: Value = serde_json::from_str(&all).unwrap();
    let count = easel_catalog::Catalog::built_in().types().len();
    assert_eq!(all["event_types"].as_array().unwrap().len(), count);
}

#[test]
fn schemas_and_the_asyncapi_document_are_printed() {
    let folder = tempdir().unwrap();
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&easel(folder.path(), args).stdout()).unwrap()
    };
    let schema = json(&["catalog", "logged_in", "--schema"]);
    assert_eq!(schema["$id"], "urn:easel:canvas:logged_in");
    assert_eq!(json(&["catalog", "logged_*", "--schema"])[0], schema);
    assert_eq!(json(&["catalog", "--asyncapi"])["asyncapi"], "3.0.0");
    assert_eq!(
        json(&["catalog", "logged_in", "--json"])["category"],
        "logged"
    );
}

#[test]
fn own_event_types_are_loaded_from_the_folder_in_the_settings() {
    let folder = tempdir().unwrap();
    fs::create_dir_all(folder.path().join("own/school")).unwrap();
    let file = folder.path().join("own/school/bell_rang.toml");
    fs::write(&file, BELL).unwrap();
    fs::write(
        folder.path().join("easel.toml"),
        "[catalog]\nfolder = \"own\"\n",
    )
    .unwrap();
    check!(easel(folder.path(), &["catalog", "bell_*"]), @r"
        exit 0
        --- stdout
        CATEGORY  EVENT TYPE  MEANING
        school    bell_rang   A bell rang.
        --- stderr
        1 event type, catalogue 2026.14; for details run `easel catalog NAME`
        ");

    fs::write(&file, BELL.replace("local", "lokal")).unwrap();
    for args in [
        &["catalog"][..],
        &["check"],
        &["config", "check"],
        &["serve"],
        &["emit", "x", "--force"],
    ] {
        let ran = easel(folder.path(), args);
        assert_eq!(ran.code, Some(78), "{ran}");
        assert!(ran.stderr.contains("school/bell_rang.toml:6:34: "), "{ran}");
    }
    fs::write(
        folder.path().join("easel.toml"),
        "[catalog]\nfolder = \"gone\"\n",
    )
    .unwrap();
    check!(easel(folder.path(), &["catalog"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to read gone: No such file or directory (os error 2)
        ");
}

/// Runs `easel check` with `text` as stdin.
fn check_stdin(args: &[&str], text: impl AsRef<[u8]>) -> Ran {
    let folder = tempdir().unwrap();
    let mut command = command(folder.path(), &[&["check"], args].concat());
    run_with_stdin(&mut command, text)
}

const EVENTS: &str = r#"{"metadata":{"event_name":"logged_out","event_time":"2026-02-11T08:15:42Z"},"body":{}}
{"metadata":{"event_name":"wiki_page_deleted","event_time":"2026-02-11T08:15:42Z"},"body":{"title":7,"wiki_page_id":"1"}}

{"metadata":{"event_name":"logged_out","event_time":"2026-02-11T08:15:42Z"},"body":{"x":1}} {}
{"metadata":{"event_name":"bell\u001b[1m","event_time":"2026-02-11T08:15:42Z"},"body":{}}
[{"metadata":{"event_name":"logged_out","event_time":"2026-02-11T08:15:42Z"},"body":{}},{"body":{}}]
"#;

#[test]
fn findings_are_printed_with_lines_and_a_summary() {
    check!(check_stdin(&[], EVENTS), @r"
        exit 65
        --- stdout
        stdin:2: wiki_page_deleted /body/title wrong_type: expected string, found integer
        stdin:4: invalid event: there must be no data after the JSON value
        stdin:5: bell\u{1b}[1m unknown_event_type: the event type is unknown
        stdin:6: invalid event: the event has no metadata
        EVENT TYPE         EVENTS  WITH FINDINGS  FINDINGS
        bell\u{1b}[1m           1              1         1
        logged_out              2              0         0
        wiki_page_deleted       1              1         1
        total                   4              2         2
        --- stderr
        error: events with findings: 2, invalid events: 2
        ");
    check!(check_stdin(&["--summary"], EVENTS), @r"
        exit 65
        --- stdout
        EVENT TYPE         EVENTS  WITH FINDINGS  FINDINGS
        bell\u{1b}[1m           1              1         1
        logged_out              2              0         0
        wiki_page_deleted       1              1         1
        total                   4              2         2
        --- stderr
        error: events with findings: 2, invalid events: 2
        ");
    check!(check_stdin(&["--json", "-"], EVENTS), @r#"
        exit 65
        --- stdout
        {"file":"stdin","line":2,"event":"wiki_page_deleted","rule":"wrong_type","path":"/body/title","found":"integer","detail":"expected string, found integer"}
        {"file":"stdin","line":4,"event":null,"rule":"trailing_data","path":"","detail":"there must be no data after the JSON value"}
        {"file":"stdin","line":5,"event":"bell\u001b[1m","rule":"unknown_event_type","path":"","found":"nothing","detail":"the event type is unknown"}
        {"file":"stdin","line":6,"event":null,"rule":"missing_metadata","path":"","detail":"the event has no metadata"}
        {"summary":{"event_types":{"bell\u001b[1m":{"events":1,"flawed":1,"findings":1},"logged_out":{"events":2,"flawed":0,"findings":0},"wiki_page_deleted":{"events":1,"flawed":1,"findings":1}},"total":{"events":4,"flawed":2,"findings":2},"no_events":2}}
        --- stderr
        error: events with findings: 2, invalid events: 2
        "#);
    check!(check_stdin(&[], EVENTS.lines().next().unwrap()), @r"
        exit 0
        --- stdout
        EVENT TYPE  EVENTS  WITH FINDINGS  FINDINGS
        logged_out       1              0         0
        total            1              0         0
        --- stderr
        ");
    check!(check_stdin(&[], ""), @r"
        exit 0
        --- stdout
        EVENT TYPE  EVENTS  WITH FINDINGS  FINDINGS
        total            0              0         0
        --- stderr
        ");
}

#[test]
fn a_finding_in_an_event_of_many_lines_has_the_line_of_its_value() {
    let folder = tempdir().unwrap();
    let event = r#"{"metadata":{"event_name":"wiki_page_deleted","event_time":"2026-02-11T08:15:42Z"},"body":{"title":7,"wiki_page_id":"1"}}"#;
    let event: Value = serde_json::from_str(event).unwrap();
    fs::write(
        folder.path().join("one.json"),
        format!("{event:#}\n{event:#}"),
    )
    .unwrap();
    fs::write(
        folder.path().join("many.json"),
        format!("[\n{event:#},\n{event}]"),
    )
    .unwrap();
    check!(easel(folder.path(), &["check", "one.json", "many.json"]), @r"
        exit 65
        --- stdout
        one.json:7: wiki_page_deleted /body/title wrong_type: expected string, found integer
        one.json:17: wiki_page_deleted /body/title wrong_type: expected string, found integer
        many.json:8: wiki_page_deleted /body/title wrong_type: expected string, found integer
        many.json:12: wiki_page_deleted /body/title wrong_type: expected string, found integer
        EVENT TYPE         EVENTS  WITH FINDINGS  FINDINGS
        wiki_page_deleted       4              4         4
        total                   4              4         4
        --- stderr
        error: events with findings: 4
        ");
    check!(easel(folder.path(), &["check", "none.json"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: failed to read none.json: No such file or directory (os error 2)
        ");
}

#[test]
fn a_value_that_does_not_end_within_64_mib_is_rejected() {
    let folder = tempdir().unwrap();
    let text = format!("\n{{\"a\":\"{}", "x".repeat(70 << 20));
    fs::write(folder.path().join("endless.json"), text).unwrap();
    check!(easel(folder.path(), &["check", "endless.json"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: endless.json:2: the value that begins here does not end within 64 MiB
        ");
}

/// Validates the schemas with another implementation.
#[test]
fn a_python_validator_accepts_every_schema_and_example() {
    let Some(python) = std::env::var_os("EASEL_TEST_PYTHON") else {
        report_missing("the schemas in Python; scripts/test installs a validator");
        return;
    };
    let output = Command::new(python)
        .arg(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT))
        .arg(env!("CARGO_BIN_EXE_easel"))
        // Remove the variables of the tests, which are not settings.
        .env_clear()
        .output()
        .unwrap();
    let ran = Ran::new(&output);
    assert_eq!(ran.code, Some(0), "{ran}");
    let count = easel_catalog::Catalog::built_in().types().len();
    assert_eq!(
        ran.stdout,
        format!("{count} schemas accepted their examples and rejected {count} invalid examples\n")
    );
}
