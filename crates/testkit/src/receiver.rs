//! A webhook receiver: a real HTTP server on its own port.
//!
//! It speaks HTTP/1.1 and HTTP/2, with or without TLS, and records each request before it answers.
//! It stops when it is dropped.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::arrivals::Arrivals;
use crate::barrier::Barrier;

/// One received request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// The path and query.
    pub uri: Uri,
    /// The HTTP version.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Received {
    /// Returns the header `name` as text. Panics if the header is missing.
    #[expect(clippy::expect_used, reason = "the test requires this header")]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .expect(name)
            .to_str()
            .expect("the header is visible ASCII")
    }
}

/// A webhook receiver on `127.0.0.1`. By default it answers every request with 200.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    state: Arc<ReceiverState>,
    server: tokio::sync::Mutex<AcceptLoop>,
}

impl Receiver {
    /// Starts a plain HTTP receiver on a free port.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts a TLS receiver on a free port.
    pub async fn start_tls(config: ServerConfig) -> Self {
        Self::start_with(Some(Arc::new(config))).await
    }

    async fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
        #[expect(clippy::expect_used, reason = "a bound listener has an address")]
        let address = listener.local_addr().expect("the listener is bound");
        let state = Arc::new(ReceiverState::default());
        let server = AcceptLoop::start(listener, tls.clone(), Arc::clone(&state));
        Self {
            address,
            tls,
            state,
            server: tokio::sync::Mutex::new(server),
        }
    }

    /// Returns the URL to send to.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/hook", self.address)
    }

    /// Returns the address that the receiver listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers every request with `status`.
    pub fn set_status(&self, status: StatusCode) {
        self.answer_with(move |_received| status);
    }

    /// Answers each request with the status that `answer` returns.
    pub fn answer_with(&self, answer: impl Fn(&Received) -> StatusCode + Send + Sync + 'static) {
        self.state.script().status = Arc::new(answer);
    }

    /// Adds a header to every answer. Panics if the value is invalid in HTTP.
    #[expect(clippy::expect_used, reason = "the test passes a valid header value")]
    pub fn set_header(&self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).expect("the header value is valid");
        self.state
            .script()
            .headers
            .insert(HeaderName::from_static(name), value);
    }

    /// Answers every request with this body.
    pub fn set_body(&self, body: impl Into<Bytes>) {
        self.state.script().body = body.into();
    }

    /// `true` delays the answers to all later requests. `false` releases the requests that wait. A
    /// request counts as received before it waits.
    pub fn hang(&self, hang: bool) {
        self.state.answer_barrier.set(hang);
    }

    /// Returns the requests received so far, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.state.requests.all()
    }

    /// Returns how many requests were received so far.
    pub fn count(&self) -> usize {
        self.state.requests.count()
    }

    /// Returns how many connections were accepted so far.
    pub fn connection_count(&self) -> usize {
        self.state.connections.count()
    }

    /// Waits until at least `count` requests were received, then returns all of them.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.state.requests.wait_for(count).await
    }

    /// Closes the port and all connections. After this, no client can connect.
    pub async fn take_down(&self) {
        self.server.lock().await.stop().await;
    }

    /// Listens again on the same port after [`Receiver::take_down`].
    pub async fn bring_up(&self) {
        let mut server = self.server.lock().await;
        server.stop().await;
        let listener = listen(self.address).await;
        *server = AcceptLoop::start(listener, self.tls.clone(), Arc::clone(&self.state));
    }
}

#[expect(
    clippy::expect_used,
    reason = "a test cannot continue without its port"
)]
async fn listen(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address).await.expect("the port is free")
}

/// The task that accepts connections, and the signal that stops it.
#[derive(Debug)]
struct AcceptLoop {
    tasks: JoinSet<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl AcceptLoop {
    fn start(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        state: Arc<ReceiverState>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tls, state, stopped));
        Self {
            tasks,
            stop: Some(stop),
        }
    }

    /// Stops the task, and returns when the port and all connections are closed.
    async fn stop(&mut self) {
        drop(self.stop.take());
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    state: Arc<ReceiverState>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_ended) = connections.join_next() => (),
            accepted = listener.accept() => {
                // A client may disconnect before it is accepted.
                if let Ok((stream, _peer)) = accepted {
                    state.connections.push(());
                    connections.spawn(handshake(stream, tls.clone(), Arc::clone(&state)));
                }
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn handshake(stream: TcpStream, tls: Option<Arc<ServerConfig>>, state: Arc<ReceiverState>) {
    match tls {
        None => serve(stream, state).await,
        // A client that does not trust the certificate aborts the handshake.
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                serve(stream, state).await;
            }
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    state: Arc<ReceiverState>,
) {
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { state.answer(request).await }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // A client may disconnect at any time.
    drop(server.serve_connection(TokioIo::new(stream), service).await);
}

/// The state that all connections share.
#[derive(Debug, Default)]
struct ReceiverState {
    requests: Arrivals<Received>,
    connections: Arrivals<()>,
    answer_barrier: Barrier,
    script: Mutex<Script>,
}

impl ReceiverState {
    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let received = Received {
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        };
        self.requests.push(received.clone());
        self.answer_barrier.wait_until_lifted().await;
        let Script {
            status,
            headers,
            body,
        } = self.script().clone();
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status(&received);
        response.headers_mut().extend(headers);
        Ok(response)
    }
}

/// The status, headers and body of the answers.
#[derive(Clone)]
struct Script {
    status: Arc<dyn Fn(&Received) -> StatusCode + Send + Sync>,
    headers: HeaderMap,
    body: Bytes,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            status: Arc::new(|_received| StatusCode::OK),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
