//! Tests of AWS's clients with the Kinesis door: boto3, both versions of the AWS CLI, the SDK for
//! JavaScript over HTTP/1.1 and HTTP/2, and calls in CBOR as the SDKs for Java make them. Their events
//! arrive at a webhook. The clients run without TLS, and over TLS with a certificate of a private authority.
//!
//! They run in `clients/kinesis_clients.py`. `EASEL_TEST_PYTHON` names a Python that has boto3 and
//! cbor2, `EASEL_TEST_AWS_1` and `EASEL_TEST_AWS_2` the AWS CLI of each version, `EASEL_TEST_NODE_MODULES`
//! the folder of the SDK for JavaScript. `scripts/clients` installs them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use easel_testkit::{Received, Receiver, report_missing};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::running::Running;
use crate::tls_server::TlsServer;

const SCRIPT: &str = "tests/clients/kinesis_clients.py";

/// The folders with payloads, relative to this crate. Only the first folder always exists.
const PAYLOADS: [&str; 3] = [
    "../catalog/fixtures",
    "../../../shared/seeds/canvas",
    "../../../shared/examples/canvas",
];

const ACCESS_KEY: &str = "CANVAS";
const SECRET: &str = "a long text that nobody guesses";

/// The report of the script.
#[derive(Debug, Deserialize)]
struct Summary {
    sent: usize,
    distinct: usize,
    oversized: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_aws_clients_arrive_at_the_webhook_once_and_unchanged_in_both_formats() {
    let Some(clients) = Clients::from_environment() else {
        report_missing(
            "boto3, cbor2, the AWS CLI and the SDK for JavaScript; scripts/test installs them",
        );
        return;
    };
    let folder = tempdir().unwrap();
    let keys = format!(
        "[[kinesis.keys]]\naccess_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET:?}\n"
    );
    fs::write(folder.path().join("easel.toml"), keys).unwrap();
    let running = Running::start(&folder.path().join("data"));
    let (caller, receiver) = (Caller::new(&running), Receiver::start().await);
    // Some payloads have an access token in their URL. The test compares unchanged events.
    let unmasked = r#""masking":"off","#;
    caller.subscribe("every", unmasked, &receiver.url()).await;

    let Summary {
        sent,
        distinct,
        oversized,
    } = clients.run(&running.url(), None, &folders());

    let balance = caller.settled("every").await;
    let received = receiver.received();
    assert_eq!(
        received.len(),
        distinct,
        "each different event arrives once"
    );
    assert_eq!(balance.delivered, u64::try_from(distinct).unwrap());
    let quarantined: Value = caller.read("/v1/quarantine?limit=1").await;
    assert_eq!(quarantined["count"], oversized);

    let mut by_body: HashMap<Bytes, Received> = HashMap::new();
    for request in received {
        check_headers(&request);
        let previous = by_body.insert(request.body.clone(), request);
        assert_eq!(previous, None);
    }
    let payloads = payloads();
    assert!(
        sent >= payloads.len(),
        "{sent} of {} were sent",
        payloads.len()
    );
    for payload in payloads {
        let wanted = Bytes::from(minified(&payload));
        assert!(by_body.contains_key(&wanted), "did not arrive: {payload}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_aws_clients_are_stored_over_tls_with_a_private_authority() {
    let Some(clients) = Clients::from_environment() else {
        report_missing(
            "boto3, cbor2, the AWS CLI and the SDK for JavaScript; scripts/test installs them",
        );
        return;
    };
    let keys = format!(
        "[[kinesis.keys]]\naccess_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET:?}\n"
    );
    let server = TlsServer::start(&keys);
    let folders = [here(PAYLOADS[0])];
    let summary = clients.run(&server.url(), Some(&server.ca_file()), &folders);
    assert!(summary.sent > 5_000, "{summary:?}");
    let caller = Caller::new(&server.running);
    assert_eq!(caller.log().await.len(), summary.distinct);
}

/// The paths of the clients.
struct Clients {
    python: OsString,
    aws_1: OsString,
    aws_2: OsString,
    node_modules: OsString,
}

impl Clients {
    /// Returns the paths from the environment. Returns `None` if a variable is not set.
    fn from_environment() -> Option<Self> {
        Some(Self {
            python: std::env::var_os("EASEL_TEST_PYTHON")?,
            aws_1: std::env::var_os("EASEL_TEST_AWS_1")?,
            aws_2: std::env::var_os("EASEL_TEST_AWS_2")?,
            node_modules: std::env::var_os("EASEL_TEST_NODE_MODULES")?,
        })
    }

    /// Runs all clients until they end.
    fn run(&self, url: &str, ca_file: Option<&Path>, folders: &[PathBuf]) -> Summary {
        let mut command = Command::new(&self.python);
        command.arg(here(SCRIPT)).args(["--endpoint", url]);
        if let Some(path) = ca_file {
            command.arg("--ca-file").arg(path);
        }
        let output = command
            .args(["--access-key", ACCESS_KEY, "--secret", SECRET])
            .arg("--aws-1")
            .arg(&self.aws_1)
            .arg("--aws-2")
            .arg(&self.aws_2)
            .arg("--node-modules")
            .arg(&self.node_modules)
            .arg("--payloads")
            .args(folders)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Compares the headers of a delivery with its body.
fn check_headers(request: &Received) {
    let id = easel_catalog::event_id(&request.body).to_string();
    assert_eq!(request.header("webhook-id"), id);
    let event: Value = serde_json::from_slice(&request.body).unwrap();
    let metadata = &event["metadata"];
    assert_eq!(request.header("easel-event-name"), metadata["event_name"]);
    assert_eq!(request.header("easel-event-time"), metadata["event_time"]);
    assert_eq!(request.header("easel-attempt"), "1");
    assert_eq!(request.header("easel-subscription"), "every");
    assert_eq!(request.header("content-type"), "application/json");
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn folders() -> Vec<PathBuf> {
    let folders = PAYLOADS.iter().map(|path| here(path));
    folders.filter(|folder| folder.is_dir()).collect()
}

/// Returns the events of all payload files, unchanged. A file has one event or an array.
fn payloads() -> Vec<String> {
    let mut found = Vec::new();
    for file in folders()
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
    {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = fs::read_to_string(path).unwrap();
            match serde_json::from_str::<Vec<&RawValue>>(&text) {
                Ok(events) => found.extend(events.iter().map(|event| event.get().to_owned())),
                Err(_one) => found.push(text),
            }
        }
    }
    assert!(!found.is_empty(), "no payloads");
    found
}

/// Removes the white space between the tokens of a JSON text.
fn minified(json: &str) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let keeps = |letter: &char| {
        let keeps = in_string || !letter.is_ascii_whitespace();
        in_string ^= *letter == '"' && !is_escaped;
        is_escaped = in_string && *letter == '\\' && !is_escaped;
        keeps
    };
    json.chars().filter(keeps).collect()
}
