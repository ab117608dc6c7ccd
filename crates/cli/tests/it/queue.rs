//! Emulators of Amazon SQS for tests: the server of `moto` (`PyPI`) and `local-aws-sqs` (npm). A client of its own calls them,
//! so no test relies on the client of Easel.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use easel_testkit::report_missing;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

/// Longer than an emulator takes to start.
const START: Duration = Duration::from_mins(1);

/// The credentials that every emulator accepts.
pub(crate) const KEY_ID: &str = "test";
pub(crate) const SECRET: &str = "test";

/// An emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmulatorKind {
    Moto,
    LocalAwsSqs,
}

/// A running emulator, killed on drop.
pub(crate) struct Emulator {
    child: Child,
    pub(crate) client: QueueCaller,
}

/// Calls an emulator.
#[derive(Clone, Debug)]
pub(crate) struct QueueCaller {
    client: Client<HttpConnector, Full<bytes::Bytes>>,
    pub(crate) endpoint: String,
}

/// A received message.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) body: String,
    pub(crate) event_id: String,
    pub(crate) group: String,
}

impl Emulator {
    /// Starts an emulator; `None` if it is not installed.
    pub(crate) async fn start(kind: EmulatorKind) -> Option<Self> {
        let Some(mut command) = command(kind) else {
            report_missing(match kind {
                EmulatorKind::Moto => "moto's server; scripts/test installs it",
                EmulatorKind::LocalAwsSqs => "local-aws-sqs; scripts/test installs it",
            });
            return None;
        };
        let port = free_port();
        command.arg(port.to_string());
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = QueueCaller {
            client: Client::builder(TokioExecutor::new()).build_http(),
            endpoint: format!("http://127.0.0.1:{port}"),
        };
        let emulator = Self { child, client };
        let answers = async {
            let mut polls = interval(Duration::from_millis(100));
            loop {
                polls.tick().await;
                if emulator.client.call("ListQueues", json!({})).await.is_ok() {
                    return;
                }
            }
        };
        timeout(START, answers).await.expect("the emulator starts");
        Some(emulator)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl QueueCaller {
    /// Creates a queue and returns its URL, with the address of the emulator.
    pub(crate) async fn create(&self, name: &str, attributes: Value) -> String {
        let call = json!({ "QueueName": name, "Attributes": attributes });
        let answer = self.call("CreateQueue", call).await.unwrap();
        let url = answer["QueueUrl"].as_str().unwrap();
        let path = url.splitn(4, '/').nth(3).unwrap();
        format!("{}/{path}", self.endpoint)
    }

    /// Sends messages, each a body and the name of its event.
    pub(crate) async fn send(&self, queue: &str, messages: &[(String, &str)]) -> Result<()> {
        let entries = messages.iter().enumerate().map(|(index, (body, name))| {
            let value = json!({ "DataType": "String", "StringValue": name });
            json!({
                "Id": index.to_string(),
                "MessageBody": body,
                "MessageAttributes": { "event_name": value },
            })
        });
        let entries: Vec<_> = entries.collect();
        let call = json!({ "QueueUrl": queue, "Entries": entries });
        let answer = self.call("SendMessageBatch", call).await?;
        let sent = answer["Successful"].as_array().map(Vec::len);
        ensure!(sent == Some(messages.len()), "not all sent: {answer}");
        Ok(())
    }

    /// Returns the numbers of visible messages and of those that a reader has.
    pub(crate) async fn counts(&self, queue: &str) -> (u64, u64) {
        let call = json!({ "QueueUrl": queue, "AttributeNames": ["All"] });
        let answer = self.call("GetQueueAttributes", call).await.unwrap();
        let count = |name: &str| {
            let text = answer["Attributes"][name].as_str().unwrap();
            text.parse::<u64>().unwrap()
        };
        (
            count("ApproximateNumberOfMessages"),
            count("ApproximateNumberOfMessagesNotVisible"),
        )
    }

    /// Waits until a queue is empty, with nothing in the hands of readers.
    pub(crate) async fn drained(&self, queue: &str) {
        let mut polls = interval(Duration::from_millis(200));
        loop {
            polls.tick().await;
            if self.counts(queue).await == (0, 0) {
                return;
            }
        }
    }

    /// Receives and deletes all messages, in the order in which they come.
    pub(crate) async fn take_all(&self, queue: &str) -> Vec<Delivered> {
        let mut all = Vec::new();
        loop {
            let call = json!({
                "QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0,
                "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"],
                "AttributeNames": ["All"],
            });
            let answer = self.call("ReceiveMessage", call).await.unwrap();
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            let entries = messages.iter().enumerate().map(|(index, message)| {
                json!({ "Id": index.to_string(), "ReceiptHandle": message["ReceiptHandle"] })
            });
            let entries: Vec<_> = entries.collect();
            let call = json!({ "QueueUrl": queue, "Entries": entries });
            self.call("DeleteMessageBatch", call).await.unwrap();
            all.extend(messages.iter().map(|message| {
                Delivered {
                    body: message["Body"].as_str().unwrap().to_owned(),
                    event_id: message["MessageAttributes"]["easel-event-id"]["StringValue"]
                        .as_str()
                        .unwrap()
                        .to_owned(),
                    group: message["Attributes"]["MessageGroupId"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                }
            }));
        }
    }

    async fn call(&self, operation: &str, body: Value) -> Result<Value> {
        let credential = format!("Credential={KEY_ID}/20260101/us-east-1/sqs/aws4_request");
        let signature = "SignedHeaders=host, Signature=0";
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/", self.endpoint))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {credential}, {signature}"),
            )
            .body(Full::new(body.to_string().into()))?;
        let answer = self.client.request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status == StatusCode::OK, "{operation}: {status} {body:?}");
        if body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

/// Returns the command that starts an emulator, without its port; `None` if it is not installed.
fn command(kind: EmulatorKind) -> Option<Command> {
    match kind {
        EmulatorKind::Moto => {
            let python = std::env::var_os("EASEL_TEST_PYTHON")?;
            let has_moto = Command::new(&python)
                .args(["-c", "import moto.server, flask"])
                .stderr(Stdio::null())
                .status();
            if !has_moto.is_ok_and(|status| status.success()) {
                return None;
            }
            let mut command = Command::new(python);
            command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p"]);
            Some(command)
        }
        EmulatorKind::LocalAwsSqs => {
            let modules = PathBuf::from(std::env::var_os("EASEL_TEST_NODE_MODULES")?);
            let module = modules.join("local-aws-sqs");
            if !module.exists() {
                return None;
            }
            let mut command = Command::new("node");
            command
                .args(["-e", SCRIPT])
                .arg(module.join("dist/index.js"));
            Some(command)
        }
    }
}

/// Starts the emulator of the npm package.
const SCRIPT: &str = "const { createSqsServer } = require(process.argv[1]); \
     createSqsServer({ hostname: '127.0.0.1', port: Number(process.argv[2]) });";

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
