//! Planted secrets: a server gets a secret in every place that may have one, and works, fails and is backed up.
//! None of the secrets may be in a file of the data folder, a log line, a metric, an answer or a backup.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use easel_testkit::Receiver;
use http::{Method, StatusCode};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::easel::{Ran, command, easel};
use crate::running::Running;

const FIRST_TOKEN: &str = "planted.first-token.0123456789abcdef";
const KINESIS_SECRET: &str = "planted-kinesis-secret-key";
const MASTER_KEY: [u8; 32] = *b"planted-master-key-0123456789abc";
const SIGNING_SECRET: &[u8] = b"planted-signing-secret-0123456789";
const PASSWORD: &str = "planted-password";

/// The last part of the path of a source.
const PATH_SECRET: &str = "planted-path-secret-0123";

/// The secrets in subscriptions and sources, as they were sent.
const SECRETS: [&str; 11] = [
    "planted-url-query",
    "planted-header",
    "planted-bearer",
    PASSWORD,
    "planted-from-environment",
    "planted-in-an-invalid-spec",
    "planted-wrong-token",
    PATH_SECRET,
    "planted-aws-secret",
    "planted-aws-token",
    "planted-in-an-invalid-source",
];

/// All texts and bytes that nobody may find.
fn forbidden(pem: &str) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = SECRETS.map(|secret| secret.as_bytes().to_vec()).into();
    all.push(FIRST_TOKEN.into());
    all.push(KINESIS_SECRET.into());
    all.push(MASTER_KEY.into());
    all.push(BASE64_STANDARD.encode(MASTER_KEY).into());
    all.push(SIGNING_SECRET.into());
    all.push(BASE64_STANDARD.encode(SIGNING_SECRET).into());
    all.push(BASE64_STANDARD.encode(format!("ida:{PASSWORD}")).into());
    // Every line of the private key, and its bytes.
    let lines: Vec<_> = pem.lines().filter(|line| !line.contains("--")).collect();
    let der = BASE64_STANDARD.decode(lines.concat()).unwrap();
    all.extend(
        lines
            .iter()
            .filter(|line| line.len() > 40)
            .map(|line| (*line).into()),
    );
    all.push(der.windows(24).last().unwrap().into());
    all
}

#[track_caller]
fn assert_clean(place: &str, content: &[u8], forbidden: &[Vec<u8>]) {
    for secret in forbidden {
        let is_found = content.windows(secret.len()).any(|window| window == secret);
        let shown = String::from_utf8_lossy(secret);
        assert!(!is_found, "{place} has {shown:?}");
    }
}

/// Checks each file of a folder.
fn check_folder(folder: &Path, forbidden: &[Vec<u8>]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_clean(
            &path.display().to_string(),
            &fs::read(&path).unwrap(),
            forbidden,
        );
    }
}

fn settings(receiver: &Receiver) -> String {
    format!(
        "[[subscriptions]]\nname = \"declared\"\nwebhook.url = \"{}\"\n\
         webhook.headers.x-key = \"env:PLANTED\"\n",
        receiver.url()
    )
}

fn start(folder: &Path) -> Running {
    let config = folder.join("easel.toml");
    let args = ["--config", config.to_str().unwrap(), "--log", "trace"];
    Running::start_with(&folder.join("data"), &args, set_variables)
}

/// Sets the variables that have secrets.
fn set_variables(command: &mut Command) {
    command
        .env("EASEL_AUTH__FIRST_TOKEN", FIRST_TOKEN)
        .env("EASEL_KEYS__MASTER_KEY", BASE64_STANDARD.encode(MASTER_KEY))
        .env("EASEL_KINESIS__ACCESS_KEY_ID", "CANVAS")
        .env("EASEL_KINESIS__SECRET_ACCESS_KEY", KINESIS_SECRET)
        .env("PLANTED", "planted-from-environment");
}

/// Returns specs with secrets: for an endpoint that works, and for endpoints that fail.
fn specs(receiver: &Receiver, pem: &str, certificate: &str) -> Vec<Value> {
    let secret = format!("whsec_{}", BASE64_STANDARD.encode(SIGNING_SECRET));
    let query = format!("{}?key=planted-url-query", receiver.url());
    let retry = ["1s", "1s"];
    vec![
        json!({"name": "signed", "webhook": {
            "url": query,
            "headers": {"x-key": "planted-header"},
            "authentication": {"basic": {"user": "ida", "password": PASSWORD}},
            "signing": {"standard": {"secrets": [secret]}},
        }}),
        json!({"name": "jwt", "format": "caliper", "webhook": {
            "url": query,
            "authentication": {"bearer": "planted-bearer"},
            "signing": {"jwt": {"algorithm": "ES256"}},
        }}),
        json!({"name": "refused", "retry": retry, "webhook": {
            "url": "http://127.0.0.1:9/?key=planted-url-query",
            "headers": {"x-key": "planted-header"},
        }}),
        json!({"name": "no-tls", "retry": retry, "webhook": {
            "url": query.replace("http://", "https://"),
            "client_certificate": {"certificate": certificate, "key": pem},
        }}),
        json!({"name": "no-name", "retry": retry, "webhook": {
            "url": "https://nowhere.invalid/?key=planted-url-query",
        }}),
    ]
}

/// Returns specs that are refused although they have secrets.
fn invalid_specs() -> Vec<Value> {
    let planted = "planted-in-an-invalid-spec";
    let webhooks = [
        json!({"url": format!("ftp://ida:{planted}@a.example/?{planted}")}),
        json!({"url": format!("http://10.0.0.1/?{planted}")}),
        json!({"url": format!("http://[{planted}/")}),
        json!({"url": "http://a.example/", "headers": {"x-key": format!("{planted}\n")}}),
        json!({"url": "http://a.example/", "headers": {"host": planted}}),
        json!({"url": "http://a.example/", "headers": {"x": [planted]}}),
        json!({"url": "http://a.example/", "signing": planted}),
        json!({"url": "http://a.example/", "signing": {"standard": {"secrets": planted}}}),
        json!({"url": "http://a.example/", "signing": {"standard": {"secrets": [planted]}}}),
        json!({"url": "http://a.example/", "signing": {"standard": {"secrets": [format!("whsec_{planted}")]}}}),
        json!({"url": "http://a.example/", "authentication": planted}),
        json!({"url": "http://a.example/", "authentication": {"bearer": format!("{planted}\u{e9}")}}),
        json!({"url": "http://a.example/", "authentication": {"basic": {"user": "a:b", "password": planted}}}),
        json!({"url": "http://a.example/", "client_certificate": {"certificate": "x", "key": planted}}),
        json!({"url": "http://a.example/", "client_certificate": planted}),
    ];
    let specs = webhooks.into_iter();
    specs
        .map(|webhook| json!({"name": "invalid", "webhook": webhook}))
        .collect()
}

/// Returns sources with secrets, each with the status of the answer.
fn sources() -> Vec<(Value, StatusCode)> {
    let planted = "planted-in-an-invalid-source";
    let queue = "http://127.0.0.1:9/1/canvas-live-events";
    let unsigned =
        json!({"name": "unsigned", "kind": "https", "signed": false, "secret": PATH_SECRET});
    vec![
        (unsigned, StatusCode::CREATED),
        (
            json!({"name": "queue", "kind": "sqs", "queue_url": queue,
                "endpoint_url": "http://127.0.0.1:9", "access_key_id": "AKIA",
                "secret_access_key": "planted-aws-secret", "session_token": "planted-aws-token"}),
            StatusCode::CREATED,
        ),
        (
            json!({"name": "bad", "kind": "https", "secret": format!("{planted}/")}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"name": "bad", "kind": "sqs", "secret_access_key": planted}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"name": "bad", "kind": "https", "secret": [planted]}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ]
}

/// Creates sources with secrets, and sends an event with the secret in the path.
async fn try_sources(caller: &Caller, forbidden: &[Vec<u8>]) {
    for (source, status) in sources() {
        let answer = caller.call(Method::POST, "/v1/sources", Some(source)).await;
        let answer = answer.unwrap();
        assert_clean("the answer about a source", &answer.body, forbidden);
        assert_eq!(answer.status, status);
    }
    let event: Value = serde_json::from_slice(&easel_testkit::event("logged_in", 2)).unwrap();
    for (path, status) in [
        (format!("/v1/hooks/unsigned/{PATH_SECRET}"), StatusCode::OK),
        (
            format!("/v1/hooks/other/{PATH_SECRET}"),
            StatusCode::NOT_FOUND,
        ),
        (
            format!("/v1/hooks/unsigned/{PATH_SECRET}x"),
            StatusCode::NOT_FOUND,
        ),
    ] {
        let answer = caller.call(Method::POST, &path, Some(event.clone())).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, status);
        assert_clean("the answer of the door", &answer.body, forbidden);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_secret_can_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    fs::write(folder.path().join("easel.toml"), settings(&receiver)).unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let (certificate, pem) = (cert.pem(), signing_key.serialize_pem());
    let forbidden = forbidden(&pem);

    let running = start(folder.path());
    let caller = Caller::new(&running);
    let create = async |spec: &Value| {
        let answer = caller
            .call(Method::POST, "/v1/subscriptions", Some(spec.clone()))
            .await;
        let answer = answer.unwrap();
        assert_clean(
            &format!("the answer to {}", spec["name"]),
            &answer.body,
            &forbidden,
        );
        answer.status
    };
    for spec in specs(&receiver, &pem, &certificate) {
        assert_eq!(create(&spec).await, StatusCode::CREATED, "{}", spec["name"]);
    }
    for spec in invalid_specs() {
        assert_eq!(
            create(&spec).await,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{spec}"
        );
    }
    try_sources(&caller, &forbidden).await;
    let wrong = caller
        .with_token("planted-wrong-token")
        .get("/v1/status")
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_clean("the refusal of a token", &wrong.body, &forbidden);

    let event = easel_testkit::event("grade_change", 1);
    let sent = caller.post_events("application/json", event).await.unwrap();
    sent.accepted();
    for name in ["declared", "signed", "jwt"] {
        assert_eq!(caller.settled(name).await.delivered, 2, "{name}");
    }
    for name in ["refused", "no-tls", "no-name"] {
        let path = format!("/v1/subscriptions/{name}/attempts");
        let has_failed = |page: &Value| page["attempts"][0]["outcome"] == "unconnected";
        caller.wait_until::<Value>(&path, has_failed).await;
    }
    let mut paths: Vec<String> = [
        "/metrics",
        "/v1/openapi.json",
        "/v1/status",
        "/v1/keys",
        "/v1/tokens",
        "/v1/subscriptions",
        "/v1/sources",
        "/.well-known/jwks.json",
    ]
    .map(str::to_owned)
    .into();
    for name in ["declared", "signed", "jwt", "refused", "no-tls", "no-name"] {
        for part in ["", "/attempts", "/parked", "/dead-letters", "/balance"] {
            paths.push(format!("/v1/subscriptions/{name}{part}"));
        }
    }
    for path in paths {
        let answer = caller.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_clean(&path, &answer.body, &forbidden);
    }

    let data = folder.path().join("data");
    check_folder(&data, &forbidden);
    let backup = easel(folder.path(), &["backup", "--data", "data", "copy"]);
    assert_clean(
        "the output of backup",
        backup.to_string().as_bytes(),
        &forbidden,
    );
    check_folder(&folder.path().join("copy"), &forbidden);
    let mut check = command(folder.path(), &["config", "check"]);
    set_variables(&mut check);
    let check = Ran::new(&check.output().unwrap());
    assert_eq!(check.code, Some(0), "{check}");
    assert_clean(
        "the output of config check",
        check.to_string().as_bytes(),
        &forbidden,
    );

    running.terminate();
    let (status, log) = running.ended();
    assert!(status.success(), "{log}");
    assert!(log.contains("TRACE") && log.len() > 10_000, "{log}");
    assert_clean("the log", log.as_bytes(), &forbidden);
    check_folder(&data, &forbidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_in_urls_of_events_are_stored_and_neither_logged_nor_delivered() {
    const SECRET: &str = "planted-access-token";
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let receiver = Receiver::start().await;
    let running = Running::start_with(&data, &["--auth", "none", "--log", "trace"], |_| ());
    let caller = Caller::new(&running);
    for format in ["canvas", "caliper", "caliper-strict"] {
        let more = format!(r#""format":"{format}","#);
        caller.subscribe(format, &more, &receiver.url()).await;
    }
    caller
        .subscribe("unmasked", r#""masking":"off","#, &receiver.url())
        .await;
    let mut event: Value =
        serde_json::from_slice(&easel_testkit::event("grade_change", 1)).unwrap();
    event["metadata"]["url"] = format!("https://a.example/?access_token={SECRET}").into();
    event["metadata"]["referrer"] = format!("https://a.example/?verifier={SECRET}").into();
    let sent = caller
        .post_events("application/json", event.to_string())
        .await;
    sent.unwrap().accepted();
    for name in ["canvas", "caliper", "caliper-strict", "unmasked"] {
        assert_eq!(caller.settled(name).await.delivered, 1, "{name}");
    }
    for request in receiver.received() {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let is_unmasked = request.header("easel-subscription") == "unmasked";
        assert_eq!(body.contains(SECRET), is_unmasked, "{body}");
        assert!(body.contains("a.example"), "{body}");
    }
    assert!(
        String::from_utf8(caller.log().await[0].bytes().to_vec())
            .unwrap()
            .contains(SECRET)
    );
    let forbidden = [SECRET.as_bytes().to_vec()];
    assert_clean("/metrics", &caller.get("/metrics").await.body, &forbidden);
    running.terminate();
    let (_status, log) = running.ended();
    assert_clean("the log", log.as_bytes(), &forbidden);
}
