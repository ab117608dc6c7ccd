//! A stand-in for SQS: it keeps what was sent, and answers as a test says.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What becomes of a message.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// The service is at fault.
    Failed(&'static str),
    /// The message is at fault.
    Rejected(&'static str),
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Each message has its fate, by its body. The others are accepted.
    Each(HashMap<String, Fate>),
    /// The request fails with this status, code and message.
    Error(StatusCode, &'static str, &'static str),
    /// The request fails if it has more messages.
    AtMost(usize),
}

/// A stand-in, stopped on drop.
pub(crate) struct StandIn {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

struct State {
    verdict: Verdict,
    /// The bodies of each request.
    requests: Vec<Vec<String>>,
    /// The accepted messages, in order.
    accepted: Vec<Value>,
}

impl StandIn {
    pub(crate) async fn start(verdict: Verdict) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            verdict,
            requests: Vec::new(),
            accepted: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                connections.spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                });
            }
        });
        Self {
            endpoint,
            state,
            _tasks: tasks,
        }
    }

    /// Sets what becomes of further requests.
    pub(crate) fn set(&self, verdict: Verdict) {
        self.state.lock().unwrap().verdict = verdict;
    }

    /// Returns the bodies of each request so far.
    pub(crate) fn requests(&self) -> Vec<Vec<String>> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Returns the accepted messages.
    pub(crate) fn accepted(&self) -> Vec<Value> {
        self.state.lock().unwrap().accepted.clone()
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let call: Value = serde_json::from_slice(&body).unwrap();
    let entries = call["Entries"].as_array().unwrap();
    let mut state = state.lock().unwrap();
    let body_of = |entry: &Value| entry["MessageBody"].as_str().unwrap().to_owned();
    state.requests.push(entries.iter().map(body_of).collect());
    let error = |status, code: &str, message: &str| {
        (
            status,
            json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": message }),
        )
    };
    let (status, answer) = match state.verdict.clone() {
        Verdict::Error(status, code, message) => error(status, code, message),
        Verdict::AtMost(count) if entries.len() > count => {
            error(StatusCode::BAD_REQUEST, "BatchRequestTooLong", "too long")
        }
        Verdict::AtMost(_) => accept(&mut state, entries, &HashMap::new()),
        Verdict::Each(fates) => accept(&mut state, entries, &fates),
    };
    let mut response = Response::new(Full::new(answer.to_string().into()));
    *response.status_mut() = status;
    Ok(response)
}

fn accept(
    state: &mut State,
    entries: &[Value],
    fates: &HashMap<String, Fate>,
) -> (StatusCode, Value) {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let fate = fates.get(entry["MessageBody"].as_str().unwrap());
        let failure = |code: &str, is_sender_fault: bool| {
            json!({
                "Id": entry["Id"], "Code": code, "Message": "on purpose",
                "SenderFault": is_sender_fault,
            })
        };
        match fate {
            None => {
                state.accepted.push(entry.clone());
                let digest = "00000000000000000000000000000000";
                successful.push(json!({
                    "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": digest,
                }));
            }
            Some(Fate::Failed(code)) => failed.push(failure(code, false)),
            Some(Fate::Rejected(code)) => failed.push(failure(code, true)),
        }
    }
    (
        StatusCode::OK,
        json!({ "Successful": successful, "Failed": failed }),
    )
}
