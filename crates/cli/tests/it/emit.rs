//! Tests of `easel emit`.

use std::collections::BTreeSet;

use easel_catalog::{Catalog, EventOrigin, Limits, admit, parse_timestamp};
use easel_testkit::Receiver;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::check;
use crate::running::Running;

#[test]
fn an_emitted_event_can_be_read_back() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    check!(running.easel(&["emit", "logged_out", "--job", "--set", "metadata.producer=null"]), @r"
        exit 0
        --- stdout
        accepted [id] at offset 0
        --- stderr
        warning: --set metadata.producer: the value must not be null
        ");
    check!(running.easel(&["emit", "grade_change", "--json"]), @r#"
        exit 0
        --- stdout
        {"accepted":1,"duplicates":0,"rejected":0,"results":[{"status":"accepted","id":"[id]","offset":1}]}
        --- stderr
        "#);
    check!(running.easel(&["emit", "bell_rang", "--force", "--set", "name=Botany", "--set", "a.b=7"]), @r#"
        exit 0
        --- stdout
        accepted [id] at offset 2
        --- stderr
        the catalogue has no event type "bell_rang"; sending only the fields of --set
        "#);
    check!(running.easel(&["tail", "--event", "logged_*"]), @r#"
        exit 0
        --- stdout
        {"metadata":{"event_name":"logged_out","event_time":"[time]","producer":null,"root_account_id":"70000000000001","root_account_uuid":"tZ5mYw3QkVn8sLr2XbHd6cJfG9pA4uEe1oKi7yRq","root_account_lti_guid":"tZ5mYw3QkVn8sLr2XbHd6cJfG9pA4uEe1oKi7yRq.lms.example.edu","job_id":"70000000551044","job_tag":"SisBatch#process_without_send_later"},"body":{}}
        --- stderr
        "#);
    check!(running.easel(&["tail", "-n", "1"]), @r#"
        exit 0
        --- stdout
        {"metadata":{"event_name":"bell_rang","event_time":"[time]"},"body":{"name":"Botany","a":{"b":7}}}
        --- stderr
        "#);
    check!(running.easel(&["tail", "--event", "bell_*", "--json"]), @r#"
        exit 0
        --- stdout
        {"offset":2,"id":"[id]","event_type":"bell_rang","appended_at":"[time]","event":{"metadata":{"event_name":"bell_rang","event_time":"[time]"},"body":{"name":"Botany","a":{"b":7}}}}
        --- stderr
        warning: --event bell_* matches no event type of the catalogue
        "#);
    check!(running.easel(&["emit", "bell_rang", "--set", "name=Botany"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: the catalogue has no event type "bell_rang" (--force sends it anyway)
        "#);
}

#[test]
fn a_typo_in_an_event_type_or_a_field_is_rejected_with_the_nearest_name() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    check!(running.easel(&["emit", "grade_chnage"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: the catalogue has no event type "grade_chnage"; did you mean grade_change? (--force sends it anyway)
        "#);
    check!(running.easel(&["emit", "grade_change", "--set", "scroe=9"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: --set scroe: unknown field of grade_change; did you mean score? (--force sends it anyway)
        ");
    check!(running.easel(&["emit", "grade_change", "--set", "metadata.user_di=9"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: --set metadata.user_di: unknown field of grade_change; did you mean metadata.user_id? (--force sends it anyway)
        ");
    check!(running.easel(&["emit", "quiz_submitted", "--set", "a.b=9"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: --set a.b: unknown field of quiz_submitted (--force sends it anyway)
        ");
    assert_eq!(running.easel(&["tail"]).stdout(), "", "nothing was sent");

    check!(running.easel(&["emit", "grade_change", "--set", "score=many"]), @r"
        exit 0
        --- stdout
        accepted [id] at offset 0
        --- stderr
        warning: --set score: expected number, found string
        ");
    check!(running.easel(&["emit", "grade_change", "--force", "--set", "scroe=9"]), @r"
        exit 0
        --- stdout
        accepted [id] at offset 1
        --- stderr
        warning: --set scroe: unknown field of grade_change; did you mean score?
        ");
    assert_eq!(running.easel(&["tail"]).stdout().lines().count(), 2);
}

#[test]
fn a_second_run_sends_no_duplicates_and_no_event_is_in_the_future() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let emit = || {
        running
            .easel(&["emit", "logged_in", "--count", "700"])
            .stdout()
    };
    for stdout in [emit(), emit()] {
        assert_eq!(
            stdout
                .lines()
                .filter(|line| line.starts_with("accepted "))
                .count(),
            700
        );
    }
    let shown = running
        .easel(&["tail", "--from", "earliest", "--json"])
        .stdout();
    let mut times = BTreeSet::new();
    for line in shown.lines() {
        let stored: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let occurred_at = text(&stored["event"]["metadata"]["event_time"]);
        let occurred_at = parse_timestamp(&occurred_at).unwrap();
        let appended_at: Timestamp = text(&stored["appended_at"]).parse().unwrap();
        assert!(occurred_at <= appended_at, "{line}");
        times.insert(occurred_at);
    }
    assert_eq!(times.len(), 1400);
}

#[test]
fn many_events_are_distinct_and_all_stored() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let stdout = running
        .easel(&["emit", "logged_in", "--count", "1201"])
        .stdout();
    let offsets: Vec<_> = stdout
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
        .collect();
    assert_eq!(
        offsets,
        (0..1201).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    assert!(
        stdout.lines().all(|line| line.starts_with("accepted ")),
        "{stdout}"
    );
    check!(running.easel(&["emit", "logged_in", "--count", "0"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: invalid value '0' for '--count <N>': 0 is not in 1..=4294967295

        For more information, try '--help'.
        ");
}

/// Sends every event type, from a request and from a job, from the command to a webhook.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_every_event_type_arrives_as_the_catalogue_gives_it() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let (caller, receiver) = (Caller::new(&running), Receiver::start().await);
    caller.subscribe("every", "", &receiver.url()).await;
    let catalog = Catalog::built_in();
    let origins = [
        ("--request", EventOrigin::Request),
        ("--job", EventOrigin::Job),
    ];
    for event_type in catalog.types() {
        for (flag, _) in origins {
            running.easel(&["emit", event_type.name, flag]).stdout();
        }
    }
    let received = receiver.wait_for(2 * catalog.types().len()).await;
    let mut arrived = BTreeSet::new();
    for request in received {
        let event = admit(&request.body, &Limits::default()).unwrap();
        let event_type = catalog.get(&event.event_type).unwrap();
        catalog.check(event_type.name, &request.body, |finding| {
            panic!("{}: {finding}", event_type.name)
        });
        for (flag, origin) in origins {
            if catalog.example(event_type, origin, event.occurred_at) == request.body {
                arrived.insert((event_type.name, flag));
            }
        }
    }
    let types = catalog.types().iter();
    let wanted = types.flat_map(|event_type| origins.map(|(flag, _)| (event_type.name, flag)));
    assert_eq!(arrived, wanted.collect());
    assert_eq!(
        caller.settled("every").await.delivered,
        2 * u64::try_from(catalog.types().len()).unwrap()
    );
}
