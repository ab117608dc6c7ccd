//! Limits, expiry and rotation of tokens while many requests come at once.

use std::sync::Arc;
use std::time::Duration;

use easel_keys::Secret;
use easel_server::{Auth, Config};
use easel_testkit::event;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::test_server::{TestServer, config};

const FIRST: &str = "easel_first_token_of_the_load_tests_0123456789";

/// How many requests run at once.
const SENDERS: u64 = 16;

/// The number of an event that no sender sends.
const LATE: u64 = 100_000_000;

type HttpClient = Client<HttpConnector, Full<bytes::Bytes>>;

/// An answer to one request with one event.
#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    code: String,
    retry_after: Option<u64>,
}

/// A server that requires tokens.
struct Guarded {
    server: TestServer,
    client: HttpClient,
    _folder: tempfile::TempDir,
}

impl Guarded {
    async fn open() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            auth: Auth::Tokens,
            first_token: Some(Secret::new(FIRST.to_owned())),
            ..config(&folder.path().join("data"))
        };
        Arc::new(Self {
            server: TestServer::open(config).await,
            client: Client::builder(TokioExecutor::new()).build_http(),
            _folder: folder,
        })
    }

    /// Calls the API with the first token.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let request = self
            .server
            .request(method, path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {FIRST}"));
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (status, answer) = self.server.send(request, body).await;
        assert!(status.is_success(), "{status}: {answer:?}");
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }

    async fn create(&self, mut settings: Value) -> Value {
        settings["name"] = "sender".into();
        settings["scopes"] = json!(["ingest", "read"]);
        self.ask("POST", "/v1/tokens", settings).await
    }

    async fn send(&self, token: &str, body: bytes::Bytes) -> Answer {
        let request = Request::post(format!("http://{}/v1/events", self.server.address))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(body))
            .unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.map(|value| value.to_str().unwrap().parse().unwrap());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let json: Value = serde_json::from_slice(&body).unwrap();
        Answer {
            status,
            code: json["code"].as_str().unwrap_or_default().to_owned(),
            retry_after,
        }
    }

    /// Returns how many events are on the log.
    async fn stored(&self) -> u64 {
        let status = self.ask("GET", "/v1/events?from=latest", Value::Null).await;
        status["next"].as_u64().unwrap()
    }
}

/// Sends events with many senders at once, each until `is_done` of its latest answer and the time. No two events
/// are the same.
async fn send_until(
    guarded: &Arc<Guarded>,
    token: &str,
    bytes: usize,
    is_done: fn(&Answer, Duration) -> bool,
) -> Vec<Answer> {
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (guarded, token) = (Arc::clone(guarded), token.to_owned());
        senders.spawn(async move {
            let mut answers = Vec::new();
            for n in 0.. {
                let body = padded(sender * 1_000_000 + n, bytes);
                let answer = guarded.send(&token, body).await;
                answers.push(answer.clone());
                if is_done(&answer, started.elapsed()) {
                    break;
                }
            }
            answers
        });
    }
    senders.join_all().await.concat()
}

/// Returns an event of at least `bytes` bytes.
fn padded(n: u64, bytes: usize) -> bytes::Bytes {
    let mut event = event("grade_change", n).to_vec();
    event.resize(std::cmp::max(event.len(), bytes), b' ');
    event.into()
}

fn count(answers: &[Answer], status: StatusCode) -> u64 {
    let matching = answers.iter().filter(|answer| answer.status == status);
    u64::try_from(matching.count()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_requests_holds_under_load_and_no_accepted_event_is_lost() {
    let guarded = Guarded::open().await;
    let made = guarded
        .create(json!({ "max_requests_per_second": 40 }))
        .await;
    let token = made["token"].as_str().unwrap();
    let started = Instant::now();
    let two_seconds = |_: &Answer, elapsed| elapsed > Duration::from_secs(2);
    let answers = send_until(&guarded, token, 0, two_seconds).await;
    let seconds = started.elapsed().as_secs() + 1;

    let accepted = count(&answers, StatusCode::ACCEPTED);
    let refused = count(&answers, StatusCode::TOO_MANY_REQUESTS);
    println!("{accepted} accepted, {refused} refused in {seconds} s");
    assert_eq!(accepted + refused, u64::try_from(answers.len()).unwrap());
    assert_eq!(guarded.stored().await, accepted);
    // One second's worth at once, and then the rate.
    assert!((41..=40 * (seconds + 1)).contains(&accepted), "{accepted}");
    assert!(refused > 0);
    for answer in answers
        .iter()
        .filter(|answer| answer.status != StatusCode::ACCEPTED)
    {
        assert_eq!(
            (&*answer.code, answer.retry_after),
            ("rate_limited", Some(1))
        );
    }
    sleep(Duration::from_secs(1)).await;
    let after = guarded.send(token, padded(LATE, 0)).await;
    assert_eq!(after.status, StatusCode::ACCEPTED, "{after:?}");
    // The token of this question has no limits.
    assert_eq!(guarded.stored().await, accepted + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_bytes_holds_under_load_and_a_large_request_is_paid_later() {
    const EVENT_BYTES: usize = 20_000;
    let guarded = Guarded::open().await;
    let made = guarded
        .create(json!({ "max_bytes_per_second": 200_000 }))
        .await;
    let token = made["token"].as_str().unwrap();
    let started = Instant::now();
    let two_seconds = |_: &Answer, elapsed| elapsed > Duration::from_secs(2);
    let answers = send_until(&guarded, token, EVENT_BYTES, two_seconds).await;
    let seconds = started.elapsed().as_secs() + 1;
    let accepted = count(&answers, StatusCode::ACCEPTED);
    println!(
        "{accepted} accepted, {} refused in {seconds} s",
        answers.len()
    );
    assert_eq!(guarded.stored().await, accepted);
    // The last request of a moment may take more than is left, on each of two threads.
    assert!(
        (11..=10 * (seconds + 1) + 2).contains(&accepted),
        "{accepted}"
    );

    // A request of three seconds' worth goes through, and the next ones wait until it is paid.
    sleep(Duration::from_secs(2)).await;
    let large = guarded.send(token, padded(LATE, 600_000)).await;
    assert_eq!(large.status, StatusCode::ACCEPTED, "{large:?}");
    let refused = guarded.send(token, padded(LATE + 1, 0)).await;
    assert_eq!(refused.code, "rate_limited");
    // Two of the three seconds are owed.
    let retry_after = refused.retry_after.unwrap();
    assert!((1..=2).contains(&retry_after), "{retry_after}");
    sleep(Duration::from_secs(retry_after)).await;
    let after = guarded.send(token, padded(LATE + 1, 0)).await;
    assert_eq!(after.status, StatusCode::ACCEPTED, "{after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_expires_under_load_and_its_stream_ends() {
    let guarded = Guarded::open().await;
    let expires_at = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(1500);
    let made = guarded
        .create(json!({ "expires_at": expires_at.to_string() }))
        .await;
    let token = made["token"].as_str().unwrap().to_owned();
    let stream = Request::get(format!(
        "http://{}/v1/events/stream",
        guarded.server.address
    ))
    .header("authorization", format!("Bearer {token}"))
    .body(Full::default())
    .unwrap();
    let stream = guarded.client.request(stream).await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let stream = stream.into_body().collect();

    let until_refused = |answer: &Answer, _| answer.status != StatusCode::ACCEPTED;
    let answers = send_until(&guarded, &token, 0, until_refused).await;
    assert!(jiff::Timestamp::now() >= expires_at);
    let accepted = count(&answers, StatusCode::ACCEPTED);
    println!("{accepted} accepted before the expiry");
    assert_eq!(count(&answers, StatusCode::UNAUTHORIZED), SENDERS);
    assert!(
        answers
            .iter()
            .all(|answer| answer.status.is_success() || answer.code == "token_expired")
    );
    assert_eq!(guarded.stored().await, accepted);
    timeout(Duration::from_secs(5), stream)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_rotated_under_load_without_a_refused_request() {
    let guarded = Guarded::open().await;
    let made = guarded.create(json!({})).await;
    let old = made["token"].as_str().unwrap().to_owned();
    let id = made["id"].as_str().unwrap();
    let sending = {
        let guarded = Arc::clone(&guarded);
        let until_refused = |answer: &Answer, _| answer.status != StatusCode::ACCEPTED;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { send_until(&guarded, &old, 0, until_refused).await });
        tasks
    };
    let path = format!("/v1/tokens/{id}/rotate");
    let rotated = guarded.ask("POST", &path, json!({ "overlap": "1s" })).await;
    let ends_at: jiff::Timestamp = rotated["overlap_ends_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let new = rotated["token"].as_str().unwrap();
    let answer = guarded.send(new, padded(LATE, 0)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");

    let answers = sending.join_all().await.concat();
    assert!(jiff::Timestamp::now() >= ends_at);
    assert_eq!(count(&answers, StatusCode::UNAUTHORIZED), SENDERS);
    let accepted = count(&answers, StatusCode::ACCEPTED);
    assert!(accepted > SENDERS, "{accepted}");
    assert_eq!(guarded.stored().await, accepted + 1);
    let answer = guarded.send(new, padded(LATE + 1, 0)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

#[tokio::test]
async fn the_last_use_of_a_token_survives_the_stop_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let with_tokens = || Config {
        auth: Auth::Tokens,
        first_token: Some(Secret::new(FIRST.to_owned())),
        ..config(&folder.path().join("data"))
    };
    let last_use = async |server: &TestServer, bearer: &str| {
        let request = server.request("GET", "/v1/tokens");
        let request = request.header("authorization", format!("Bearer {bearer}"));
        let (_, body) = server.send(request, "").await;
        let json: Value = serde_json::from_slice(&body).unwrap();
        json["tokens"][0]["last_used_at"].clone()
    };
    let local = || {
        let local = easel_server::LocalServer::read(&folder.path().join("data")).unwrap();
        local.token.unwrap().expose().clone()
    };
    let server = TestServer::open(with_tokens()).await;
    assert_eq!(last_use(&server, &local()).await, Value::Null);
    let used = last_use(&server, FIRST).await;
    assert!(used.is_string());
    server.close().await;
    let server = TestServer::open(with_tokens()).await;
    assert_eq!(last_use(&server, &local()).await, used);
    server.close().await;
}
