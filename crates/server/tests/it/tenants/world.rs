//! A server with the things of two root accounts, and a token for each kind of caller.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use easel_access::Scope;
use easel_catalog::Reach;
use easel_keys::{Secret, SigningKey};
use easel_server::{Auth, Config, KinesisConfig, KinesisKey};
use easel_testkit::Receiver;
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::rows::{Access, Row};
use crate::test_server::{TestServer, config};

/// A text in everything that belongs to root account A.
pub(super) const MARKER: &str = "planted_of_a";

/// The token of the operator.
const OPERATOR: &str = "easel_operatoroperatoroperatoroperatoroperator0";

/// The root account A.
pub(super) const ACCOUNT_A: &str = "70000000000001";
/// The root account B.
pub(super) const ACCOUNT_B: &str = "80000000000001";

/// The texts by which a request names things.
#[derive(Clone, Debug)]
pub(super) struct Things {
    pub(super) name: String,
    pub(super) event_id: String,
    pub(super) token_id: String,
    pub(super) offset: String,
}

impl Things {
    /// Replaces the placeholders of a template.
    pub(super) fn fill(&self, template: &str) -> String {
        self.texts()
            .into_iter()
            .fold(template.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
    }

    fn texts(&self) -> [(&'static str, &str); 4] {
        [
            ("{name}", &self.name),
            ("{event_id}", &self.event_id),
            ("{token_id}", &self.token_id),
            ("{offset}", &self.offset),
        ]
    }
}

/// The tokens of one root account.
#[derive(Debug)]
pub(super) struct Tenant {
    /// All scopes.
    pub(super) all: String,
    /// All scopes, expired.
    pub(super) expired: String,
    without: [(Scope, String); 3],
}

impl Tenant {
    /// Returns a token with every scope but this one.
    pub(super) fn token_without(&self, scope: Scope) -> &str {
        let found = self.without.iter().find(|(missing, _)| *missing == scope);
        &found.unwrap().1
    }
}

/// An answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Returns the answer with `{…}` in place of the texts by which the request named its things.
    pub(super) fn neutral(&self, things: &Things) -> Self {
        let body = things
            .texts()
            .into_iter()
            .fold(self.body.clone(), |body, (name, value)| {
                body.replace(value, name)
            });
        Self {
            body,
            ..self.clone()
        }
    }
}

pub(super) struct World {
    server: TestServer,
    pub(super) a: Tenant,
    pub(super) b: Tenant,
    /// What A has.
    pub(super) things_of_a: Things,
    /// What nobody has.
    pub(super) missing: Things,
    receiver: Receiver,
    _folder: TempDir,
}

impl World {
    /// Starts a server, and lets A and B send events and subscribe.
    pub(super) async fn start() -> Self {
        Box::pin(Self::open()).await
    }

    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (reach_a, reach_b) = (reach(ACCOUNT_A), reach(ACCOUNT_B));
        let server = TestServer::open(Config {
            auth: Auth::Tokens,
            first_token: Some(Secret::new(OPERATOR.to_owned())),
            kinesis: KinesisConfig {
                keys: vec![key("key-a", &reach_a), key("key-b", &reach_b)],
                ..Config::default().kinesis
            },
            ..config(&folder.path().join("data"))
        })
        .await;
        let receiver = Receiver::start().await;
        receiver.answer_with(|received| {
            let is_bad = received.uri.path().contains("refuse");
            if is_bad {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::OK
            }
        });
        let (a, a_token_id) = tenant(&server, &reach_a, MARKER).await;
        let (b, _b_token_id) = tenant(&server, &reach_b, "token_of_b").await;
        let mut world = Self {
            server,
            things_of_a: Things {
                name: MARKER.to_owned(),
                event_id: String::new(),
                token_id: a_token_id,
                offset: String::new(),
            },
            missing: Things {
                name: "missing_at_b".to_owned(),
                event_id: "0b7f3c4e-9d1a-4c55-8e21-6f0a9b3d2c11".to_owned(),
                token_id: "abcdefghijkl".to_owned(),
                offset: "77".to_owned(),
            },
            a,
            b,
            receiver,
            _folder: folder,
        };
        world.plant().await;
        world
    }

    /// Lets A and B subscribe and send.
    async fn plant(&mut self) {
        let url = format!("{}/refuse?{MARKER}", self.receiver.url());
        let (a, b) = (self.a.all.clone(), self.b.all.clone());
        for (token, name) in [(&a, MARKER), (&b, "grades"), (&a, "grades")] {
            let spec = json!({ "name": name, "webhook": { "url": url }, "start": "earliest" });
            let made = self
                .call("POST", "/v1/subscriptions", token, &spec.to_string())
                .await;
            assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        }
        let event = |name: &str, account: &str| {
            json!({
                "metadata": {
                    "event_name": name, "event_time": "2026-11-01T00:00:00Z",
                    "root_account_id": account,
                },
                "body": { "text": name },
            })
            .to_string()
        };
        for (token, name, account) in [
            (&b, "course_of_b", ACCOUNT_B),
            (&a, MARKER, ACCOUNT_A),
            (&b, "grade_of_b", ACCOUNT_B),
        ] {
            let sent = self
                .call("POST", "/v1/events", token, &event(name, account))
                .await;
            assert_eq!(sent.status, StatusCode::ACCEPTED, "{sent:?}");
            let result = &sent.json()["results"][0];
            if token == &a {
                self.things_of_a.event_id = result["id"].as_str().unwrap().to_owned();
                self.things_of_a.offset = result["offset"].to_string();
            }
        }
        // What is no event of A goes to quarantine.
        let record = json!({ "text": MARKER }).to_string();
        let put = self
            .kinesis("key-a", "PutRecords", &put_records(&[&record]))
            .await;
        assert_eq!(put.status, StatusCode::OK, "{put:?}");

        let path = format!("/v1/subscriptions/{MARKER}/replays");
        let replay = self.call("POST", &path, &a, r#"{"from":"earliest"}"#).await;
        assert_eq!(replay.status, StatusCode::CREATED, "{replay:?}");
        // The event of A is a dead letter, and its drift is known.
        let letters = format!("/v1/subscriptions/{MARKER}/dead-letters");
        self.wait_for_marker(&letters).await;
        self.wait_for_marker("/v1/drift").await;
    }

    async fn wait_for_marker(&self, path: &str) {
        loop {
            let answer = self.get(path, Some(&self.a.all)).await;
            if answer.body.contains(MARKER) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends the request of a row for these things.
    pub(super) async fn ask(&self, row: &Row, things: &Things, token: Option<&str>) -> Answer {
        let (path, body) = (row.path(things), row.body(things));
        self.send(row.method, &path, token, &body).await
    }

    /// Returns the token that may do what a row does.
    pub(super) fn right_token(&self, row: &Row) -> &str {
        match row.access {
            Access::Server(_) => OPERATOR,
            Access::Public | Access::Unlisted => "",
            Access::Shared(_) | Access::Own(_) | Access::Stream(_) | Access::Thing(_) => {
                &self.a.all
            }
        }
    }

    pub(super) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("GET", path, token, "").await
    }

    pub(super) async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        self.send(method, path, Some(token), body).await
    }

    /// Reads a stream up to a text.
    pub(super) async fn stream(&self, path: &str, token: &str, text: &str) -> Answer {
        let request = self.server.request("GET", path);
        let request = request.header("authorization", format!("Bearer {token}"));
        let (status, body) = self.server.read_until(request, text).await;
        Answer { status, body }
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        let mut request = self
            .server
            .request(method, path)
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (status, body) = self.server.send(request, body.to_owned()).await;
        Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Sends a call of the Kinesis protocol, signed with this key.
    pub(super) async fn kinesis(&self, key_id: &str, operation: &str, body: &str) -> Answer {
        let host = self.server.address.to_string();
        let target = format!("Kinesis_20131202.{operation}");
        let now = Timestamp::now();
        let (day, time) = (now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ"));
        let (day, time) = (day.to_string(), time.to_string());
        let digest = |bytes: &[u8]| format!("{:x}", Sha256::digest(bytes));
        let signed_headers = "host;x-amz-date;x-amz-target";
        let canonical = format!(
            "POST\n/\n\nhost:{host}\nx-amz-date:{time}\nx-amz-target:{target}\n\n{signed_headers}\n{}",
            digest(body.as_bytes())
        );
        let scope = [day.as_str(), "us-east-1", "kinesis", "aws4_request"];
        let text = format!(
            "AWS4-HMAC-SHA256\n{time}\n{}\n{}",
            scope.join("/"),
            digest(canonical.as_bytes())
        );
        let signature = SigningKey::derive(&secret_of(key_id), &scope).sign(text.as_bytes());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/{}, SignedHeaders={signed_headers}, \
             Signature={signature}",
            scope.join("/")
        );
        let request = self
            .server
            .request("POST", "/")
            .header("host", host)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-date", time)
            .header("x-amz-target", target)
            .header("authorization", authorization);
        let (status, body) = self
            .server
            .send(request, Bytes::from(body.to_owned()))
            .await;
        Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Returns what A has, as far as only A can change it.
    pub(super) async fn state_of_a(&self) -> Vec<Value> {
        let mut state = Vec::new();
        for path in [
            "/v1/subscriptions",
            "/v1/tokens",
            "/v1/quarantine",
            "/v1/drift",
            "/v1/subscriptions/planted_of_a/replays",
        ] {
            let mut answer = self.get(path, Some(&self.a.all)).await.json();
            leave_out_times(&mut answer);
            state.push(answer);
        }
        state
    }

    /// Sends a request of the operator.
    pub(super) async fn operator(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, Some(OPERATOR), "").await
    }

    /// Returns the balance of B's subscription `grades`.
    pub(super) async fn balance_of_b(&self) -> Value {
        let path = "/v1/subscriptions/grades/balance";
        self.get(path, Some(&self.b.all)).await.json()
    }

    /// Returns the numbers that B can see, without offsets.
    pub(super) async fn numbers_of_b(&self) -> Vec<Value> {
        let mut numbers = Vec::new();
        for path in ["/v1/balance", "/v1/status", "/v1/quarantine", "/v1/drift"] {
            let mut answer = self.get(path, Some(&self.b.all)).await.json();
            leave_out_times(&mut answer);
            leave_out_offsets(&mut answer);
            numbers.push(answer);
        }
        numbers
    }

    pub(super) async fn close(self) {
        self.server.close().await;
    }
}

/// Removes what changes by itself: times, cursors and counts of attempts.
fn leave_out_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| {
                ![
                    "last_used_at",
                    "cursor",
                    "next",
                    "attempts",
                    "parked",
                    "rate",
                ]
                .contains(&name.as_str())
            });
            members.values_mut().for_each(leave_out_times);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_times),
        _ => (),
    }
}

/// Removes offsets and times that change with every event: they show that others are active.
fn leave_out_offsets(value: &mut Value) {
    let volatile = ["head", "tail", "now", "pending_since", "loses_events_at"];
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !volatile.contains(&name.as_str()));
            members.values_mut().for_each(leave_out_offsets);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_offsets),
        _ => (),
    }
}

/// Returns the decoded data of all records of an answer of `GetRecords`.
pub(super) fn data_of(page: &Answer) -> String {
    let page = page.json();
    let records = page["Records"].as_array().unwrap().iter();
    let data = records.map(|record| {
        let bytes = BASE64_STANDARD.decode(record["Data"].as_str().unwrap());
        String::from_utf8(bytes.unwrap()).unwrap()
    });
    data.collect()
}

pub(super) fn reach(account: &str) -> Reach {
    format!("root_account:{account}").parse().unwrap()
}

fn secret_of(key_id: &str) -> Secret<String> {
    Secret::new(format!("secret of {key_id}"))
}

fn key(id: &str, reach: &Reach) -> KinesisKey {
    KinesisKey {
        access_key_id: id.to_owned(),
        secret_access_key: secret_of(id),
        reach: reach.clone(),
    }
}

/// Returns the body of a `PutRecords` call.
pub(super) fn put_records(records: &[&str]) -> String {
    let records = records
        .iter()
        .map(|record| json!({ "Data": BASE64_STANDARD.encode(record), "PartitionKey": "k" }));
    json!({ "StreamName": "live-events", "Records": records.collect::<Vec<_>>() }).to_string()
}

/// Creates the tokens of a root account. Returns them with the id of one of them.
async fn tenant(server: &TestServer, reach: &Reach, name: &str) -> (Tenant, String) {
    let make = async |scopes: &[&str], more: Value| {
        let mut new = json!({ "name": name, "scopes": scopes, "reach": reach.to_string() });
        let members = new.as_object_mut().unwrap();
        members.extend(more.as_object().cloned().unwrap_or_default());
        let request = server
            .request("POST", "/v1/tokens")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {OPERATOR}"));
        let (status, body) = server.send(request, new.to_string()).await;
        let made: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        (text("token"), text("id"))
    };
    let all = ["ingest", "read", "manage"];
    let soon = Timestamp::now() + Duration::from_millis(100);
    let (expired, _) = make(&all, json!({ "expires_at": soon })).await;
    let (spare, id) = make(&all, Value::Null).await;
    drop(spare);
    let tenant = Tenant {
        all: make(&all, Value::Null).await.0,
        expired,
        without: [
            (
                Scope::Ingest,
                make(&["read", "manage"], Value::Null).await.0,
            ),
            (
                Scope::Read,
                make(&["ingest", "manage"], Value::Null).await.0,
            ),
            (
                Scope::Manage,
                make(&["ingest", "read"], Value::Null).await.0,
            ),
        ],
    };
    (tenant, id)
}
