//! Tests of commands that talk to a server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use tempfile::tempdir;

use crate::easel::{check, easel};
use crate::running::Running;

#[test]
fn without_a_server_the_error_says_how_to_start_or_name_one() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["tail"]), @r"
        exit 69
        --- stdout
        --- stderr
        error: no server is running on easel-data; start one with `easel serve`, or give its folder with --data or its address with --url
        ");
    check!(easel(folder.path(), &["tail", "--url", "http://127.0.0.1:1"]), @r"
        exit 69
        --- stdout
        --- stderr
        error: no server answers at http://127.0.0.1:1: Connection refused (os error 111)
        ");
    // With https, the exit code is the same.
    assert_eq!(
        easel(
            folder.path(),
            &["emit", "x", "--force", "--to", "https://127.0.0.1:1"]
        )
        .code,
        Some(69)
    );
}

#[test]
fn an_invalid_event_is_rejected_with_a_code() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    check!(running.easel(&["emit", "x", "--force", "--set", "metadata.event_time=noon"]), @r#"
        exit 65
        --- stdout
        --- stderr
        the catalogue has no event type "x"; sending only the fields of --set
        error: the event_time must be a timestamp like "[time]", at line 1, column 44 (/metadata/event_time) (bad_event_time)
        "#);
    running.easel(&["emit", "x", "--force"]).stdout();
    check!(running.easel(&["tail", "--event", "grade_chnage*"]), @r"
        exit 0
        --- stdout
        --- stderr
        warning: --event grade_chnage* matches no event type of the catalogue; did you mean grade_change?
        ");
    check!(running.easel(&["tail", "--event", ""]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: --event: an event glob must be 1 to 128 characters long, not "". (invalid_range)
        "#);
}

#[test]
fn tail_starts_at_the_given_position() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    for n in 0..12 {
        let event = ["course_created", "course_updated"][usize::from(n % 4 != 0)];
        running
            .easel(&["emit", event, "--set", &format!("uuid=\"{n}\"")])
            .stdout();
    }
    let numbers = |args: &[&str]| -> Vec<u64> {
        let stdout = running.easel(&[&["tail"], args].concat()).stdout();
        let events = stdout
            .lines()
            .map(serde_json::from_str::<serde_json::Value>);
        events
            .map(|event| {
                event.unwrap()["body"]["uuid"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect()
    };
    assert_eq!(numbers(&[]), (2..12).collect::<Vec<_>>());
    assert_eq!(numbers(&["-n", "3"]), [9, 10, 11]);
    assert_eq!(numbers(&["-n", "0"]), [0_u64; 0]);
    assert_eq!(numbers(&["-n", "2", "--event", "course_created"]), [4, 8]);
    assert_eq!(numbers(&["-n", "9", "--event", "*_cr*"]), [0, 4, 8]);
    assert_eq!(numbers(&["--from", "10"]), [10, 11]);
    assert_eq!(
        numbers(&["--from", "earliest"]),
        (0..12).collect::<Vec<_>>()
    );
    assert_eq!(numbers(&["--from", "latest"]), [0_u64; 0]);
    assert_eq!(numbers(&["--from", "1h"]), (0..12).collect::<Vec<_>>());
    assert_eq!(
        numbers(&["--from", "2020-01-01"]),
        (0..12).collect::<Vec<_>>()
    );
    assert_eq!(numbers(&["--from", "2100-01-01T00:00:00Z"]), [0_u64; 0]);
}

#[test]
fn a_subscription_can_be_managed() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    check!(running.easel(&["balance"]), @r"
        exit 0
        --- stdout
        --- stderr
        the log has 0 of 0 events, 0 in quarantine
        no subscriptions yet; add one with `easel subscriptions add`
        ");
    check!(running.easel(&[
        "subscriptions", "add", "grades", "--webhook", "http://127.0.0.1:1/hook",
        "--event", "grade_*", "--event", "submission_*", "--condition", "course=1",
        "--condition", "course=2", "--condition", "producer=canvas", "--in-flight", "4",
        "--timeout", "5s", "--start", "earliest",
    ]), @r"
        exit 0
        --- stdout
        --- stderr
        grades is active
        ");
    check!(running.easel(&["subscriptions", "add", "grades", "--webhook", "http://a/"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: subscription grades already exists (name_taken)
        ");
    check!(running.easel(&["subscriptions", "add", "b", "--webhook", "nonsense"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: subscription b: webhook.url: failed to parse the URL: it must begin with http:// or https:// (invalid_subscription)
        ");
    check!(running.easel(&[
        "subscriptions", "add", "b", "--webhook", "http://a/", "--timeout", "an hour",
        "--event", "cuorse_*",
    ]), @r#"
        exit 65
        --- stdout
        --- stderr
        warning: --event cuorse_* matches no event type of the catalogue
        error: --timeout: the timeout must be 1s to 5m, not "an hour". (invalid_subscription)
        "#);
    check!(running.easel(&[
        "subscriptions", "add", "b", "--webhook", "http://a/", "--condition", "cuorse=7",
    ]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: invalid value 'cuorse=7' for '--condition <KEY=VALUE>': the key "cuorse" is unknown; did you mean course? (keys: root_account, account, course, user, producer, context_type, assignment, associated_integration)

        For more information, try '--help'.
        "#);
    check!(running.easel(&["subscriptions", "pause", "grades"]), @r"
        exit 0
        --- stdout
        --- stderr
        grades is paused
        ");
    running.easel(&["emit", "course_created"]).stdout();
    check!(running.easel(&["subscriptions", "list"]), @r"
        exit 0
        --- stdout
        NAME    STATE   PENDING  EVENTS                DESTINATION
        grades  paused        1  grade_* submission_*  http://127.0.0.1:1/hook
        --- stderr
        ");
    check!(running.easel(&["subscriptions", "show", "grades"]), @r"
        exit 0
        --- stdout
        name        grades
        state       paused
        events      grade_* submission_*
        conditions  course=1|2 producer=canvas
        format      canvas
        masking     on
        webhook     http://127.0.0.1:1/hook
        guard       enforced
        signing     none
        login       none
        headers     none
        certificate none
        timeout     5s
        batch       1
        in flight   4
        max rate    none
        order       none
        retry       default, then dead_letter
        declared    api, [time]
        balance     1 accepted = 0 delivered + 0 filtered + 1 pending + 0 parked + 0
                    dead + 0 expired: adds up
        parked      0
        attempts    none in the last hour
        --- stderr
        ");
    check!(running.easel(&["balance"]), @r"
        exit 0
        --- stdout
        SUBSCRIPTION  ACCEPTED  DELIVERED  FILTERED  PENDING  PARKED  DEAD  EXPIRED
        grades               1          0         0        1       0     0        0
        --- stderr
        the log has 1 of 1 events, 0 in quarantine
        adds up: accepted = delivered + filtered + pending + parked + dead + expired
        ");
    check!(running.easel(&["subscriptions", "resume", "grades"]), @r"
        exit 0
        --- stdout
        --- stderr
        grades is active
        ");
    check!(running.easel(&["subscriptions", "remove", "grades"]), @r"
        exit 0
        --- stdout
        --- stderr
        removed grades
        ");
    check!(running.easel(&["subscriptions", "show", "grades"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: subscription "grades" does not exist (no_such_subscription)
        "#);
    check!(running.easel(&["balance", "grades"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: subscription "grades" does not exist (no_such_subscription)
        "#);
}

#[test]
fn a_subscription_of_the_file_changes_only_with_the_file() {
    let folder = tempdir().unwrap();
    let text = "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"http://127.0.0.1:1/\"\n";
    fs::write(folder.path().join("easel.toml"), text).unwrap();
    let running = Running::start(&folder.path().join("data"));
    check!(running.easel(&["subscriptions", "list"]), @r"
        exit 0
        --- stdout
        NAME    STATE   PENDING  EVENTS  DESTINATION
        grades  active        0  *       http://127.0.0.1:1/
        --- stderr
        ");
    check!(running.easel(&["subscriptions", "remove", "grades"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: subscription grades is declared in the configuration file; change it there (declared_in_file)
        ");
}

#[test]
fn quarantine_is_listed_shown_and_emptied() {
    let folder = tempdir().unwrap();
    let running = Running::start_with(&folder.path().join("data"), &["--auth", "none"], |_| ());
    check!(running.easel(&["quarantine", "list"]), @r"
        exit 0
        --- stdout
        OFFSET  RECEIVED  DOOR  CODE  REASON
        --- stderr
        0 in quarantine
        ");
    put_record(&running, "bm8gZXZlbnQ=");
    put_record(&running, "/w==");
    check!(running.easel(&["quarantine", "list"]), @r"
        exit 0
        --- stdout
        OFFSET  RECEIVED              DOOR     CODE      REASON
             0  [time]  kinesis  syntax    expected a value, found 'n', at
                                                         line 1, column 1
             1  [time]  kinesis  not_utf8  the bytes must be UTF-8, at
                                                         line 1, column 1
        --- stderr
        2 in quarantine
        ");
    check!(running.easel(&["quarantine", "show", "0"]), @r"
        exit 0
        --- stdout
        no event
        --- stderr
        ");
    check!(running.easel(&["quarantine", "show", "1"]), @r"
        exit 0
        --- stdout
        /w==
        --- stderr
        ");
    check!(running.easel(&["quarantine", "show", "7"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: there is no record at offset 7
        ");
    check!(running.easel(&["quarantine", "retry"]), @r"
        exit 0
        --- stdout
        --- stderr
        appended 0, already in the log 0, still invalid 2
        ");
    check!(running.easel(&["quarantine", "retry", "--json"]), @r#"
        exit 0
        --- stdout
        {"admitted":0,"duplicates":0,"kept":2}
        --- stderr
        "#);
    check!(running.easel(&["quarantine", "show", "0", "--json"]), @r#"
        exit 0
        --- stdout
        {"offset":0,"door":"kinesis","code":"syntax","detail":"expected a value, found 'n', at line 1, column 1","received_at":"[time]","data":"no event"}
        --- stderr
        "#);
    check!(running.easel(&["quarantine", "empty"]), @r"
        exit 0
        --- stdout
        --- stderr
        deleted 2 records
        ");
    check!(running.easel(&["quarantine", "list"]), @r"
        exit 0
        --- stdout
        OFFSET  RECEIVED  DOOR  CODE  REASON
        --- stderr
        0 in quarantine
        ");
}

/// Sends `data`, in base64, through the Kinesis door.
fn put_record(running: &Running, data: &str) {
    let body =
        serde_json::json!({ "StreamName": "live-events", "PartitionKey": "a", "Data": data });
    let body = body.to_string();
    let mut stream = TcpStream::connect(running.local().address).unwrap();
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: easel\r\nconnection: close\r\n\
         content-type: application/x-amz-json-1.1\r\nx-amz-target: Kinesis_20131202.PutRecord\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
