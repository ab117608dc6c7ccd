//! Tests of `easel subscriptions`.

use std::fs;

use easel_testkit::Receiver;
use http::StatusCode;
use serde_json::Value;
use tempfile::tempdir;

use crate::easel::{Ran, check, command, run_with_stdin};
use crate::running::Running;

/// A secret of Standard Webhooks.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";

fn add(running: &Running, url: &str) {
    let args = ["subscriptions", "add", "grades", "--webhook", url];
    let more = ["--event", "grade_*", "--condition", "course=1"];
    running.easel(&[&args[..], &more].concat()).stdout();
}

fn show(running: &Running) -> Value {
    let json = running
        .easel(&["subscriptions", "show", "grades", "--json"])
        .stdout();
    serde_json::from_str(&json).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_prints_the_answer_of_the_endpoint() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let receiver = Receiver::start().await;
    receiver.set_body("thanks\u{1b}[2J");
    add(&running, &receiver.url());
    let printed = running.easel(&["subscriptions", "test", "grades"]).stdout();
    assert!(
        printed.starts_with("sent      grade_change to http://127.0.0.1:"),
        "{printed}"
    );
    assert!(printed.contains("\nanswered  200 after "), "{printed}");
    assert!(
        printed.ends_with("\nbody      thanks\\u{1b}[2J\n"),
        "{printed}"
    );
    assert_eq!(receiver.received()[0].header("easel-test"), "true");

    receiver.set_status(StatusCode::NOT_FOUND);
    receiver.set_body("");
    let url = receiver.url();
    let args = [
        "subscriptions",
        "test",
        &url,
        "--event",
        "course_created",
        "--json",
    ];
    let ran = running.easel(&args);
    assert_eq!(ran.code, Some(69), "{ran}");
    assert_eq!(ran.stderr, "error: send: the endpoint answered 404\n");
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&printed["status"], &printed["event"]),
        (&404.into(), &"course_created".into())
    );
    check!(running.easel(&["subscriptions", "test", &url, "--event", "x"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: The catalogue has no event type "x". (invalid_test)
        "#);
    check!(running.easel(&["subscriptions", "test", "nobody"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: subscription "nobody" does not exist (no_such_subscription)
        "#);
    check!(running.easel(&["subscriptions", "test", "ftp://a/"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: The endpoint cannot be used: webhook.url: failed to parse the URL: its scheme must be http or https. (invalid_test)
        ");
}

#[test]
fn flags_change_fields_and_leave_the_others() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    add(&running, "http://127.0.0.1:1/");
    let args = [
        "subscriptions",
        "edit",
        "grades",
        "--timeout",
        "5s",
        "--condition",
        "user=7",
    ];
    check!(running.easel(&args), @r"
        exit 0
        --- stdout
        --- stderr
        grades is active
        ");
    let shown = show(&running);
    assert_eq!(shown["webhook"]["timeout"], "5s");
    assert_eq!(shown["webhook"]["url"], "http://127.0.0.1:1/");
    assert_eq!(shown["events"], serde_json::json!(["grade_*"]));
    assert_eq!(shown["conditions"], serde_json::json!({ "user": ["7"] }));
    check!(running.easel(&["subscriptions", "edit", "grades", "--in-flight", "1000"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: --in-flight: in_flight must be 1 to 256, not 1000. (invalid_subscription)
        ");
    check!(running.easel(&["subscriptions", "edit", "nobody", "--timeout", "5s"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: subscription "nobody" does not exist (no_such_subscription)
        "#);
}

#[test]
fn without_flags_an_editor_opens_and_a_rejected_text_is_kept() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    add(&running, "http://127.0.0.1:1/");
    let edit = |editor: &str| {
        let args = ["subscriptions", "edit", "grades", "--data"];
        let mut command = command(folder.path(), &args);
        command
            .arg(running.data())
            .env("EDITOR", editor)
            .env("TMPDIR", folder.path())
            .env("PATH", "/usr/bin:/bin");
        Ran::new(&command.output().unwrap())
    };
    let ran = edit("sed -i s/grade_/submission_/");
    assert_eq!((ran.code, &*ran.stderr), (Some(0), "grades is active\n"));
    assert_eq!(
        show(&running)["events"],
        serde_json::json!(["submission_*"])
    );
    assert_eq!(edit("true").stderr, "nothing was changed\n");

    for (editor, words) in [
        ("sed -i s/{/[/", "the JSON is invalid at line "),
        (
            "sed -i s/15s/15h/",
            "--timeout: the timeout must be 1s to 5m",
        ),
    ] {
        let ran = edit(editor);
        assert_eq!(ran.code, Some(65), "{ran}");
        assert!(ran.stderr.contains(words), "{ran}");
        let (_, path) = ran.stderr.split_once("the edited text is in ").unwrap();
        let (path, advice) = path.split_once("; ").unwrap();
        assert_eq!(
            advice.lines().next().unwrap(),
            "it may contain secrets, so remove the file afterwards"
        );
        assert!(fs::read_to_string(path).unwrap().contains("submission_*"));
    }
    let ran = edit("false");
    assert_eq!(ran.code, Some(69), "{ran}");
    assert_eq!(
        show(&running)["events"],
        serde_json::json!(["submission_*"])
    );
}

#[test]
fn a_removal_is_also_printed_as_json() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    add(&running, "http://127.0.0.1:1/");
    let printed = running
        .easel(&["subscriptions", "remove", "grades", "--json"])
        .stdout();
    assert_eq!(printed, "{\"removed\":\"grades\"}\n");
    let made = running
        .easel(&["tokens", "create", "x", "--scope", "read", "--json"])
        .stdout();
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = made["id"].as_str().unwrap();
    let printed = running.easel(&["tokens", "remove", id, "--json"]).stdout();
    assert_eq!(printed, format!("{{\"removed\":\"{id}\"}}\n"));
}

#[test]
fn flags_protect_requests_and_no_answer_has_their_secrets() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let write = |name: &str, content: &str| {
        fs::write(folder.path().join(name), content).unwrap();
        format!("file:{name}")
    };
    let (token, basic) = (write("token", "s3cret-1\n"), write("basic", "ida:s3cret-2"));
    let url = "http://127.0.0.1:1/?key=s3cret-3";
    let header = format!("X-Api-Key: {token}");
    let args = [
        "subscriptions",
        "add",
        "grades",
        "--webhook",
        url,
        "--sign",
        "jwt:EdDSA",
        "--bearer",
        &token,
        "--header",
        &header,
        "--header",
        "x-plain: s3cret-4",
        "--masking",
        "off",
    ];
    running.easel(&args).stdout();
    let shown = running.easel(&["subscriptions", "show", "grades"]).stdout();
    for line in [
        "masking     off",
        "webhook     http://127.0.0.1:1/?…",
        "guard       enforced",
        "signing     jwt, EdDSA",
        "login       bearer token",
        "headers     x-api-key, x-plain",
        "certificate none",
    ] {
        assert!(
            shown.contains(&format!("{line}\n")),
            "{line:?} is missing in {shown}"
        );
    }
    let edit = |args: &[&str]| {
        let args = [&["subscriptions", "edit", "grades"], args].concat();
        let ran = running.easel(&args);
        assert!(!ran.to_string().contains("s3cret"), "{ran}");
        ran.stdout();
        show(&running)["webhook"].clone()
    };
    let new = edit(&[
        "--sign",
        "standard",
        "--secret",
        &write("new", SECRET),
        "--basic",
        &basic,
    ]);
    assert_eq!(
        (&new["signing"], &new["authentication"]),
        (
            &serde_json::json!({ "standard": { "secrets": ["…"] } }),
            &serde_json::json!({ "basic": { "user": "ida", "password": "…" } })
        )
    );
    assert_eq!(
        new["headers"],
        serde_json::json!({ "x-api-key": "…", "x-plain": "…" })
    );
    // `…` keeps the secret at its position.
    let both = edit(&[
        "--sign", "standard", "--secret", "…", "--secret", "file:new",
    ]);
    assert_eq!(
        both["signing"]["standard"]["secrets"],
        serde_json::json!(["…", "…"])
    );
    assert_eq!(edit(&["--sign", "off"])["signing"], Value::Null);
    check!(running.easel(&["subscriptions", "edit", "grades", "--sign", "jwt", "--secret", SECRET]), @r"
        exit 64
        --- stdout
        --- stderr
        error: --secret requires `--sign standard`
        ");
    check!(running.easel(&["subscriptions", "edit", "grades", "--sign", "standard", "--secret", "s3cret"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: subscription grades: webhook.signing.standard.secrets[0]: failed to read the webhook secret: the prefix must be whsec_ or whsk_ (invalid_subscription)
        ");
    check!(running.easel(&["subscriptions", "edit", "grades", "--header", "s3cret"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: --header must be `name: value`
        ");
    check!(running.easel(&["subscriptions", "edit", "grades", "--basic", "s3cret"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: --basic must be USER:PASSWORD
        ");
    check!(running.easel(&["subscriptions", "edit", "grades", "--bearer", "env:NO_SUCH_VARIABLE"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: --bearer: the environment variable NO_SUCH_VARIABLE is not set
        ");
    check!(running.easel(&["subscriptions", "edit", "grades", "--client-certificate", "new", "--client-key", "new"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: subscription grades: webhook.client_certificate: certificate must be one or more certificates in PEM (invalid_subscription)
        ");
    check!(running.easel(&["subscriptions", "enforce-guard", "grades"]), @r"
        exit 0
        --- stdout
        --- stderr
        grades is active
        ");
}

#[test]
fn a_new_secret_is_printed_once() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let add = |name: &str, more: &[&str]| {
        let args = [
            "subscriptions",
            "add",
            name,
            "--webhook",
            "http://127.0.0.1:1/",
        ];
        running.easel(&[&args[..], &["--sign", "standard"], more].concat())
    };
    let ran = add("one", &[]);
    assert_eq!(ran.stderr, "one is active\n");
    let secret = ran.stdout.strip_prefix("secret: whsec_").unwrap();
    assert!(
        !running
            .easel(&["subscriptions", "show", "one", "--json"])
            .stdout()
            .contains(secret)
    );
    let json: Value = serde_json::from_str(&add("two", &["--json"]).stdout()).unwrap();
    assert!(
        json["secret"].as_str().unwrap().starts_with("whsec_"),
        "{json}"
    );
    assert_eq!(json["webhook"]["signing"]["standard"]["secrets"][0], "…");
    let json: Value =
        serde_json::from_str(&add("three", &["--json", "--secret", SECRET]).stdout()).unwrap();
    assert_eq!(json["secret"], Value::Null);
}

#[test]
fn one_secret_can_come_from_stdin() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let add = |name: &str, secret: &str, more: &[&str]| {
        let args = [
            "subscriptions",
            "add",
            name,
            "--webhook",
            "http://127.0.0.1:1/",
            "--bearer",
            "-",
        ];
        let mut command = command(folder.path(), &[&args[..], more].concat());
        command.arg("--data").arg(running.data());
        run_with_stdin(&mut command, secret)
    };
    assert_eq!(add("one", "s3cret\n", &[]).stderr, "one is active\n");
    check!(add("two", "s3cret\n", &["--header", "x-key: -"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: --header: a secret cannot come from stdin, which has another secret
        ");
    check!(add("three", &"s".repeat((64 << 10) + 1), &[]), @r"
        exit 65
        --- stdout
        --- stderr
        error: --bearer: stdin is larger than 64 KiB
        ");
}

#[test]
fn an_editor_shows_no_secret_and_keeps_the_secrets() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let url = "http://127.0.0.1:1/?key=s3cret-1";
    let args = [
        "subscriptions",
        "add",
        "grades",
        "--webhook",
        url,
        "--bearer",
        "s3cret-2",
    ];
    running.easel(&args).stdout();
    let args = ["subscriptions", "edit", "grades", "--data"];
    let mut command = command(folder.path(), &args);
    // Fails if the file has a secret, or if a read-only member is in it.
    let editor = "sh -c 'grep -E \"s3cret|address_guard|balance\" \"$1\" && exit 1; sed -i s/15s/20s/ \"$1\"' sh";
    command
        .arg(running.data())
        .env("EDITOR", editor)
        .env("PATH", "/usr/bin:/bin");
    let ran = Ran::new(&command.output().unwrap());
    assert_eq!(ran.stderr, "grades is active\n");
    let shown = show(&running);
    assert_eq!(shown["webhook"]["timeout"], "20s");
    assert_eq!(shown["webhook"]["url"], "http://127.0.0.1:1/?…");
    assert_eq!(shown["webhook"]["authentication"]["bearer"], "…");
}

/// Runs a command with a URL in stdin and in the environment.
fn easel_with_url(running: &Running, args: &[&str], url: &str) -> Ran {
    let mut command = command(running.data().parent().unwrap(), args);
    command.arg("--data").arg(running.data());
    command.env("WEBHOOK_URL", url);
    run_with_stdin(&mut command, format!("{url}\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_url_of_an_endpoint_can_come_from_a_variable_a_file_or_stdin() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let receiver = Receiver::start().await;
    let url = |n: u8| format!("{}?key=s3cret-{n}", receiver.url());
    fs::write(folder.path().join("url"), format!("{}\n", url(0))).unwrap();
    let shown_url = format!("{}?…", receiver.url());
    let sent_queries = || {
        let received = receiver.received().into_iter();
        let queries = received.map(|request| request.uri.query().unwrap().to_owned());
        queries.collect::<Vec<_>>()
    };
    for (n, place) in (1..).zip(["env:WEBHOOK_URL", "-", "file:url"]) {
        let name = format!("grades-{n}");
        let run = |args: &[&str]| {
            let ran = easel_with_url(&running, &[&["subscriptions"], args].concat(), &url(n));
            assert!(!ran.to_string().contains("s3cret"), "{ran}");
            ran.stdout()
        };
        run(&["add", &name, "--webhook", place]);
        let shown = run(&["show", &name]);
        assert!(
            shown.contains(&format!("webhook     {shown_url}\n")),
            "{shown}"
        );
        run(&["edit", &name, "--webhook", "http://127.0.0.1:1/"]);
        run(&["edit", &name, "--webhook", place]);
        run(&["test", &name]);
        run(&["test", place]);
    }
    let wanted = ["key=s3cret-1", "key=s3cret-2", "key=s3cret-0"].map(|query| [query; 2]);
    assert_eq!(sent_queries(), wanted.concat());

    let args = ["subscriptions", "add", "two", "--webhook", "-"];
    let args = [&args[..], &["--bearer", "-"]].concat();
    check!(easel_with_url(&running, &args, "http://127.0.0.1:1/"), @r"
        exit 64
        --- stdout
        --- stderr
        error: --bearer: a secret cannot come from stdin, which has another secret
        ");
    check!(running.easel(&["subscriptions", "test", "env:NO_SUCH_VARIABLE"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: URL: the environment variable NO_SUCH_VARIABLE is not set
        ");
}
