//! A client that calls the doors and the API of a server over HTTP, like programs on other machines.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use easel_keys::Secret;
use easel_testkit::with_attributes_key;
use http::{HeaderMap, Method, Request, StatusCode, request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::running::Running;

/// Longer than any request takes, so that a hanging test fails with a message.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A client of one server.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    token: Option<Secret<String>>,
}

/// The answer of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A record as the API returns it.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    pub(crate) offset: u64,
    pub(crate) id: String,
    event: Box<RawValue>,
}

/// The balance of a subscription.
#[derive(Debug, Deserialize)]
pub(crate) struct Balance {
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    pub(crate) filtered: u64,
    pub(crate) pending: u64,
    pub(crate) parked: u64,
    pub(crate) dead: u64,
    pub(crate) expired: u64,
    pub(crate) damaged: u64,
}

impl Caller {
    pub(crate) fn new(running: &Running) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: running.url(),
            token: running.local().token.clone(),
        }
    }

    /// Returns a client of the same server with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(Secret::new(token.to_owned())),
            ..self.clone()
        }
    }

    /// Sends events through the native door.
    pub(crate) async fn post_events(
        &self,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let request = self.request(Method::POST, "/v1/events");
        let request = request.header("content-type", content_type);
        self.send(request, body.into()).await
    }

    /// Sends changes of records.
    pub(crate) async fn post_changes(&self, changes: &Value) -> Result<Answer> {
        let request = self.request(Method::POST, "/v1/changes");
        let request = request.header("content-type", "application/json");
        self.send(request, changes.to_string().into()).await
    }

    /// Sends events through the Kinesis door, unsigned, with the member names that Canvas uses.
    pub(crate) async fn put_records(&self, events: &[Bytes]) -> Result<Answer> {
        let records: Vec<_> = events
            .iter()
            .map(|event| {
                let data = BASE64_STANDARD.encode(with_attributes_key(event));
                json!({ "Data": data, "PartitionKey": "1" })
            })
            .collect();
        let call = json!({ "StreamName": "live-events", "Records": records });
        let request = self
            .request(Method::POST, "/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "Kinesis_20131202.PutRecords");
        self.send(request, call.to_string().into()).await
    }

    /// Creates a subscription. `more` is added to its spec, as in `"start":"earliest",`.
    pub(crate) async fn subscribe(&self, name: &str, more: &str, url: &str) {
        let spec = format!(r#"{{"name":"{name}",{more}"webhook":{{"url":"{url}"}}}}"#);
        let request = self.request(Method::POST, "/v1/subscriptions");
        let request = request.header("content-type", "application/json");
        let answer = self.send(request, spec.into()).await.unwrap();
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }

    /// Creates a subscription that writes to the tables of a database.
    pub(crate) async fn subscribe_tables(&self, name: &str, more: &str, url: &str) {
        let spec = format!(r#"{{"name":"{name}",{more}"sql":{{"url":"{url}"}}}}"#);
        let spec = serde_json::from_str(&spec).unwrap();
        let answer = self
            .call(Method::POST, "/v1/subscriptions", Some(spec))
            .await
            .unwrap();
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }

    /// Creates a subscription with a timeout of one second.
    pub(crate) async fn subscribe_with_timeout(&self, name: &str, more: &str, url: &str) {
        let spec =
            format!(r#"{{"name":"{name}",{more}"webhook":{{"url":"{url}","timeout":"1s"}}}}"#);
        let spec = serde_json::from_str(&spec).unwrap();
        let answer = self
            .call(Method::POST, "/v1/subscriptions", Some(spec))
            .await
            .unwrap();
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }

    /// Sends any request to the API.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer> {
        let request = self.request(method, path);
        match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.send(request, body.to_string().into()).await
            }
            None => self.send(request, Bytes::new()).await,
        }
    }

    /// Sends a GET request. The status may be any.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.request(Method::GET, path);
        self.send(request, Bytes::new()).await.unwrap()
    }

    /// Sends a GET request that must succeed and parses the answer.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    }

    /// Returns a subscription's balance, which must add up.
    pub(crate) async fn balance(&self, name: &str) -> Balance {
        let balance: Balance = self
            .read(&format!("/v1/subscriptions/{name}/balance"))
            .await;
        let open = balance.pending + balance.parked + balance.dead;
        let sum = balance.delivered + balance.filtered + open + balance.expired;
        assert_eq!(balance.accepted, sum, "{name}: {balance:?}");
        balance
    }

    /// Waits until a subscription has no open deliveries.
    pub(crate) async fn settled(&self, name: &str) -> Balance {
        let path = format!("/v1/subscriptions/{name}/balance");
        self.wait_until::<Balance>(&path, |balance| balance.pending + balance.parked == 0)
            .await;
        self.balance(name).await
    }

    /// Repeats a GET request until the answer meets the condition.
    pub(crate) async fn wait_until<T: DeserializeOwned + Debug>(
        &self,
        path: &str,
        condition: impl Fn(&T) -> bool,
    ) -> T {
        let waiting = async {
            let mut polls = interval(Duration::from_millis(50));
            loop {
                polls.tick().await;
                let page = self.read(path).await;
                if condition(&page) {
                    return page;
                }
            }
        };
        let Ok(page) = timeout(TIMEOUT, waiting).await else {
            panic!("{path} is still {:?}", self.read::<T>(path).await);
        };
        page
    }

    /// Returns all readable records of the log.
    pub(crate) async fn log(&self) -> Vec<Shown> {
        self.log_from(0).await
    }

    /// Returns all readable records of the log from an offset on.
    pub(crate) async fn log_from(&self, mut from: u64) -> Vec<Shown> {
        #[derive(Deserialize)]
        struct Page {
            events: Vec<Shown>,
            next: u64,
        }
        let mut log = Vec::new();
        loop {
            let page: Page = self
                .read(&format!("/v1/events?from={from}&limit=1000"))
                .await;
            if page.next == from {
                return log;
            }
            log.extend(page.events);
            from = page.next;
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.expose())),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: request::Builder, body: Bytes) -> Result<Answer> {
        let response = self.client.request(request.body(Full::new(body))?).await?;
        let (head, body) = response.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the offset of each event from an answer of the native door. All must be accepted.
    pub(crate) fn accepted(&self) -> Vec<u64> {
        assert_eq!(self.status, StatusCode::ACCEPTED, "{self:?}");
        let answer: Value = self.json();
        assert_eq!(answer["rejected"], 0, "{self:?}");
        let results = answer["results"].as_array().unwrap();
        results
            .iter()
            .map(|result| result["offset"].as_u64().unwrap())
            .collect()
    }

    /// Returns the offset of each record from an answer of the Kinesis door. All must be accepted.
    pub(crate) fn stored(&self) -> Vec<u64> {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let answer: Value = self.json();
        assert_eq!(answer["FailedRecordCount"], 0, "{self:?}");
        let records = answer["Records"].as_array().unwrap();
        records
            .iter()
            .map(|record| {
                let number = record["SequenceNumber"].as_str().unwrap();
                number.strip_prefix('4').unwrap().parse().unwrap()
            })
            .collect()
    }
}

impl Shown {
    /// Returns the stored bytes of the event.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.event.get().as_bytes()
    }
}
