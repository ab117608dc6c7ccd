//! A stand-in for a queue of SQS that is read: it hands each message out once, and fails to delete some messages the
//! first time. The emulators never fail a single entry.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The calls of one operation, each with its receipt handles.
type Calls = Vec<Vec<String>>;

/// What was called.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueueCalls {
    pub(crate) deleted: Calls,
    pub(crate) extended: Calls,
}

/// A queue, stopped on drop.
pub(crate) struct QueueStandIn {
    pub(crate) endpoint: String,
    calls: watch::Receiver<QueueCalls>,
    _tasks: JoinSet<()>,
}

struct QueueState {
    messages: Vec<Value>,
    /// The receipt handles whose first deletion fails.
    failing: HashSet<String>,
    calls: watch::Sender<QueueCalls>,
}

impl QueueStandIn {
    /// Starts a queue with messages of these bodies. Their receipt handles are their places.
    pub(crate) async fn start(bodies: &[Bytes], failing: &[&str]) -> Self {
        let messages = bodies.iter().enumerate().map(|(place, body)| {
            json!({
                "MessageId": format!("id-{place}"), "ReceiptHandle": place.to_string(),
                "Body": str::from_utf8(body).unwrap(),
                "Attributes": {"SentTimestamp": "1700000000123", "ApproximateReceiveCount": "1"},
            })
        });
        let (sender, calls) = watch::channel(QueueCalls::default());
        let state = Arc::new(Mutex::new(QueueState {
            messages: messages.collect(),
            failing: failing.iter().map(|&handle| handle.to_owned()).collect(),
            calls: sender,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&state);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                connections.spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    let stream = TokioIo::new(stream);
                    builder.serve_connection(stream, service).await
                });
            }
        });
        Self {
            endpoint,
            calls,
            _tasks: tasks,
        }
    }

    /// Waits until the calls meet the condition, and returns them.
    pub(crate) async fn wait_for(&self, condition: impl Fn(&QueueCalls) -> bool) -> QueueCalls {
        let mut calls = self.calls.clone();
        calls.wait_for(condition).await.unwrap().clone()
    }
}

async fn answer(
    state: Arc<Mutex<QueueState>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers()["x-amz-target"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let call: Value = serde_json::from_slice(&body).unwrap();
    let mut state = state.lock().unwrap();
    let answer = match target.as_str() {
        "AmazonSQS.ReceiveMessage" => json!({ "Messages": std::mem::take(&mut state.messages) }),
        "AmazonSQS.DeleteMessageBatch" => state.delete(&call),
        "AmazonSQS.ChangeMessageVisibilityBatch" => {
            state
                .calls
                .send_modify(|calls| calls.extended.push(handles(&call)));
            let ids = call["Entries"].as_array().unwrap().iter();
            let successful: Vec<_> = ids.map(|entry| json!({ "Id": entry["Id"] })).collect();
            json!({ "Successful": successful, "Failed": [] })
        }
        other => panic!("{other} is not expected"),
    };
    Ok(Response::new(Full::new(answer.to_string().into())))
}

fn handles(call: &Value) -> Vec<String> {
    let entries = call["Entries"].as_array().unwrap().iter();
    let handles = entries.map(|entry| entry["ReceiptHandle"].as_str().unwrap().to_owned());
    handles.collect()
}

impl QueueState {
    fn delete(&mut self, call: &Value) -> Value {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in call["Entries"].as_array().unwrap() {
            if self
                .failing
                .remove(entry["ReceiptHandle"].as_str().unwrap())
            {
                failed.push(json!({
                    "Id": entry["Id"], "Code": "InternalError", "SenderFault": false,
                }));
            } else {
                successful.push(json!({ "Id": entry["Id"] }));
            }
        }
        self.calls
            .send_modify(|calls| calls.deleted.push(handles(call)));
        json!({ "Successful": successful, "Failed": failed })
    }
}
