//! Tests of `easel verify`.

use std::fs;
use std::path::Path;

use easel_keys::{PrivateKey, Secret, SigningAlgorithm, WebhookSecret, sign_jwt};
use easel_testkit::{Received, Receiver, event};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::{Ran, check, command, easel, run_with_stdin};
use crate::running::Running;

/// Runs `easel verify` with this input on stdin.
fn verify(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    let mut command = command(folder, &[&["verify"], args].concat());
    run_with_stdin(&mut command, input)
}

/// Returns a request as a whole HTTP message.
fn message(request: &Received) -> Vec<u8> {
    let mut message = b"POST /hook HTTP/1.1\r\n".to_vec();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        message.extend(format!("{name}: {}\r\n", request.header(name)).bytes());
    }
    message.extend(b"\r\n");
    message.extend_from_slice(&request.body);
    message
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_a_server_are_verified_with_its_keys_or_a_secret() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let receiver = Receiver::start().await;
    let add = |name: &str, signature: &str| {
        let url = receiver.url();
        let args = [
            "subscriptions",
            "add",
            name,
            "--webhook",
            &url,
            "--sign",
            signature,
        ];
        running.easel(&args).stdout()
    };
    add("jwt", "jwt:ES256");
    let printed = add("standard", "standard");
    let secret = printed.strip_prefix("secret: ").unwrap().trim_end();
    let sample = event("course_created", 1);
    let caller = Caller::new(&running);
    let posted = caller.post_events("application/json", sample.clone());
    posted.await.unwrap().accepted();
    let requests = receiver.wait_for(2).await;
    let find = |name: &str| {
        let mut requests = requests.iter();
        let found = requests.find(|request| request.header("easel-subscription") == name);
        found.unwrap()
    };
    let sample: Value = serde_json::from_slice(&sample).unwrap();

    // A JWT, with the keys of the server and from a file.
    fs::write(folder.path().join("body.txt"), &find("jwt").body).unwrap();
    let ran = running.easel(&["verify", "body.txt"]);
    assert!(ran.stderr.starts_with("verified: ES256, key 20"), "{ran}");
    let payload: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(payload["body"], sample["body"]);
    assert_eq!(payload["iss"], "easel");
    let jwks = format!("{}/.well-known/jwks.json", running.url());
    let ran = running.easel(&["verify", "--jwks", &jwks, "body.txt", "--json"]);
    let json: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(
        (&json["verified"], &json["algorithm"]),
        (&"jwt".into(), &"ES256".into())
    );
    assert_eq!(json["event"], payload);
    let published = Caller::new(&running).get("/.well-known/jwks.json").await;
    fs::write(folder.path().join("jwks.json"), published.body).unwrap();
    let args = ["--jwks", "jwks.json", "--issuer", "easel"];
    let quoted = [b"\"", &find("jwt").body[..], b"\"\n"].concat();
    verify(folder.path(), &args, &quoted).stdout();
    let ran = verify(
        folder.path(),
        &["--jwks", "jwks.json", "--issuer", "other"],
        &quoted,
    );
    check!(ran, @r#"
        exit 1
        --- stdout
        --- stderr
        error: failed to verify the JWT: `iss` must be "other"
        "#);
    let args = ["--jwks", "jwks.json", "--algorithm", "RS256", "-"];
    check!(verify(folder.path(), &args, &quoted), @r#"
        exit 1
        --- stdout
        --- stderr
        error: failed to verify the JWT: the algorithm "ES256" is not allowed
        "#);

    // Standard Webhooks, as a message and as a body with headers.
    fs::write(folder.path().join("secret"), secret).unwrap();
    let request = find("standard");
    let args = ["--secret", "file:secret"];
    let ran = verify(folder.path(), &args, &message(request));
    let id = request.header("webhook-id");
    assert_eq!(ran.stderr, format!("verified: standard, id {id}\n"));
    let printed: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(printed["body"], sample["body"]);
    let mut args = vec!["--secret", "file:secret", "--json"];
    let header = |name: &str| format!("{name}: {}", request.header(name));
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
    args.extend(headers.iter().flat_map(|header| ["-H", header.as_str()]));
    let saved = [&request.body[..], b"\n"].concat();
    let ran = verify(folder.path(), &args, &saved).stdout();
    let json: Value = serde_json::from_str(&ran).unwrap();
    assert_eq!((&json["id"], &json["event"]), (&id.into(), &printed));
}

#[test]
fn an_invalid_request_is_refused_with_exit_code_1_and_the_reason() {
    let folder = tempdir().unwrap();
    let secret = WebhookSecret::generate_symmetric().unwrap();
    let other = WebhookSecret::generate_symmetric().unwrap();
    let [secret_text, other_text] = [&secret, &other].map(WebhookSecret::to_text);
    let [secret_text, other_text] = [&secret_text, &other_text].map(Secret::expose);
    let now = Timestamp::now().as_second();
    let request = |timestamp: i64, body: &str| {
        let signature = secret.sign("7", timestamp, b"{}").unwrap();
        format!(
            "webhook-id: 7\nwebhook-timestamp: {timestamp}\nwebhook-signature: {signature}\n\n{body}"
        )
    };
    let run = |args: &[&str], input: &str| verify(folder.path(), args, input.as_bytes());
    let both = ["--secret", other_text, "--secret", secret_text];
    assert_eq!(run(&both, &request(now, "{}")).code, Some(0));
    check!(run(&["--secret", other_text], &request(now, "{}")), @r"
        exit 1
        --- stdout
        --- stderr
        error: failed to verify the webhook: no signature is valid
        ");
    check!(run(&["--secret", secret_text], &request(now, "{ }")), @r"
        exit 1
        --- stdout
        --- stderr
        error: failed to verify the webhook: no signature is valid
        ");
    check!(run(&["--secret", secret_text], &request(7, "{}")), @r"
        exit 1
        --- stdout
        --- stderr
        error: failed to verify the webhook: the timestamp 7 is too old
        ");
    let old = ["--secret", secret_text, "--tolerance", "off"];
    assert_eq!(run(&old, &request(7, "{}")).code, Some(0));
    check!(run(&["--secret", secret_text], "{}"), @r"
        exit 1
        --- stdout
        --- stderr
        error: failed to verify: the body is not a JWT, and the header webhook-signature is missing
        ");
    check!(run(&["--secret", secret_text], "content-length: 3\n\n{}"), @r"
        exit 1
        --- stdout
        --- stderr
        error: failed to verify: the body has 2 bytes, but its content-length is 3
        ");
    check!(run(&["--secret", "hush"], &request(now, "{}")), @r"
        exit 64
        --- stdout
        --- stderr
        error: --secret: failed to read the webhook secret: the prefix must be whsec_, whsk_ or whpk_
        ");
    check!(run(&["--secret", "-"], &request(now, "{}")), @r"
        exit 64
        --- stdout
        --- stderr
        error: --secret: a secret cannot come from stdin, which has the message
        ");
    check!(run(&[], &request(now, "{}")), @r"
        exit 64
        --- stdout
        --- stderr
        error: the body is not a JWT; verify it with --secret
        ");
    let ran = easel(folder.path(), &["verify", "missing.txt"]);
    assert_eq!(ran.code, Some(65), "{ran}");
}

#[test]
fn a_jwt_of_another_key_is_refused() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let key = PrivateKey::generate(SigningAlgorithm::EdDsa, "other".to_owned()).unwrap();
    let token = sign_jwt(&key, br#"{"metadata":{}}"#).unwrap();
    fs::write(folder.path().join("body.txt"), token).unwrap();
    check!(running.easel(&["verify", "body.txt"]), @r#"
        exit 1
        --- stdout
        --- stderr
        error: failed to verify the JWT: no key has the id "other"
        "#);
}
