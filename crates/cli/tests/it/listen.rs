//! Tests of `easel listen`.

use easel_testkit::{Received, Receiver};
use http::StatusCode;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::{check, easel};
use crate::listener::Listener;
use crate::running::Running;

/// A URL without a server.
const NOBODY: &str = "http://127.0.0.1:1";

/// Emits an event with a number in its body.
fn emit(running: &Running, event_type: &str, n: u64) {
    let field = format!("n={n}");
    running
        .easel(&["emit", event_type, "--force", "--set", &field])
        .stdout();
}

/// Returns the number in the body of each received event.
fn numbers(received: &[Received]) -> Vec<u64> {
    let number = |request: &Received| {
        let event: Value = serde_json::from_slice(&request.body).unwrap();
        event["body"]["n"].as_u64().unwrap()
    };
    received.iter().map(number).collect()
}

/// Removes the values that differ between two deliveries of one event: name of the subscription,
/// receiver, and time of the attempt.
fn comparable(mut request: Received) -> Received {
    for name in ["easel-subscription", "host", "webhook-timestamp"] {
        assert!(request.headers.remove(name).is_some(), "{name}");
    }
    let envelope: Value = serde_json::from_slice(&request.body).unwrap();
    if let Some(time) = envelope["sendTime"].as_str() {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let (before, after) = body.split_once(time).unwrap();
        request.body = format!("{before}[time]{after}").into();
    }
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_gets_the_same_request_as_a_webhook_subscription() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let caller = Caller::new(&running);
    for format in ["canvas", "caliper", "caliper-strict"] {
        let (subscriber, consumer) = (Receiver::start().await, Receiver::start().await);
        let more = format!(r#""format":"{format}","#);
        caller.subscribe(format, &more, &subscriber.url()).await;
        let listener = Listener::start(&running, &consumer.url(), &["--format", format]);
        for event_type in ["grade_change", "course_created", "submission_created"] {
            running.easel(&["emit", event_type]).stdout();
        }
        let forwarded = consumer.wait_for(3).await;
        assert_eq!(forwarded[0].header("easel-subscription"), "listen");
        let has_version = forwarded[0].headers.contains_key("easel-mapper-version");
        assert_eq!(has_version, format != "canvas");
        // A subscription does not guarantee the order.
        let sorted = |requests: Vec<Received>| {
            let mut requests: Vec<_> = requests.into_iter().map(comparable).collect();
            requests.sort_by_key(|request| request.header("webhook-id").to_owned());
            requests
        };
        let delivered = subscriber.wait_for(3).await;
        assert_eq!(sorted(forwarded), sorted(delivered), "{format}");
        drop(listener);
        caller.settled(format).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_attempt_is_printed_and_the_next_event_follows() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let consumer = Receiver::start().await;
    consumer.answer_with(|request| match request.header("easel-event-name") {
        "bad" => StatusCode::UNPROCESSABLE_ENTITY,
        "moved" => StatusCode::FOUND,
        _ => StatusCode::OK,
    });
    consumer.set_body("no such course\nat line 7");
    let listener = Listener::start(&running, &consumer.url(), &[]);
    emit(&running, "bad", 0);
    assert_eq!(listener.answer(), "bad -> 422 ms: no such course");
    emit(&running, "moved", 1);
    emit(&running, "good", 2);
    assert_eq!(listener.answer(), "moved -> 302 ms: no such course");
    assert_eq!(listener.answer(), "good -> 200 ms");
    assert_eq!(
        numbers(&consumer.received()),
        [0, 1, 2],
        "each was sent once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_consumer_is_reported_and_can_get_the_event_later() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let consumer = Receiver::start().await;
    consumer.take_down().await;
    let mut listener = Listener::start(&running, &consumer.url(), &[]);
    emit(&running, "x", 0);
    let line = listener.line();
    assert!(line.contains("#0 "), "{line}");
    assert!(line.contains("-> no answer after "), "{line}");
    assert!(line.contains("Connection refused"), "{line}");
    consumer.bring_up().await;
    listener.type_in("r\n");
    assert_eq!(listener.answer(), "x -> 200 ms (attempt 2)");
    assert_eq!(consumer.received()[0].header("easel-attempt"), "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_sends_the_last_event_again_and_the_end_of_the_input_changes_nothing() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let consumer = Receiver::start().await;
    let mut listener = Listener::start(&running, &consumer.url(), &[]);
    listener.type_in("r\n");
    listener.wait_for("there is no event to send again yet");
    emit(&running, "x", 0);
    assert_eq!(listener.answer(), "x -> 200 ms");
    listener.type_in("r\nr\n");
    assert_eq!(listener.answer(), "x -> 200 ms (attempt 2)");
    assert_eq!(listener.answer(), "x -> 200 ms (attempt 3)");
    listener.type_in("again\n");
    listener.wait_for("r sends the last event again, q quits");
    listener.close_stdin();
    emit(&running, "x", 1);
    assert_eq!(listener.answer(), "x -> 200 ms");

    let received = consumer.received();
    let attempts: Vec<_> = received
        .iter()
        .map(|request| request.header("easel-attempt"))
        .collect();
    assert_eq!(attempts, ["1", "2", "3", "1"]);
    let ids: Vec<_> = received
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    assert_eq!([ids[1], ids[2]], [ids[0], ids[0]]);
    assert_ne!(ids[3], ids[0]);
    assert_eq!(received[1].body, received[0].body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_gets_only_matching_events_from_the_start_position() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    (0..3).for_each(|n| emit(&running, "wanted", n));
    let consumer = Receiver::start().await;
    let args = ["--event", "want*", "--from", "1"];
    let listener = Listener::start(&running, &consumer.url(), &args);
    emit(&running, "other", 3);
    emit(&running, "wanted", 4);
    for _ in 0..3 {
        assert_eq!(listener.answer(), "wanted -> 200 ms");
    }
    assert_eq!(numbers(&consumer.received()), [1, 2, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_type_without_a_caliper_form_is_skipped_and_reported_once() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let consumer = Receiver::start().await;
    let listener = Listener::start(&running, &consumer.url(), &["--format", "caliper"]);
    emit(&running, "homemade", 0);
    emit(&running, "homemade", 1);
    running.easel(&["emit", "grade_change"]).stdout();
    assert_eq!(listener.answer(), "grade_change -> 200 ms");
    let line = listener.wait_for("homemade");
    assert_eq!(line, "homemade has no Caliper form; its events are skipped");
    emit(&running, "other", 3);
    assert!(listener.wait_for("skipped").starts_with("other "));
    assert_eq!(consumer.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_survives_a_server_restart_and_misses_nothing() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Running::start(&data);
    let consumer = Receiver::start().await;
    let mut listener = Listener::start(&running, &consumer.url(), &[]);
    emit(&running, "x", 0);
    assert_eq!(listener.answer(), "x -> 200 ms");
    running.kill();
    listener.wait_for("retrying");
    listener.type_in("r\n");
    assert_eq!(listener.answer(), "x -> 200 ms (attempt 2)");

    let running = Running::start(&data);
    emit(&running, "x", 1);
    emit(&running, "x", 2);
    assert_eq!(listener.answer(), "x -> 200 ms");
    assert_eq!(listener.answer(), "x -> 200 ms");
    assert_eq!(numbers(&consumer.received()), [0, 0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_starts_at_latest_misses_no_event_while_the_server_is_down() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Running::start(&data);
    emit(&running, "x", 0);
    let consumer = Receiver::start().await;
    let listener = Listener::start(&running, &consumer.url(), &[]);
    running.kill();
    // Emitted before the listener has reconnected.
    let running = Running::start(&data);
    emit(&running, "x", 1);
    assert_eq!(listener.answer(), "x -> 200 ms");
    assert_eq!(numbers(&consumer.received()), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_quits_with_success_even_while_its_consumer_hangs() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let consumer = Receiver::start().await;
    let start = || Listener::start(&running, &consumer.url(), &[]);
    for signal in ["-INT", "-TERM"] {
        let listener = start();
        listener.signal(signal);
        assert_eq!(listener.status().code(), Some(0), "{signal}");
    }
    consumer.hang(true);
    let mut listener = start();
    emit(&running, "x", 0);
    consumer.wait_for(1).await;
    listener.type_in("q\n");
    assert_eq!(listener.status().code(), Some(0));
    let listener = start();
    emit(&running, "x", 1);
    consumer.wait_for(2).await;
    listener.signal("-INT");
    assert_eq!(listener.status().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_output_has_an_object_per_answer_and_the_event_with_print() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let consumer = Receiver::start().await;
    consumer.set_status(StatusCode::BAD_REQUEST);
    consumer.set_body("why");
    let mut listener = Listener::start(&running, &consumer.url(), &["--json", "--print"]);
    emit(&running, "x", 7);
    let mut answer: Value = serde_json::from_str(&listener.line()).unwrap();
    let event = answer["event"].take();
    assert_eq!(event["body"]["n"], 7);
    let sent: Value = serde_json::from_slice(&consumer.received()[0].body).unwrap();
    assert_eq!(event, sent);
    assert!(answer["duration_ms"].take().is_u64());
    assert!(answer["attempted_at"].take().is_string());
    let id = answer["id"].take();
    assert_eq!(id, consumer.received()[0].header("webhook-id"));
    assert_eq!(
        answer,
        json!({
            "attempted_at": null, "event_type": "x", "offset": 0, "id": null, "attempt": 1,
            "delivered": false, "status": 400, "error": "send: the endpoint answered 400",
            "duration_ms": null, "body": "why", "event": null
        })
    );
    consumer.take_down().await;
    listener.type_in("r\n");
    let answer: Value = serde_json::from_str(&listener.line()).unwrap();
    assert_eq!(answer["status"], Value::Null);
    assert_eq!(answer["attempt"], 2);

    let listener = Listener::start(&running, &consumer.url(), &["--print", "--from", "0"]);
    let line = listener.line();
    assert!(line.contains("  x  ") && line.contains("#0"), "{line}");
    assert_eq!(listener.line().as_bytes(), consumer.received()[0].body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_in_the_urls_of_events_are_neither_sent_nor_printed_unless_masking_is_off() {
    let folder = tempdir().unwrap();
    let settings = folder.path().join("easel.toml");
    std::fs::write(settings, "masking.names = [\"api_key\"]").unwrap();
    let running = Running::start(&folder.path().join("data"));
    let mut event: Value =
        serde_json::from_slice(&easel_testkit::event("grade_change", 1)).unwrap();
    let url = "https://a.example/?access_token=s3cret-1&api_key=s3cret-2&page=3";
    event["metadata"]["url"] = url.into();
    event["metadata"]["referrer"] = url.into();
    let caller = Caller::new(&running);
    let sent = caller.post_events("application/json", event.to_string());
    sent.await.unwrap().accepted();
    for (args, is_masked) in [
        (&[][..], true),
        (&["--masking", "on", "--json"], true),
        (&["--masking", "off"], false),
        (&["--format", "caliper"], true),
        (&["--format", "caliper", "--masking", "off"], false),
    ] {
        let consumer = Receiver::start().await;
        let args = [&["--from", "0", "--event", "grade_*", "--print"], args].concat();
        let listener = Listener::start(&running, &consumer.url(), &args);
        let mut printed = listener.line();
        if !args.contains(&"--json") {
            printed = listener.line();
        }
        let sent = consumer.wait_for(1).await.remove(0).body;
        let sent = String::from_utf8(sent.to_vec()).unwrap();
        for text in [printed, sent] {
            assert!(text.contains("page=3"), "{text}");
            for secret in ["s3cret-1", "s3cret-2"] {
                assert_eq!(text.contains(secret), !is_masked, "{text}");
            }
        }
    }
}

#[test]
fn invalid_arguments_are_rejected_with_a_reason() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    check!(easel(folder.path(), &["listen"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: the following required arguments were not provided:
          --forward <URL>

        Usage: easel listen --forward <URL>

        For more information, try '--help'.
        ");
    check!(easel(folder.path(), &["listen", "--forward", "localhost:3000"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: invalid value 'localhost:3000' for '--forward <URL>': failed to parse the URL: its scheme must be http or https; use an address such as http://localhost:3000

        For more information, try '--help'.
        ");
    check!(easel(folder.path(), &["listen", "--forward", "http://localhost:3000"]), @r"
        exit 69
        --- stdout
        --- stderr
        error: no server is running on easel-data; start one with `easel serve`, or give its folder with --data or its address with --url
        ");
    check!(running.easel(&["listen", "--forward", NOBODY, "--event", ""]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: --event: an event glob must be 1 to 128 characters long, not "". (invalid_range)
        "#);
    let ran = running.easel(&["tokens", "create", "sender", "--scope", "ingest", "--json"]);
    let made: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let token = made["token"].as_str().unwrap();
    check!(running.easel(&["listen", "--forward", NOBODY, "--token", token]), @r"
        exit 78
        --- stdout
        --- stderr
        error: This token lacks the scope `read`. (scope_missing)
        ");
}

#[test]
fn a_glob_that_matches_nothing_is_a_warning() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    for (args, wanted) in [
        (
            &["--event", "grade_chnage"][..],
            "warning: --event grade_chnage matches no event type of the catalogue; did you mean \
             grade_change?",
        ),
        (
            &["--event", "grade_override", "--format", "caliper"],
            "warning: --event grade_override matches no event type that has a Caliper form",
        ),
    ] {
        let listener = Listener::start(&running, NOBODY, args);
        assert_eq!(listener.start_lines()[0], wanted);
    }
}
